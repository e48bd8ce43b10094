"""Gathering the images of a run, with masks used as the arm says, and writing its files."""

import argparse
import json
import time

import numpy as np
import pytest
import torch
from builders import SIDE, TRAINING, write_autoencoder
from image_sets import CPU, pixels_in

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.settings import TrainingSettings
from fewlabels.data.pictures import COLUMNS, Pictures, table_rows
from fewlabels.networks.classifier import Classifier
from fewlabels.training import run_files

CLASSES = ["b", "a"]
SETTINGS = TrainingSettings(**TRAINING)


def filled(*values: int) -> np.ndarray:
    """Images of one value each."""
    return np.array(values, np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)


#: Image k is filled with k, its masked copy with 100 + k; images 1 and 3 have one.
IMAGES, MASKED = filled(0, 1, 2, 3, 4), filled(103, 101)
PLAIN_ROWS = {(f"image{n}", "plain"): n for n in range(5)}
PLAIN = Pictures([IMAGES], PLAIN_ROWS)
BOTH = Pictures([IMAGES, MASKED], PLAIN_ROWS | {("image3", "masked"): 5, ("image1", "masked"): 6})
SAMPLES = [
    run_files.Sample("image3", "a", True),
    run_files.Sample("image0", "b", True),  # its mask had no foreground: there is no masked copy
    run_files.Sample("image1", "b", False),  # its mask is not of this subset
    run_files.Sample("image4", "a", False),
]


def select(mask_use: str, samples=SAMPLES, source=BOTH) -> tuple[list[int], list[int]]:
    images = run_files.select(samples, CLASSES, source, mask_use, CPU, SETTINGS)
    pixels = pixels_in(images)
    assert pixels.dtype == np.uint8
    assert images.labels.dtype == torch.int64
    assert pixels.shape[1:] == (2, 2, 3)
    return pixels[:, 0, 0, 0].tolist(), images.labels.tolist()


@pytest.mark.parametrize(
    ("mask_use", "values", "labels"),
    [
        ("off", [3, 0, 1, 4], [1, 0, 0, 1]),
        ("replace", [103, 0, 1, 4], [1, 0, 0, 1]),
        ("append", [3, 0, 1, 4, 103], [1, 0, 0, 1, 1]),
    ],
)
def test_images_with_masks_of_the_subset_only(mask_use, values, labels):
    assert select(mask_use) == (values, labels)


@pytest.mark.parametrize("mask_use", ["replace", "append"])
def test_without_any_mask_nothing_changes(mask_use):
    assert select(mask_use, SAMPLES[1:]) == ([0, 1, 4], [0, 0, 1])
    assert select(mask_use, source=PLAIN) == ([3, 0, 1, 4], [1, 0, 0, 1])
    empty = Pictures([IMAGES, np.zeros((0, 2, 2, 3), np.uint8)], PLAIN_ROWS)
    assert select(mask_use, source=empty) == ([3, 0, 1, 4], [1, 0, 0, 1])


def test_replacing_leaves_the_packed_images_alone():
    before = IMAGES.copy()
    select("replace")
    np.testing.assert_array_equal(IMAGES, before)


def test_evaluated_images_are_never_doubled():
    assert [run_files.test_mask_use(use) for use in ("off", "replace", "append")] == [
        *("off", "replace", "off")
    ]


def test_samples_of_a_split():
    index = [
        {"id": "a", "label": "x", "mask": "m.png", "split": "test"},
        {"id": "b", "label": "y", "mask": "", "split": "test"},
        {"id": "c", "label": "y", "mask": "", "split": "train"},
        {"id": "d", "label": "y", "mask": "", "split": "validation"},
    ]
    assert run_files.split_samples(index, "test") == [
        run_files.Sample("a", "x", True),
        run_files.Sample("b", "y", False),
    ]


@pytest.fixture
def arguments(tmp_path):
    """What add_image_arguments reads, with files of both kinds; image 0 has a mask that was not applied."""
    np.save(tmp_path / "images.npy", IMAGES)
    write_csv(
        tmp_path / "images.csv", COLUMNS, table_rows([f"image{n}" for n in range(5)], "plain")
    )
    np.save(tmp_path / "masked.npy", MASKED)
    write_csv(
        tmp_path / "masked.csv",
        [*COLUMNS, "state"],
        [
            {"id": "image0", "kind": "masked", "state": "kept"},
            {"id": "image3", "kind": "masked", "state": "applied", "row": 0},
            {"id": "image1", "kind": "masked", "state": "applied", "row": 1},
        ],
    )
    parser = argparse.ArgumentParser()
    run_files.add_image_arguments(parser)
    images = ["--index", "index.csv", "--images", str(tmp_path / "images.npy")]
    masked = ["--masked", str(tmp_path / "masked.npy")]
    return lambda *words: parser.parse_args(
        [*images, *(masked if "--mask-use" in words else []), *words]
    )


