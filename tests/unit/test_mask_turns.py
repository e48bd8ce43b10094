"""Masks of images that are stored turned."""

import numpy as np
import pytest
from mask_writers import disc
from PIL import Image, ImageOps

from fewlabels.data.file_formats import Stored
from fewlabels.data.mask_reading import MaskReading
from fewlabels.data.masks import decode_mask, read_mask, turn_of, upright_size

BLACK_ON_WHITE = MaskReading()
WIDE, TALL = (30, 20), (20, 30)


@pytest.mark.parametrize(
    ("image", "mask", "turned"),
    [
        (Stored(*WIDE, 1), Stored(*WIDE, 1), 1),
        (Stored(*WIDE, 6), Stored(*WIDE, 1), 6),  # stored as the image is
        (Stored(*WIDE, 6), Stored(*TALL, 1), 1),  # drawn on the upright image
        (Stored(*WIDE, 6), Stored(*WIDE, 8), 8),  # says it itself
        (Stored(*WIDE, 3), Stored(*WIDE, 1), None),
        (Stored(20, 20, 6), Stored(20, 20, 1), None),
        (Stored(*WIDE, 6), Stored(50, 50, 1), 1),
    ],
)
def test_sizes_tell_how_a_mask_is_turned(image, mask, turned):
    assert turn_of(image, mask) == turned


def test_the_config_says_how_masks_are_turned():
    image, mask = Stored(*WIDE, 3), Stored(*WIDE, 1)
    assert turn_of(image, mask, "upright") == 1
    assert turn_of(image, mask, "stored") == 3


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("tagged", [False, True])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_mask_is_turned_as_an_image_is(tmp_path, turned, tagged, suffix):
    mask = disc(3)[:, :25]
    exif = Image.Exif()
    exif[0x0112] = turned
    path = tmp_path / f"mask{suffix}"
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    image.save(path, **({"exif": exif} if tagged else {}))
    image.save(tmp_path / "image.png", exif=exif)
    with Image.open(tmp_path / "image.png") as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened)) >= 128
    found = decode_mask(path, BLACK_ON_WHITE, 50, turned)
    np.testing.assert_array_equal(found, expected)
    assert upright_size(read_mask(path, 50).stored, turned) == expected.shape[::-1]
