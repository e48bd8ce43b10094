"""Training one arm at one fraction: the images it gets, and the files it leaves."""

import json
import shutil

import numpy as np
import pytest
import torch
from builders import (
    AUTOENCODER,
    CLASSES,
    OUTPUTS,
    SIDE,
    TRAINER,
    TRAINING,
    call,
    failure,
    training_options,
    write_autoencoder,
    write_subset,
)
from image_sets import CPU, images_of, pixels_in
from torchvision.models import resnet18

import train_classifier
from fewlabels.core.files import read_csv, write_csv, write_json
from fewlabels.core.settings import TrainingSettings
from fewlabels.data.intensities import Intensities
from fewlabels.networks.checkpoints import load_classifier
from fewlabels.training.loop import predict

RESNET = [{"encoder": "imagenet_resnet18", "trained": ["layer4"]}]
COMBINED = [
    {"encoder": "pRCC_autoencoder", "trained": []},
    {"encoder": "resnet_cam16", "trained": ["layer4.0", "layer4.1"]},
]


@pytest.fixture(scope="module")
def files(wbc_data, resnet_weights, tmp_path_factory):
    """The inputs of train_classifier that are not images: autoencoders, and the subset of all images."""
    folder = tmp_path_factory.mktemp("inputs")
    write_autoencoder(folder / "fitting.pt")
    write_autoencoder(folder / "larger.pt", image_size=2 * SIDE)
    rows = wbc_data.rows("train")
    # The mask of the first masked image of each class is not of this subset.
    unused = {
        next(row["id"] for row in rows if row["mask"] and row["label"] == label)
        for label in CLASSES
    }
    rows = [row | {"mask": "" if row["id"] in unused else row["mask"]} for row in rows]
    write_subset(folder / "subset.csv", rows)
    return folder


@pytest.fixture(scope="module")
def options_for(wbc_data, files, resnet_weights):
    """Gives the options of one run that writes into a folder."""

    def options(out, encoders=RESNET, subset=files / "subset.csv", autoencoder="fitting", **rest):
        checkpoints = {"pRCC_autoencoder": files / f"{autoencoder}.pt"}
        chosen = {
            choice["encoder"]: (
                checkpoints.get(choice["encoder"], resnet_weights),
                choice["trained"],
            )
            for choice in encoders
        }
        return training_options(wbc_data, out, subset, chosen, **rest)

    return options


@pytest.fixture(scope="module")
def finished(options_for, tmp_path_factory):
    """One run of the single ResNet-18, and one of the two encoders."""
    folders = {}
    for name, encoders in (("resnet", RESNET), ("combined", COMBINED)):
        folders[name] = tmp_path_factory.mktemp(name)
        assert call(TRAINER, **options_for(folders[name], encoders)) == 0
    return folders


@pytest.fixture
def trained_on(monkeypatch):
    """Takes training's place; keeps what it was given."""
    seen = {}

    def instead(model, train, evaluated, settings, runtime, seed, selected_on, unlabelled):
        assert unlabelled is None
        seen.update(model=model, train=train, **evaluated)
        logits = {
            name: torch.zeros(len(images), model.classes) for name, images in evaluated.items()
        }
        return [{"epoch": 1, "test_accuracy": 0.0}], logits

    monkeypatch.setattr(train_classifier, "train_classifier", instead)
    return seen


def test_predictions_are_of_the_test_images_and_of_the_saved_model(finished, wbc_data):
    for folder in finished.values():
        rows = read_csv(folder / "predictions.csv")
        test = [row for row in wbc_data.index if row["split"] == "test"]
        assert list(rows[0]) == ["id", "label", "predicted", *(f"p_{name}" for name in CLASSES)]
        assert [(row["id"], row["label"]) for row in rows] == [
            (row["id"], row["label"]) for row in test
        ]
        found = np.array([[float(row[f"p_{name}"]) for name in CLASSES] for row in rows])
        np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
        assert [row["predicted"] for row in rows] == [CLASSES[k] for k in found.argmax(1)]
        # From the checkpoint and the packed images alone.
        model, _ = load_classifier(folder / "checkpoint.pt")
        pixels = np.load(wbc_data.file("images.npy"))[24:]
        expected = predict(model, images_of(pixels), CPU).softmax(1)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_predictions_and_history_are_of_the_last_epoch(finished):
    for folder in finished.values():
        history = read_csv(folder / "history.csv")
        assert [row["epoch"] for row in history] == ["1", "2"]
        assert list(history[0]) == [
            *("epoch", "steps", "train_loss", "train_accuracy"),
            *("test_loss", "test_accuracy"),
        ]
        rows = read_csv(folder / "predictions.csv")
        accuracy = sum(row["label"] == row["predicted"] for row in rows) / len(rows)
        assert float(history[-1]["test_accuracy"]) == pytest.approx(accuracy, abs=1e-6)


