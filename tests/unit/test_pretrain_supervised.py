"""Training a classifier of labels or of pseudo-labels: three splits, masks as asked, an encoder to start from."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from builders import (
    CLASSES,
    ON_CPU,
    SIDE,
    TRAINING,
    call,
    failure,
    prepare,
    write_autoencoder,
    write_labelled,
)
from image_sets import pixels_in
from torchvision.models import resnet18

from fewlabels.core.files import read_csv, write_csv
from fewlabels.networks.checkpoints import load_classifier, load_encoder
from fewlabels.pretraining import supervised

OUTPUTS = ("checkpoint.pt", "history.csv", "predictions.csv", "record.json")
RESNET = {"encoder": "imagenet_resnet18", "trained": ["layer4"], "batch_norm": "trained"}
SMALL = {"encoder": "small", "trained": ["latent"], "batch_norm": "trained"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Per class 4 training images, one with a mask, 1 validation image, 2 test images, one with a mask."""
    base = tmp_path_factory.mktemp("cam16")
    raw = write_labelled(base / "raw", {"train": 4, "val": 1, "test": 2}, {"train": 1, "test": 1})
    return prepare(raw, base / "out", {"train": "train", "validation": "val", "test": "test"})


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small encoder to start from."""
    return write_autoencoder(tmp_path_factory.mktemp("weights") / "small.pt")


@pytest.fixture
def options(data, small, tmp_path):
    """A training on labels."""
    return {
        "index": data.file("index.csv"),
        **data.packed,
        "start": small,
        "encoder": SMALL,
        "classes": json.dumps(CLASSES),
        "training": TRAINING,
        "seed": 0,
        "resize": "stretch",
        **ON_CPU,
        **{name.split(".")[0]: tmp_path / name for name in OUTPUTS},
    }


@pytest.fixture
def clustered(options, prcc_data, tmp_path):
    """A training on pseudo-labels: twelve images of cluster 0, eight of cluster 1: dark and bright."""
    ids = [row["id"] for row in read_csv(prcc_data["index"])]
    write_csv(
        tmp_path / "labels.csv",
        ["id", "cluster"],
        ({"id": name, "cluster": int(n >= 12)} for n, name in enumerate(ids)),
    )
    return {key: value for key, value in options.items() if key != "classes"} | {
        **prcc_data,
        "labels": tmp_path / "labels.csv",
    }


@pytest.fixture
def trained_on(monkeypatch):
    """Takes training's place; keeps the image sets that it was given."""
    seen = {}

    def instead(model, train, evaluated, settings, runtime, seed):
        seen.update(train=train, evaluated=evaluated)
        logits = {
            name: torch.zeros(len(images), model.classes) for name, images in evaluated.items()
        }
        return [{"epoch": 1, "test_accuracy": 0.0}], logits

    monkeypatch.setattr(supervised, "train_classifier", instead)
    return seen


def run(options: dict[str, object], **changes: object) -> None:
    assert call("pretrain", "supervised", **options | changes) == 0


def mistake(capsys, options: dict[str, object], **changes: object) -> str:
    line = failure(capsys, "pretrain", "supervised", **options | changes)
    assert not options["checkpoint"].exists()
    return line


def test_a_run(options, data, resnet_weights, tmp_path):
    run(options, start=resnet_weights, encoder=RESNET)
    history = read_csv(tmp_path / "history.csv")
    assert list(history[0]) == [
        *("epoch", "steps", "train_loss", "train_accuracy"),
        *("validation_loss", "validation_accuracy", "test_loss", "test_accuracy"),
    ]
    assert len(history) == 2
    rows = read_csv(tmp_path / "predictions.csv")
    test = data.rows("test")
    assert [(row["id"], row["label"]) for row in rows] == [
        (row["id"], row["label"]) for row in test
    ]
    accuracy = sum(row["label"] == row["predicted"] for row in rows) / 6
    assert float(history[-1]["test_accuracy"]) == pytest.approx(accuracy, abs=1e-6)
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["training_images"], record["epochs"]) == (12, 2)
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    resnet18(num_classes=3).load_state_dict(content["state_dict"], strict=True)
    metadata = content["metadata"]
    assert metadata["model"] == "checkpoint"
    assert metadata["classes"] == CLASSES
    assert metadata["image_size"] == SIDE
    assert metadata["mask_use"] == "off"
    [described] = metadata["encoders"]
    assert described["encoder"] == "imagenet_resnet18"
    assert described["trained"] == ["layer4.0", "layer4.1"]
    assert described["architecture"] == {"model": "torchvision/resnet18", "image_size": SIDE}
    # The next stage takes its encoder; frozen blocks are those of the weights it started from.
    encoder, _ = load_encoder(tmp_path / "checkpoint.pt")
    start = torch.load(resnet_weights)["state_dict"]
    found = encoder.network.state_dict()
    assert torch.equal(found["layer3.1.conv2.weight"], start["layer3.1.conv2.weight"])
    assert not torch.equal(found["layer4.0.conv1.weight"], start["layer4.0.conv1.weight"])


