"""Gathering the images of a run, with masks used as the arm says, and writing its files."""

import argparse
import json
import time

import numpy as np
import pytest
import torch
from fewlabels.data.packed_images import PackedImages
from image_sets import CPU, images_of, pixels_in
from torch import nn

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.training import run_files as runs

CLASSES = ["b", "a"]
#: Image k is filled with k, its masked copy with 100 + k; images 1 and 3 have one.
IMAGES = PackedImages(
    np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8),
    {f"image{n}": n for n in range(5)},
)
MASKED = PackedImages(
    np.array([103, 101], np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8),
    {"image3": 0, "image1": 1},
)
SAMPLES = [
    runs.Sample("image3", "a", True),
    runs.Sample("image0", "b", True),  # its mask had no foreground: there is no masked copy
    runs.Sample("image1", "b", False),  # its mask is not of this subset
    runs.Sample("image4", "a", False),
]


def select(mask_use: str, samples=SAMPLES, masked=MASKED) -> tuple[list[int], list[int]]:
    images = runs.select(samples, CLASSES, IMAGES, masked, mask_use, CPU)
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
    assert select(mask_use, masked=None) == ([3, 0, 1, 4], [1, 0, 0, 1])
    empty = PackedImages(np.zeros((0, 2, 2, 3), np.uint8), {})
    assert select(mask_use, masked=empty) == ([3, 0, 1, 4], [1, 0, 0, 1])


def test_replacing_leaves_the_packed_images_alone():
    before = IMAGES.array.copy()
    select("replace")
    np.testing.assert_array_equal(IMAGES.array, before)


def test_evaluated_images_are_never_doubled():
    assert [runs.test_mask_use(use) for use in ("off", "replace", "append")] == [
        *("off", "replace", "off")
    ]


def test_samples_of_a_split():
    index = [
        {"id": "a", "label": "x", "mask": "m.png", "split": "test"},
        {"id": "b", "label": "y", "mask": "", "split": "test"},
        {"id": "c", "label": "y", "mask": "", "split": "train"},
    ]
    assert runs.split_samples(index, "test") == [
        runs.Sample("a", "x", True),
        runs.Sample("b", "y", False),
    ]


def test_only_applied_masks_are_opened(tmp_path):
    np.save(tmp_path / "masked.npy", MASKED.array)
    write_csv(
        tmp_path / "ids.csv",
        ["id", "state", "row"],
        [
            {"id": "image0", "state": "kept"},
            {"id": "image3", "state": "applied", "row": 0},
            {"id": "image1", "state": "applied", "row": 1},
        ],
    )
    opened = runs.open_masked(tmp_path / "masked.npy", tmp_path / "ids.csv")
    assert opened.row_of == {"image3": 0, "image1": 1}
    np.testing.assert_array_equal(opened.rows(["image1"]), MASKED.array[1:])


def test_masks_need_their_files(tmp_path):
    np.save(tmp_path / "images.npy", IMAGES.array)
    write_csv(tmp_path / "ids.csv", ["id"], [{"id": name} for name in IMAGES.row_of])
    arguments = argparse.Namespace(
        images=tmp_path / "images.npy",
        ids=tmp_path / "ids.csv",
        masked=None,
        masked_ids=None,
        mask_use="off",
    )
    images, masked = runs.open_images(arguments)
    assert images.row_of == IMAGES.row_of
    assert masked is None
    arguments.mask_use = "replace"
    with pytest.raises(UserError, match="--mask-use replace needs --masked and --masked-ids"):
        runs.open_images(arguments)


class Fixed(nn.Module):
    """Gives the logits (0, ln 3) to every image: probabilities 1/4 and 3/4."""

    def forward(self, images: torch.Tensor, activations: dict) -> torch.Tensor:
        return torch.tensor([0.0, 3.0]).clamp(min=1).log().expand(len(images), 2)


def test_predictions(tmp_path):
    images = images_of(IMAGES.array[:2], np.array([0, 1]))
    runs.write_predictions(tmp_path / "p.csv", ["x", "y"], images, CLASSES, Fixed(), CPU)
    rows = read_csv(tmp_path / "p.csv")
    assert list(rows[0]) == ["id", "label", "predicted", "p_b", "p_a"]
    assert [(row["id"], row["label"], row["predicted"]) for row in rows] == [
        ("x", "b", "a"),
        ("y", "a", "a"),
    ]
    for row in rows:
        assert (float(row["p_b"]), float(row["p_a"])) == pytest.approx((0.25, 0.75), rel=1e-5)


def test_a_history_has_the_columns_of_its_rows(tmp_path):
    runs.write_history(tmp_path / "h.csv", [{"epoch": 1, "loss": 1 / 3}, {"epoch": 2, "loss": 0.0}])
    assert (tmp_path / "h.csv").read_text() == "epoch,loss\n1,0.3333333\n2,0\n"


def test_a_record(tmp_path):
    runs.write_record(
        tmp_path / "r.json", CPU, time.perf_counter() - 2, training_images=30, epochs=4
    )
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["training_images"] == 30
    assert record["epochs"] == 4
    assert 2 <= record["seconds"] < 60
    assert record["device"] == "cpu"


def test_encoders_are_read_from_json():
    recipe = [{"encoder": "resnet_cam16", "trained": ["layer4"]}]
    assert runs.parse_encoders(json.dumps(recipe)) == recipe
