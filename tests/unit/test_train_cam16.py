"""Training the CAM16 classifier: three splits, masks as asked, a checkpoint that torchvision loads."""

import json

import numpy as np
import pytest
import torch
import train_cam16
from builders import CLASSES, ON_CPU, SIDE, TRAINING, call, failure, prepare, write_labelled
from image_sets import pixels_in
from torchvision.models import resnet18

from fewlabels.core.files import read_csv
from fewlabels.networks.checkpoints import load_encoder

OUTPUTS = ("checkpoint.pt", "history.csv", "predictions.csv", "record.json")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Per class 4 training images, one with a mask, 1 validation image, 2 test images."""
    base = tmp_path_factory.mktemp("cam16")
    raw = write_labelled(base / "raw", {"train": 4, "val": 1, "test": 2}, {"train": 1, "test": 1})
    return prepare(raw, base / "out", {"train": "train", "validation": "val", "test": "test"})


@pytest.fixture
def options(data, resnet_weights, tmp_path):
    return {
        "index": data.file("index.csv"),
        **data.packed,
        "weights": resnet_weights,
        "trained": ["layer4"],
        "classes": CLASSES,
        "training": TRAINING,
        "seed": 0,
        "resize": "stretch",
        **ON_CPU,
        **{name.split(".")[0]: tmp_path / name for name in OUTPUTS},
    }


@pytest.fixture
def trained_on(monkeypatch):
    """Takes training's place; keeps the image sets that it was given."""
    seen = {}

    def instead(model, train, evaluated, settings, runtime, seed):
        seen.update(train=train, evaluated=evaluated)
        return [{"epoch": 1, "test_accuracy": 0.0}]

    monkeypatch.setattr(train_cam16, "train_classifier", instead)
    return seen


def test_a_run(options, data, resnet_weights, tmp_path):
    assert call("train_cam16", **options) == 0
    history = read_csv(tmp_path / "history.csv")
    assert list(history[0]) == [
        *("epoch", "train_loss", "train_accuracy"),
        *("validation_loss", "validation_accuracy", "test_loss", "test_accuracy"),
    ]
    assert len(history) == 2
    rows = read_csv(tmp_path / "predictions.csv")
    assert [row["id"] for row in rows] == [
        row["id"] for row in data.index if row["split"] == "test"
    ]
    accuracy = sum(row["label"] == row["predicted"] for row in rows) / 6
    assert float(history[-1]["test_accuracy"]) == pytest.approx(accuracy, abs=1e-6)
    assert json.loads((tmp_path / "record.json").read_text())["training_images"] == 12
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    resnet18(num_classes=3).load_state_dict(content["state_dict"], strict=True)
    metadata = content["metadata"]
    assert metadata["classes"] == CLASSES
    assert metadata["image_size"] == SIDE
    assert metadata["encoders"] == [
        {"encoder": "imagenet_resnet18", "trained": ["layer4.0", "layer4.1"]}
    ]
    # The next stage takes its encoder; frozen blocks are those of the weights it started from.
    encoder, _ = load_encoder("resnet_cam16", tmp_path / "checkpoint.pt")
    start = torch.load(resnet_weights)
    assert torch.equal(encoder.layer3[1].conv2.weight, start["layer3.1.conv2.weight"])
    assert not torch.equal(encoder.layer4[0].conv1.weight, start["layer4.0.conv1.weight"])


def test_equal_seeds_give_equal_files(options, tmp_path):
    contents = []
    for seed in (0, 0, 1):
        assert call("train_cam16", **options | {"seed": seed}) == 0
        contents.append([(tmp_path / name).read_bytes() for name in OUTPUTS[1:3]])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


@pytest.mark.parametrize(("mask_use", "count"), [("off", 12), ("replace", 12), ("append", 15)])
def test_images_by_the_use_of_masks(options, data, trained_on, mask_use, count):
    masked = {} if mask_use == "off" else data.masked
    assert call("train_cam16", **options, mask_use=mask_use, **masked) == 0
    assert len(trained_on["train"]) == count
    assert {split: len(images) for split, images in trained_on["evaluated"].items()} == {
        "validation": 3,
        "test": 6,
    }
    replaced = {
        "off": ([], []),
        "replace": ([0, 4, 8], [0, 2, 4]),
        "append": ([12, 13, 14], []),
    }
    train, test = replaced[mask_use]
    sets = {"train": trained_on["train"], **trained_on["evaluated"]}
    for split, blackened in {"train": train, "validation": [], "test": test}.items():
        names = [row["id"] for row in data.rows(split)]
        if mask_use == "append" and split == "train":
            names += names[::4]
        expected = data.pictures(names)
        if blackened:
            expected[blackened] = data.pictures([names[place] for place in blackened], masked=True)
        np.testing.assert_array_equal(pixels_in(sets[split]), expected)


def test_a_data_set_without_validation_split(options, wbc_data, trained_on):
    changed = options | {"index": wbc_data.file("index.csv"), **wbc_data.packed}
    assert call("train_cam16", **changed) == 0
    assert len(trained_on["train"]) == 24
    assert {split: len(images) for split, images in trained_on["evaluated"].items()} == {"test": 12}


def test_an_unknown_block_is_one_line(options, capsys, tmp_path):
    line = failure(capsys, "train_cam16", **options | {"trained": ["layer9"]})
    assert "unknown block 'layer9'" in line
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_network_are_one_line(options, capsys, tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    line = failure(capsys, "train_cam16", **options | {"weights": tmp_path / "other.pth"})
    assert "other.pth does not fit the network" in line