def test_only_applied_masks_are_opened(arguments):
    opened = run_files.open_images(arguments("--mask-use", "replace"))
    assert {key for key in opened.row_of if key[1] == "masked"} == {
        ("image3", "masked"),
        ("image1", "masked"),
    }
    np.testing.assert_array_equal(opened.rows([("image1", "masked")]), MASKED[1:])
    np.testing.assert_array_equal(opened.rows([("image1", "plain")]), IMAGES[1:2])


def test_masks_need_their_file(arguments):
    assert run_files.open_images(arguments()).row_of == PLAIN_ROWS
    without = arguments("--mask-use", "replace")
    without.masked = None
    with pytest.raises(UserError, match="--mask-use replace needs --masked"):
        run_files.open_images(without)


def test_masks_that_are_off_are_not_opened(arguments):
    off = arguments("--mask-use", "off")
    off.masked = "nowhere.npy"
    assert run_files.open_images(off).row_of == PLAIN_ROWS


def test_predictions(tmp_path):
    logits = torch.tensor([1.0, 3.0]).log().expand(2, 2)
    labels = torch.tensor([0, 1])
    run_files.write_predictions(tmp_path / "p.csv", ["x", "y"], labels, logits, CLASSES)
    rows = read_csv(tmp_path / "p.csv")
    assert list(rows[0]) == ["id", "label", "predicted", "p_b", "p_a"]
    assert [(row["id"], row["label"], row["predicted"]) for row in rows] == [
        ("x", "b", "a"),
        ("y", "a", "a"),
    ]
    for row in rows:
        assert (float(row["p_b"]), float(row["p_a"])) == pytest.approx((0.25, 0.75), rel=1e-5)


def test_a_history_has_the_columns_of_its_rows(tmp_path):
    run_files.write_history(
        tmp_path / "h.csv", [{"epoch": 1, "loss": 1 / 3}, {"epoch": 2, "loss": 0.0}]
    )
    assert (tmp_path / "h.csv").read_text() == "epoch,loss\n1,0.3333333\n2,0\n"


def test_a_record(tmp_path):
    run_files.write_record(
        tmp_path / "r.json", CPU, time.perf_counter() - 2, training_images=30, epochs=4
    )
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["training_images"] == 30
    assert record["epochs"] == 4
    assert 2 <= record["seconds"] < 60
    assert record["device"] == "cpu"


def test_a_history_without_any_epoch_has_its_columns(tmp_path):
    run_files.write_history(tmp_path / "h.csv", [])
    assert (tmp_path / "h.csv").read_text() == (
        "epoch,steps,train_loss,train_accuracy,test_loss,test_accuracy\n"
    )


def test_predictions_without_images_have_their_columns(tmp_path):
    run_files.write_predictions(tmp_path / "p.csv", [], None, None, CLASSES)
    assert (tmp_path / "p.csv").read_text() == "id,label,predicted,p_b,p_a\n"


def test_encoders_are_loaded_in_order_with_their_blocks_opened(tmp_path):
    files = [write_autoencoder(tmp_path / f"{seed}.pt", seed) for seed in (1, 2)]
    choices = [
        {"encoder": "one", "trained": ["conv2"], "batch_norm": "frozen"},
        {"encoder": "two", "trained": "all", "batch_norm": "trained"},
    ]
    encoders = run_files.load_encoders(choices, files, SIDE)
    assert {
        name: (encoder.trained_blocks, encoder.batch_norm) for name, encoder in encoders.items()
    } == {"one": (("conv2",), "frozen"), "two": (("conv1", "conv2", "latent"), "trained")}
    for path, encoder in zip(files, encoders.values(), strict=True):
        stored = torch.load(path)["state_dict"]["encoder.latent.weight"]
        assert torch.equal(encoder.latent.weight, stored)
    described = run_files.classifier_metadata(
        argparse.Namespace(
            checkpoint="models/mine.pt",
            resize="crop",
            training=SETTINGS,
            seed=7,
            mask_use="append",
        ),
        CLASSES,
        Classifier(encoders, 2),
        SIDE,
    )
    assert [entry.pop("encoder") for entry in described.pop("encoders")] == ["one", "two"]
    assert described == {
        "model": "mine",
        "classes": CLASSES,
        "image_size": SIDE,
        "resize": "crop",
        "mask_use": "append",
        "training": SETTINGS.plain(),
        "seed": 7,
        "state": "complete",
    }
