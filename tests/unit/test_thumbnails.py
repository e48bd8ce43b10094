"""Small pictures inside a page."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from fewlabels.reporting.thumbnails import AGAINST, FOR, data_uri, overlay

HEAD = "data:image/webp;base64,"


def decoded(uri: str) -> np.ndarray:
    assert uri.startswith(HEAD)
    with Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(HEAD)))) as image:
        assert image.format == "WEBP"
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("size", "expected"), [((300, 200), (128, 85)), ((40, 40), (40, 40)), ((128, 256), (64, 128))]
)
def test_the_longer_side_is_bounded_and_small_ones_stay(size, expected):
    assert decoded(data_uri(np.zeros((*size, 3), np.uint8))).shape[:2] == expected


def test_colours_stay_and_files_are_small():
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[:, 64:] = 200, 40, 40
    found = decoded(data_uri(pixels))
    assert abs(found[64, 100] - (200, 40, 40)).max() < 12
    assert abs(found[64, 20]).max() < 12
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    assert len(data_uri(noise)) < 20_000


def test_orange_speaks_for_and_blue_against():
    values = np.zeros((3, 1))
    values[0], values[2] = 1, -1
    answer, nothing, label = overlay(np.full((3, 1, 3), 100, np.uint8), values)[:, 0].astype(int)
    assert nothing.tolist() == [132, 132, 132]
    assert abs(answer - FOR).sum() < abs(nothing - FOR).sum() / 2
    assert abs(label - AGAINST).sum() < abs(nothing - AGAINST).sum() / 2
    # Printed in grey they still differ.
    assert answer.mean() > label.mean() + 30
