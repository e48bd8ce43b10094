"""Fixtures of the unit tests: small data sets and weights, made once and only read."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest
from builders import SIDE, Prepared, call, prepare, write_labelled
from heeded_signals import heeded_signals  # noqa: F401 (a fixture for all tests)

from fewlabels.core.files import write_csv
from fewlabels.data.pictures import COLUMNS, table_rows

# One thread for torch, as in the scripts. It is not imported here, so that tests without it start at once.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """Imported modules are never rubbish, and statsmodels looks for some in every family of tests: 0.15 s each time."""
    gc.freeze()


@pytest.fixture(scope="session")
def wbc_data(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Three classes: 8 training images each, two of them with a mask, and 4 test images, one with a mask."""
    base = tmp_path_factory.mktemp("wbc")
    raw = write_labelled(base / "raw", {"train": 8, "val": 4}, {"train": 2, "val": 1})
    return prepare(raw, base / "out", {"train": "train", "test": "val"})


@pytest.fixture(scope="session")
def prcc_data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Twenty indexed and packed images without labels, as options: 12 dark ones and 8 bright ones.

    Every fourth is a test image: three dark ones and two bright ones.
    """
    folder = tmp_path_factory.mktemp("prcc")
    pixels = np.random.default_rng(0).integers(0, 90, (20, SIDE, SIDE, 3), dtype=np.uint8)
    pixels[12:] += 150
    np.save(folder / "images.npy", pixels)
    ids = [f"kidney{n:02}.jpg" for n in range(20)]
    write_csv(folder / "images.csv", COLUMNS, table_rows(ids, "plain"))
    splits = ["test" if place % 4 == 3 else "train" for place in range(20)]
    write_csv(
        folder / "index.csv",
        ["id", "split", "label", "mask"],
        [{"id": name, "split": split} for name, split in zip(ids, splits, strict=True)],
    )
    return {"images": folder / "images.npy", "index": folder / "index.csv"}


@pytest.fixture(scope="session")
def resnet_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of torchvision's ResNet-18, as fetch_weights writes them."""
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    options = {"backbone": "imagenet_resnet18", "model": "torchvision/resnet18"}
    assert call("fetch_weights", **options, weights="random", image_size=SIDE, output=path) == 0
    return path