def test_metadata_of_the_checkpoint(finished):
    content = torch.load(finished["combined"] / "checkpoint.pt", weights_only=True)
    assert content["metadata"] == {
        "model": "checkpoint",
        "classes": CLASSES,
        "image_size": SIDE,
        "resize": "stretch",
        "encoders": [
            {
                **choice,
                "batch_norm": "trained",
                "architecture": architecture,
                "normalisation": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
            }
            for choice, architecture in zip(
                COMBINED,
                [
                    {"model": "autoencoder", **AUTOENCODER},
                    {"model": "torchvision/resnet18", "image_size": SIDE},
                ],
                strict=True,
            )
        ],
        "mask_use": "off",
        "training": TrainingSettings(**TRAINING).plain(),
        "seed": 1,
        "state": "complete",
        "run": {},
        "intensities": None,
        "test_masks": "off",
        "validation": None,
    }


def test_what_new_images_need_is_kept(options_for, tmp_path, trained_on):
    white = Intensities(integer_white=4095.0, deep_files=2)
    write_json(tmp_path / "reading.json", {"masks": None, "intensities": white.plain()})
    run = {"arm": "resnet", "target": "cells", "fraction": "10", "replicate": "1x2"}
    options = options_for(tmp_path, validation=True, run=run, reading=tmp_path / "reading.json")
    assert call(TRAINER, **options) == 0
    metadata = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["metadata"]
    assert metadata["run"] == run
    assert Intensities(**metadata["intensities"]) == white
    assert metadata["validation"] == "validation.csv"


def test_a_single_resnet_is_torchvisions(finished):
    content = torch.load(finished["resnet"] / "checkpoint.pt", weights_only=True)
    resnet18(num_classes=3).load_state_dict(content["state_dict"], strict=True)
    # A stage is stored as its blocks.
    [described] = content["metadata"]["encoders"]
    assert described["trained"] == ["layer4.0", "layer4.1"]


def test_only_the_trained_blocks_and_the_head_changed(finished, resnet_weights):
    before = torch.load(resnet_weights)["state_dict"]
    after = torch.load(finished["resnet"] / "checkpoint.pt")["state_dict"]
    for name, value in after.items():
        if name.startswith("layer4"):
            assert not torch.equal(value, before[name]), name
        elif not name.startswith("fc"):
            assert torch.equal(value, before[name]), name


def test_the_record(finished):
    record = json.loads((finished["resnet"] / "record.json").read_text())
    assert record["training_images"] == 24
    assert record["epochs"] == 2
    assert record["seconds"] > 0
    assert record["training_images_per_second"] > 0
    assert record["evaluation_images_per_second"] > 0


def test_equal_seeds_give_equal_files(finished, options_for, tmp_path):
    assert call(TRAINER, **options_for(tmp_path)) == 0
    for name in OUTPUTS[1:3]:
        assert (tmp_path / name).read_bytes() == (finished["resnet"] / name).read_bytes()
    assert call(TRAINER, **options_for(tmp_path, seed=2)) == 0
    for name in OUTPUTS[1:3]:
        assert (tmp_path / name).read_bytes() != (finished["resnet"] / name).read_bytes()


@pytest.mark.parametrize(("mask_use", "count"), [("off", 24), ("replace", 24), ("append", 27)])
def test_training_images_by_the_use_of_masks(
    trained_on, options_for, wbc_data, tmp_path, mask_use, count
):
    assert call(TRAINER, **options_for(tmp_path, mask_use=mask_use)) == 0
    pixels, labels = pixels_in(trained_on["train"]), trained_on["train"].labels.tolist()
    assert json.loads((tmp_path / "record.json").read_text())["training_images"] == count
    names = [row["id"] for row in wbc_data.rows("train")]
    assert labels[:24] == [0] * 8 + [1] * 8 + [2] * 8
    # The second masked image of each class is the one whose mask the subset uses.
    blackened = [1, 9, 17]
    expected = wbc_data.pictures(names)
    masked = wbc_data.pictures([names[place] for place in blackened], masked=True)
    if mask_use == "replace":
        expected[blackened] = masked
    elif mask_use == "append":
        expected = np.concatenate([expected, masked])
        assert labels[24:] == [0, 1, 2]
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("mask_use", ["off", "replace", "append"])
@pytest.mark.parametrize("test_masks", [None, "off", "arm"])
def test_images_to_be_evaluated_are_masked_only_if_asked_for_and_as_training_images_are(
    trained_on, options_for, wbc_data, files, tmp_path, mask_use, test_masks
):
    """Test and validation images alike; only where training images are replaced, and never doubled."""
    rows = read_csv(files / "subset.csv")
    parts = [
        row | {"part": "validation" if place % 2 else "train"} for place, row in enumerate(rows)
    ]
    write_csv(tmp_path / "parts.csv", list(parts[0]), parts)
    options = options_for(
        tmp_path, mask_use=mask_use, subset=tmp_path / "parts.csv", validation=True
    )
    if test_masks:
        options["test_masks"] = test_masks
    assert call(TRAINER, **options) == 0
    masked = (mask_use, test_masks) == ("replace", "arm")
    names = [row["id"] for row in wbc_data.rows("test")]
    test = wbc_data.pictures(names)
    if masked:
        test[::4] = wbc_data.pictures(names[::4], masked=True)
    np.testing.assert_array_equal(pixels_in(trained_on["test"]), test)
    assert trained_on["test"].labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    # Every other one, and so the second masked image of each class, whose mask the subset uses.
    names = [row["id"] for row in wbc_data.rows("train")][1::2]
    validation = wbc_data.pictures(names)
    if masked:
        validation[::4] = wbc_data.pictures(names[::4], masked=True)
    np.testing.assert_array_equal(pixels_in(trained_on["validation"]), validation)


