"""What stands for white in files of more than 8 bits, decided for a data set and applied to its files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fewlabels.data.damage import UnusableImageError
from fewlabels.data.images import (
    decode_image,
    decode_square,
    pixel_hash,
    read_deep_image,
    read_image,
)
from fewlabels.data.intensities import (
    FULL_RANGE,
    Intensities,
    UnclearIntensitiesError,
    ValueRange,
    decide_intensities,
)


def whole(*highs: float) -> list[ValueRange]:
    return [ValueRange("integer", 0, high) for high in highs]


def written(path, values, dtype):
    Image.fromarray(np.array(values, dtype)).save(path)
    return path


@pytest.mark.parametrize(
    ("high", "white"),
    [
        *((0, 255), (255, 255), (256, 1023), (1023, 1023), (1024, 4095), (4095, 4095)),
        *((4096, 16383), (16384, 65535), (65535, 65535)),
    ],
)
def test_white_is_that_of_the_smallest_camera(high, white):
    decided = decide_intensities(whole(3, high))
    assert decided.integer_white == white
    assert (decided.chosen, decided.deep_files) == ("auto", 2)


def test_one_white_level_for_the_whole_set(tmp_path):
    """Of two images of one camera the darker one stays darker."""
    dark = written(tmp_path / "dark.tif", [[0, 1000]], np.uint16)
    bright = written(tmp_path / "bright.png", [[0, 4095]], np.uint16)
    files = [read_image(path, 50) for path in (dark, bright)]
    decided = decide_intensities(file.deep for file in files)
    assert np.asarray(decode_image(dark, 50, decided))[0, 1].tolist() == [62] * 3
    assert np.asarray(decode_image(bright, 50, decided))[0, 1].tolist() == [255] * 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled_by_their_full_range_as_ever(tmp_path, suffix):
    path = written(tmp_path / f"image{suffix}", [[0, 257, 200 * 257, 65535]], np.uint16)
    decided = decide_intensities([read_image(path, 50).deep])
    for intensities in (decided, FULL_RANGE):
        pixels = np.asarray(decode_image(path, 50, intensities))
        np.testing.assert_array_equal(pixels[0, :, 0], [0, 1, 200, 255])


def test_32_bit_integers_hold_16_bit_data(tmp_path):
    path = written(tmp_path / "image.tif", [[0, 257, 65535]], np.int32)
    assert read_image(path, 50).deep == ValueRange("integer", 0, 65535)
    np.testing.assert_array_equal(np.asarray(decode_image(path, 50))[0, :, 0], [0, 1, 255])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.2, 1.0], [0, 51, 255]),
        ([0.0, 0.2, 0.5], [0, 51, 128]),
        ([0.0, 51.4, 255.0], [0, 51, 255]),  # counts of 8 bits
        ([0.0, 819.0, 4095.0], [0, 51, 255]),  # of 12
    ],
)
def test_floating_point_values_are_shares_or_counts(tmp_path, values, expected):
    path = written(tmp_path / "image.tif", [values], np.float32)
    decided = decide_intensities([read_image(path, 50).deep])
    np.testing.assert_array_equal(np.asarray(decode_image(path, 50, decided))[0, :, 1], expected)


def test_shares_and_whole_numbers_in_one_set():
    decided = decide_intensities([*whole(4000), ValueRange("float", 0, 0.9, False)])
    assert (decided.integer_white, decided.float_white) == (4095, 1)
    decided = decide_intensities([*whole(900), ValueRange("float", 0, 4000, True)])
    assert (decided.integer_white, decided.float_white) == (4095, 4095)


@pytest.mark.parametrize(
    ("ranges", "remedy"),
    [
        ([ValueRange("float", 0, 1.2, False)], "white_level, as to 1.0"),
        (whole(70_000), "white_level to the value of white, as 70000"),
        ([ValueRange("float", 0, 1e6, False)], "as 1000000"),
    ],
)
def test_what_is_unclear_is_asked_for(ranges, remedy):
    with pytest.raises(UnclearIntensitiesError, match=remedy):
        decide_intensities(ranges)
    decided = decide_intensities(ranges, 100_000)
    assert (decided.integer_white, decided.float_white, decided.chosen) == (1e5, 1e5, "config")


def test_no_deep_file_needs_no_decision():
    assert decide_intensities([]) == FULL_RANGE
    assert decide_intensities([], 4095) == FULL_RANGE


def test_a_decision_goes_through_json():
    decided = decide_intensities(whole(4000), 5000)
    assert Intensities.from_json(decided.model_dump_json()) == decided


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_unusable(tmp_path, value):
    path = written(tmp_path / "image.tif", [[0.5, value]], np.float32)
    for read in (read_image, decode_image):
        with pytest.raises(UnusableImageError, match="no numbers or infinite"):
            read(path, 50)


@pytest.mark.parametrize(("value", "dtype"), [(-5, np.int32), (-0.5, np.float32)])
def test_negative_values_are_unusable(tmp_path, value, dtype):
    path = written(tmp_path / "image.tif", [[1, value]], dtype)
    for read in (read_image, decode_image):
        with pytest.raises(UnusableImageError, match=r"negative values \(down to -"):
            read(path, 50)


def test_what_the_index_says_of_a_deep_file(tmp_path):
    values = np.random.default_rng(0).integers(0, 4096, (20, 30))
    path = written(tmp_path / "image.tif", values, np.uint16)
    first = read_image(path, 50)
    assert (first.pixel_sha256, first.deep.high) == ("", values.max())
    decided = decide_intensities([first.deep])
    file = read_deep_image(path, first, decided, 50)
    image = decode_image(path, 50, decided)
    assert file.pixel_sha256 == pixel_hash(image)
    assert (file.blank, file.mask_like) == ("", False)
    square = decode_square(path, 30, "crop", 50, decided)
    assert np.asarray(square).max() > 200
    # By the full range it would be nearly black.
    assert read_deep_image(path, first, FULL_RANGE, 50).blank.startswith("nearly black")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    highs=st.lists(st.integers(1, 65535), min_size=1, max_size=5),
    values=st.lists(st.integers(0, 65535), min_size=2, max_size=20),
)
def test_order_and_range_are_kept(highs, values):
    decided = decide_intensities(whole(*highs))
    assert max(highs) <= decided.integer_white
    assert decided.integer_white in (255, 65535) or max(highs) * 4 >= decided.integer_white // 2
    scaled = decided.to_8_bits(np.array(sorted(values), np.int32))
    assert scaled.dtype == np.uint8
    assert (np.diff(scaled.astype(int)) >= 0).all()
    assert decided.to_8_bits(np.array([0, int(decided.integer_white)])).tolist() == [0, 255]
