"""Images on which nothing can be seen, and masks among images."""

import numpy as np
import pytest
from builders import picture
from PIL import Image, ImageDraw

from fewlabels.data.looks import blankness, looks_like_mask


def noise(low: int, high: int, side: int = 90) -> np.ndarray:
    values = np.random.default_rng(0).integers(low, high + 1, (side, side, 3))
    return values.astype(np.uint8)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0, 0, "nearly black"),
        (0, 15, "nearly black"),
        (0, 40, ""),
        (239, 255, "nearly white"),
        (200, 255, ""),
        (100, 108, "nearly constant"),
        (100, 112, ""),
        (0, 255, ""),
    ],
)
def test_blankness(low, high, said):
    found = blankness(noise(low, high))
    assert found.startswith(said) if said else found == ""
    if said:
        assert found.endswith(f"grey values {low} to {high}")


def test_a_few_hot_pixels_are_nothing_to_see():
    pixels = noise(0, 9, 200)
    pixels[5, :4] = 255
    assert blankness(pixels).startswith("nearly black")


def test_a_small_cell_on_white_is_something():
    pixels = noise(245, 255, 200)
    pixels[50:60, 50:60] = (150, 60, 160)
    assert blankness(pixels) == ""


def test_colours_of_one_brightness_are_something():
    pixels = np.full((64, 64, 3), (150, 100, 100), np.uint8)
    pixels[:32] = (90, 130, 100)
    assert blankness(pixels) == ""


def mask(*levels: int, mode: str = "L", side: int = 120) -> Image.Image:
    image = Image.new("L", (side, side), levels[0])
    for number, level in enumerate(levels[1:]):
        ImageDraw.Draw(image).ellipse(
            [20 + 15 * number, 20, 100 - 15 * number, 90 - 10 * number], level
        )
    return image.convert(mode)


@pytest.mark.parametrize("levels", [(0, 255), (0, 1), (0, 127, 255), (255, 0), (0, 1, 2)])
def test_masks_look_like_masks(levels):
    assert looks_like_mask(np.asarray(mask(*levels, mode="RGB")))


@pytest.mark.parametrize("levels", [(0, 255), (0, 128, 255)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_masks_as_jpeg_look_like_masks(tmp_path, levels, mode):
    mask(*levels, mode=mode).save(tmp_path / "mask.jpg", quality=85)
    assert looks_like_mask(np.asarray(Image.open(tmp_path / "mask.jpg").convert("RGB")))


def test_coloured_masks_look_like_masks():
    assert looks_like_mask(np.array([[[0, 0, 0], [128, 0, 0]], [[0, 0, 0], [0, 128, 0]]], np.uint8))


@pytest.mark.parametrize(
    "pixels",
    [
        noise(0, 255),
        np.asarray(picture((200, 150, 200), 1, (80, 80))),
        np.asarray(picture((120, 120, 120), 1, (80, 80)).convert("L").convert("RGB")),
        np.repeat(np.tile(np.arange(256, dtype=np.uint8), (50, 1))[..., None], 3, 2),
        np.full((20, 20, 3), 90, np.uint8),
    ],
    ids=["noise", "coloured", "grey", "gradient", "constant"],
)
def test_images_do_not(pixels):
    assert not looks_like_mask(pixels)