def test_a_subset_trains_on_its_images_only(trained_on, options_for, wbc_data, files, tmp_path):
    rows = read_csv(files / "subset.csv")[::5]
    write_csv(tmp_path / "few.csv", ["id", "label", "mask"], rows)
    assert call(TRAINER, **options_for(tmp_path, subset=tmp_path / "few.csv")) == 0
    images = np.load(wbc_data.file("images.npy"))
    np.testing.assert_array_equal(pixels_in(trained_on["train"]), images[:24:5])
    assert len(trained_on["test"]) == 12


def test_encoders_start_from_their_checkpoints(trained_on, options_for, files, tmp_path):
    assert call(TRAINER, **options_for(tmp_path, COMBINED)) == 0
    encoders = trained_on["model"].encoders
    assert list(encoders) == ["pRCC_autoencoder", "resnet_cam16"]
    assert encoders["pRCC_autoencoder"].trained_blocks == ()
    assert encoders["resnet_cam16"].trained_blocks == ("layer4.0", "layer4.1")
    stored = torch.load(files / "fitting.pt")["state_dict"]
    assert torch.equal(encoders["pRCC_autoencoder"].latent.weight, stored["encoder.latent.weight"])
    assert trained_on["model"].head.in_features == 6 + 512


def test_an_autoencoder_of_another_image_size_is_one_line(options_for, tmp_path, capsys):
    options = options_for(tmp_path, COMBINED[:1], autoencoder="larger")
    line = failure(capsys, TRAINER, **options)
    assert "larger.pt takes images of 64 pixels, these have 32" in line
    assert "images.size" in line
    assert list(tmp_path.iterdir()) == []


def test_masks_without_their_files_are_one_line(options_for, tmp_path, capsys):
    options = options_for(tmp_path) | {"mask_use": "replace"}
    line = failure(capsys, TRAINER, **options)
    assert "--masked" in line


@pytest.mark.parametrize("name", ["index", "subset", "images", "masked", "encoder_checkpoints"])
def test_a_missing_input_is_one_line(options_for, tmp_path, capsys, name):
    options = options_for(tmp_path, mask_use="replace") | {name: tmp_path / "nowhere"}
    assert f"{tmp_path}/nowhere does not exist" in failure(capsys, TRAINER, **options)


def test_a_missing_table_beside_the_images_is_one_line(options_for, wbc_data, tmp_path, capsys):
    shutil.copy(wbc_data.file("images.npy"), tmp_path / "alone.npy")
    options = options_for(tmp_path) | {"images": tmp_path / "alone.npy"}
    assert "alone.csv does not exist" in failure(capsys, TRAINER, **options)


def test_a_diverged_run_is_a_state_not_a_crash(options_for, tmp_path, capsys):
    settings = TRAINING | {"learning_rate": 1e30, "epochs": 6, "schedule": "constant"}
    options = options_for(tmp_path, training=settings, validation=True)
    assert call(TRAINER, **options) == 0
    assert "lower the learning rate" in capsys.readouterr().err
    assert json.loads((tmp_path / "record.json").read_text())["state"] == "diverged"
    assert load_classifier(tmp_path / "checkpoint.pt")[1]["state"] == "diverged"
    assert len(read_csv(tmp_path / "history.csv")) < 6
    header = ",".join(["id", "label", "predicted", *(f"p_{name}" for name in CLASSES)])
    for name in ("predictions", "validation"):
        assert (tmp_path / f"{name}.csv").read_text() == header + "\n"