def test_equal_seeds_give_equal_files(options, tmp_path):
    contents = []
    for seed in (0, 0, 1):
        run(options, seed=seed)
        contents.append([(tmp_path / name).read_bytes() for name in OUTPUTS[1:3]])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_a_chain_starts_from_what_another_training_made(options, tmp_path):
    """The second training opens other blocks: what the first changed is where it starts."""
    run(options)
    (tmp_path / "checkpoint.pt").rename(tmp_path / "first.pt")
    encoder = {"encoder": "first", "trained": ["conv1"], "batch_norm": "trained"}
    run(options, start=tmp_path / "first.pt", encoder=encoder)
    before, first, second = (
        load_encoder(path)[0].state_dict()
        for path in (options["start"], tmp_path / "first.pt", tmp_path / "checkpoint.pt")
    )
    assert not torch.equal(first["latent.weight"], before["latent.weight"])
    assert torch.equal(second["latent.weight"], first["latent.weight"])
    assert not torch.equal(second["conv1.0.weight"], first["conv1.0.weight"])
    _, metadata = load_classifier(tmp_path / "checkpoint.pt")
    assert [entry["encoder"] for entry in metadata["encoders"]] == ["first"]


@pytest.mark.parametrize("batch_norm", ["trained", "frozen"])
def test_frozen_batch_norm_keeps_its_statistics_in_open_blocks(options, small, batch_norm):
    run(options, encoder={"encoder": "small", "trained": "all", "batch_norm": batch_norm})
    before, after = (load_encoder(path)[0].state_dict() for path in (small, options["checkpoint"]))
    kept = torch.equal(before["conv1.1.running_mean"], after["conv1.1.running_mean"])
    assert kept == (batch_norm == "frozen")
    assert not torch.equal(before["conv1.0.weight"], after["conv1.0.weight"])
    _, metadata = load_classifier(options["checkpoint"])
    assert metadata["encoders"][0]["batch_norm"] == batch_norm


@pytest.mark.parametrize(("mask_use", "count"), [("off", 12), ("replace", 12), ("append", 15)])
def test_images_by_the_use_of_masks(options, data, trained_on, mask_use, count):
    masked = {} if mask_use == "off" else data.masked
    run(options, mask_use=mask_use, **masked)
    assert len(trained_on["train"]) == count
    record = json.loads(options["record"].read_text())
    assert record["training_images"] == count
    assert torch.load(options["checkpoint"])["metadata"]["mask_use"] == mask_use
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
        labels = [row["label"] for row in data.rows(split)]
        if mask_use == "append" and split == "train":
            names += names[::4]
            labels += labels[::4]
        expected = data.pictures(names)
        if blackened:
            expected[blackened] = data.pictures([names[place] for place in blackened], masked=True)
        np.testing.assert_array_equal(pixels_in(sets[split]), expected)
        assert [CLASSES[place] for place in sets[split].labels] == labels


def test_masks_without_their_file_are_one_line(options, capsys):
    assert "--mask-use append needs --masked" in mistake(capsys, options, mask_use="append")


def test_a_data_set_without_validation_split(options, wbc_data, trained_on):
    run(options, index=wbc_data.file("index.csv"), **wbc_data.packed)
    assert len(trained_on["train"]) == 24
    assert {split: len(images) for split, images in trained_on["evaluated"].items()} == {"test": 12}


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_data_set_without_images_of_a_split_is_one_line(options, data, tmp_path, capsys, split):
    rows = [row for row in data.index if row["split"] != split]
    write_csv(tmp_path / "part.csv", list(rows[0]), rows)
    line = mistake(capsys, options, index=tmp_path / "part.csv")
    assert f"part.csv has no {split} images: mend splits or holdout" in line


def test_an_unknown_block_is_one_line(options, capsys, tmp_path):
    line = mistake(capsys, options, encoder=SMALL | {"trained": ["layer9"]})
    assert "unknown block 'layer9'" in line
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_network_are_one_line(options, resnet_weights, capsys, tmp_path):
    content = torch.load(resnet_weights)
    content["state_dict"] = {"a": torch.zeros(1)}
    torch.save(content, tmp_path / "other.pth")
    line = mistake(capsys, options, start=tmp_path / "other.pth")
    assert "other.pth does not fit the network" in line


def test_images_of_another_size_than_the_autoencoders_are_one_line(options, tmp_path, capsys):
    larger = write_autoencoder(tmp_path / "larger.pt", image_size=2 * SIDE)
    line = mistake(capsys, options, start=larger)
    assert "larger.pt takes images of 64 pixels, these have 32" in line


def test_a_run_on_clusters(clustered, resnet_weights, tmp_path):
    run(clustered, start=resnet_weights, encoder=RESNET)
    rows = read_csv(tmp_path / "predictions.csv")
    assert list(rows[0]) == ["id", "label", "predicted", "p_0", "p_1"]
    # A quarter of twelve and of eight.
    assert Counter(row["label"] for row in rows) == {"0": 3, "1": 2}
    clusters = {row["id"]: row["cluster"] for row in read_csv(clustered["labels"])}
    assert all(clusters[row["id"]] == row["label"] for row in rows)
    history = read_csv(tmp_path / "history.csv")
    accuracy = sum(row["label"] == row["predicted"] for row in rows) / 5
    assert float(history[-1]["test_accuracy"]) == pytest.approx(accuracy, abs=1e-6)
    assert json.loads((tmp_path / "record.json").read_text())["training_images"] == 15
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert content["metadata"]["classes"] == ["0", "1"]
    assert content["metadata"]["mask_use"] == "off"
    resnet18(num_classes=2).load_state_dict(content["state_dict"], strict=True)


def test_it_learns_the_clusters(clustered, tmp_path):
    training = TRAINING | {"epochs": 10, "learning_rate": 0.01}
    run(clustered, encoder=SMALL | {"trained": "all"}, training=training)
    history = read_csv(tmp_path / "history.csv")
    assert float(history[-1]["train_loss"]) < float(history[0]["train_loss"])
    assert float(history[-1]["train_accuracy"]) > 0.9


def test_clusters_take_the_place_of_labels(clustered, data, trained_on, tmp_path):
    """A labelled set's own labels do not count, nor do its images without a cluster."""
    rows = data.index
    chosen = [row for place, row in enumerate(rows) if place % 4 != 1]
    cluster_of = {row["id"]: str(place % 2) for place, row in enumerate(chosen)}
    write_csv(
        tmp_path / "labels.csv",
        ["id", "cluster"],
        ({"id": name, "cluster": cluster} for name, cluster in cluster_of.items()),
    )
    run(clustered, index=data.file("index.csv"), **data.packed)
    sets = {"train": trained_on["train"], **trained_on["evaluated"]}
    for split, images in sets.items():
        names = [row["id"] for row in chosen if row["split"] == split]
        assert names
        np.testing.assert_array_equal(pixels_in(images), data.pictures(names))
        assert [str(label) for label in images.labels.tolist()] == [
            cluster_of[name] for name in names
        ]


def test_clusters_are_ordered_as_numbers(clustered, tmp_path):
    """Cluster 10 comes behind cluster 2."""
    rows = read_csv(clustered["labels"])
    for place, row in enumerate(rows):
        row["cluster"] = ("2", "10")[place % 2]
    write_csv(clustered["labels"], ["id", "cluster"], rows)
    run(clustered, training=TRAINING | {"epochs": 1})
    assert list(read_csv(tmp_path / "predictions.csv")[0])[3:] == ["p_2", "p_10"]


def test_clusters_of_training_images_alone_are_one_line(clustered, capsys):
    splits = {row["id"]: row["split"] for row in read_csv(clustered["index"])}
    rows = [row for row in read_csv(clustered["labels"]) if splits[row["id"]] == "train"]
    write_csv(clustered["labels"], ["id", "cluster"], rows)
    assert "index.csv has no test images" in mistake(capsys, clustered)
