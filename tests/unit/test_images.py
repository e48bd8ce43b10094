"""One rule of decoding, for every kind of image file."""

import struct

import numpy as np
import pytest
from builders import picture, save
from PIL import Image

from fewlabels.data.images import (
    UnusableImageError,
    decode_image,
    decode_mask,
    decode_square,
    make_mask_square,
    make_square,
    pixel_hash,
)

RED, GREEN, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 0), (255, 255, 255)


def decoded(path, limit=50) -> np.ndarray:
    image = decode_image(path, limit)
    assert image.mode == "RGB"
    return np.asarray(image)


def two_colours() -> Image.Image:
    """4 x 2 pixels: the left half red, the right half green."""
    image = Image.new("RGB", (4, 2), RED)
    image.paste(GREEN, (2, 0, 4, 2))
    return image


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff"])
def test_lossless_files_keep_every_pixel(tmp_path, suffix):
    image = picture((120, 60, 180), 1, (9, 7))
    path = save(image, tmp_path / f"image{suffix}")
    np.testing.assert_array_equal(decoded(path), np.asarray(image))


def test_jpeg_is_near(tmp_path):
    path = save(Image.new("RGB", (16, 16), (90, 120, 200)), tmp_path / "image.jpg")
    np.testing.assert_allclose(decoded(path), np.full((16, 16, 3), (90, 120, 200)), atol=3)


@pytest.mark.parametrize(
    ("orientation", "first_row"),
    [
        (1, [RED, RED, GREEN, GREEN]),
        (2, [GREEN, GREEN, RED, RED]),  # mirrored
        (3, [GREEN, GREEN, RED, RED]),  # upside down
        (6, [RED, RED]),  # a quarter to the right: the left side is on top
        (8, [GREEN, GREEN]),  # a quarter to the left: the right side is on top
    ],
)
def test_exif_orientation_is_applied(tmp_path, orientation, first_row):
    image = two_colours()
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "image.png", exif=exif)
    pixels = decoded(tmp_path / "image.png")
    assert [tuple(map(int, pixel)) for pixel in pixels[0]] == first_row


def test_rgba_lies_over_white(tmp_path):
    # 255 (1 - a) + v a with a = 128/255: 127 of white, 128/255 of the value.
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 0))
    image.putpixel((1, 0), (255, 0, 0, 255))
    image.putpixel((2, 0), (0, 0, 0, 128))
    pixels = decoded(save(image, tmp_path / "image.png"))
    np.testing.assert_array_equal(pixels[0, :2], [WHITE, RED])
    np.testing.assert_allclose(pixels[0, 2], 127, atol=1)


def test_grey_with_alpha_lies_over_white(tmp_path):
    image = Image.new("LA", (2, 1), (0, 0))
    image.putpixel((1, 0), (40, 255))
    np.testing.assert_array_equal(
        decoded(save(image, tmp_path / "image.png"))[0], [WHITE, (40, 40, 40)]
    )


def test_transparent_palette_entry_lies_over_white(tmp_path):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*BLACK, *GREEN])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "image.png", transparency=0)
    np.testing.assert_array_equal(decoded(tmp_path / "image.png")[0], [WHITE, GREEN])


def test_palette_without_transparency(tmp_path):
    image = Image.new("P", (2, 1), 0)
    image.putpalette([*BLACK, *GREEN])
    image.putpixel((1, 0), 1)
    np.testing.assert_array_equal(decoded(save(image, tmp_path / "image.png"))[0], [BLACK, GREEN])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_scaled_by_its_full_range(tmp_path, suffix):
    values = np.array([[0, 257, 200 * 257, 65535]], np.uint16)
    path = save(Image.fromarray(values), tmp_path / f"image{suffix}")
    np.testing.assert_array_equal(decoded(path)[0, :, 0], [0, 1, 200, 255])


def test_32_bit_integers_hold_16_bit_data(tmp_path):
    values = np.array([[0, 257, 65535, 70000, -5]], np.int32)
    path = save(Image.fromarray(values, "I"), tmp_path / "image.tif")
    np.testing.assert_array_equal(decoded(path)[0, :, 0], [0, 1, 255, 255, 0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0.0, 0.2, 1.0], [0, 51, 255]), ([-3.0, 51.4, 300.0], [0, 51, 255])],
)
def test_float_is_taken_as_a_share_where_it_fits(tmp_path, values, expected):
    path = save(Image.fromarray(np.array([values], np.float32)), tmp_path / "image.tif")
    np.testing.assert_array_equal(decoded(path)[0, :, 1], expected)


def test_cmyk(tmp_path):
    image = Image.new("CMYK", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 255, 255, 0))
    np.testing.assert_array_equal(decoded(save(image, tmp_path / "image.tif"))[0], [WHITE, RED])


def test_1_bit(tmp_path):
    image = Image.new("1", (2, 1), 0)
    image.putpixel((1, 0), 1)
    np.testing.assert_array_equal(decoded(save(image, tmp_path / "image.png"))[0], [BLACK, WHITE])


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_a_truncated_file_is_unusable(tmp_path, suffix):
    path = save(picture((90, 90, 90), 1, (64, 64)), tmp_path / f"image{suffix}")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(UnusableImageError, match="cannot be decoded"):
        decode_image(path, 50)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\xff\xd8\xff\xe0"])
def test_a_file_that_is_no_image_is_unusable(tmp_path, content):
    (tmp_path / "image.jpg").write_bytes(content)
    with pytest.raises(UnusableImageError) as caught:
        decode_image(tmp_path / "image.jpg", 50)
    assert "\n" not in str(caught.value)


def test_a_format_that_is_not_listed_is_unusable(tmp_path):
    save(two_colours(), tmp_path / "image.gif").rename(tmp_path / "image.png")
    with pytest.raises(UnusableImageError):
        decode_image(tmp_path / "image.png", 50)


def test_the_limit_of_megapixels(tmp_path):
    path = save(Image.new("1", (2000, 1000)), tmp_path / "image.png")
    assert decode_image(path, 2.0).size == (2000, 1000)
    with pytest.raises(UnusableImageError, match=r"2\.0 megapixels.*max_megapixels = 1\.9"):
        decode_image(path, 1.9)


@pytest.mark.parametrize("side", [9_500, 14_000, 30_000])
def test_the_limit_is_that_of_the_config_even_for_huge_images(tmp_path, side):
    """Pillow has limits of its own, at 89 and 179 megapixels; they must not speak instead of ours."""
    path = tmp_path / "image.bmp"
    # A 1-bit BMP that says it is huge; its pixels are never read.
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 1, 0, 0, 0, 0, 2, 0)
    path.write_bytes(
        b"BM" + struct.pack("<IHHI", 62, 0, 0, 62) + header + b"\0\0\0\0\xff\xff\xff\0"
    )
    with pytest.raises(UnusableImageError, match=r"more than images\.max_megapixels = 50"):
        decode_image(path, 50)


def test_a_higher_limit_lets_a_huge_image_through(tmp_path):
    path = save(Image.new("1", (9_500, 9_500)), tmp_path / "image.png")
    assert decode_image(path, 91).size == (9_500, 9_500)


def test_pixel_hash_is_that_of_the_picture_not_of_the_file(tmp_path):
    image = picture((120, 60, 180), 1, (9, 7))
    png, bmp = save(image, tmp_path / "a.png"), save(image, tmp_path / "b.bmp")
    assert png.read_bytes() != bmp.read_bytes()
    assert pixel_hash(decode_image(png, 50)) == pixel_hash(decode_image(bmp, 50))


def test_pixel_hash_tells_pictures_apart():
    image = picture((120, 60, 180), 1, (8, 6))
    other = image.copy()
    other.putpixel((0, 0), BLACK)
    reshaped = Image.frombytes("RGB", (6, 8), image.tobytes())
    assert len({pixel_hash(image), pixel_hash(other), pixel_hash(reshaped)}) == 3


def test_stretch_keeps_all_crop_the_middle_pad_adds_black():
    # 8 x 4: quarters red, green, green, red.
    image = Image.new("RGB", (8, 4), RED)
    image.paste(GREEN, (2, 0, 6, 4))
    nearest = Image.Resampling.NEAREST
    stretched = np.asarray(make_square(image, 4, "stretch", nearest))
    np.testing.assert_array_equal(stretched[0], [RED, GREEN, GREEN, RED])
    np.testing.assert_array_equal(
        np.asarray(make_square(image, 4, "crop", nearest)), np.full((4, 4, 3), GREEN)
    )
    padded = np.asarray(make_square(image, 8, "pad", nearest))
    assert not padded[[0, 1, 6, 7]].any()
    np.testing.assert_array_equal(padded[2:6], np.asarray(image))


def test_shrinking_averages():
    image = Image.fromarray(np.tile(np.array([[0, 255]], np.uint8), (64, 32))).convert("RGB")
    small = np.asarray(make_square(image, 8, "stretch"))
    np.testing.assert_allclose(small, 127.5, atol=8)


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="squeeze"):
        make_square(two_colours(), 4, "squeeze")


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("size", [(40, 30), (30, 40)])
def test_a_mask_stays_on_its_image(how, size):
    """A white square on black and its mask go through the same resizing to the same place."""
    image = Image.new("RGB", size, BLACK)
    image.paste(WHITE, (10, 10, 22, 25))
    mask = np.asarray(image.convert("L")) >= 128
    square = np.asarray(make_square(image, 32, how).convert("L")) >= 128
    moved = make_mask_square(mask, 32, how)
    assert moved.dtype == bool
    assert moved.any()
    assert (moved != square).mean() < 0.05


def test_a_shrunken_mask_takes_values_and_does_not_average():
    # One column in four is foreground; the middle of every four is taken.
    mask = np.tile(np.array([False, False, True, False]), (16, 4))
    assert make_mask_square(mask, 4, "stretch").all()


def test_mask_resizing_is_nearest_neighbour():
    mask = np.array([[True, False], [False, True]])
    expected = np.kron(mask, np.ones((2, 2), bool))
    np.testing.assert_array_equal(make_mask_square(mask, 4, "stretch"), expected)


def test_mask_threshold(tmp_path):
    values = np.array([[0, 127, 128, 255]], np.uint8)
    path = save(Image.fromarray(values), tmp_path / "mask.png")
    assert decode_mask(path, 128, 50).tolist() == [[False, False, True, True]]
    assert decode_mask(path, 127, 50).tolist() == [[False, True, True, True]]
    assert decode_mask(path, 255, 50).tolist() == [[False, False, False, True]]


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_mask_of_any_mode(tmp_path, mode):
    expected = np.zeros((6, 8), bool)
    expected[2:5, 1:6] = True
    image = Image.fromarray(expected.astype(np.uint8) * 255).convert(mode)
    np.testing.assert_array_equal(decode_mask(save(image, tmp_path / "m.png"), 128, 50), expected)


def test_mask_with_jpeg_noise(tmp_path):
    expected = np.zeros((32, 48), bool)
    expected[5:22, 11:37] = True
    image = Image.fromarray(expected.astype(np.uint8) * 255)
    image.save(tmp_path / "mask.jpg", quality=75)
    values = np.asarray(Image.open(tmp_path / "mask.jpg"))
    assert len(np.unique(values)) > 2
    mask = decode_mask(tmp_path / "mask.jpg", 128, 50)
    assert mask.shape == (32, 48)
    np.testing.assert_array_equal(mask, expected)


def test_a_broken_mask_is_unusable(tmp_path):
    (tmp_path / "mask.png").write_bytes(b"nothing")
    with pytest.raises(UnusableImageError):
        decode_mask(tmp_path / "mask.png", 128, 50)


def smooth(size: tuple[int, int]) -> Image.Image:
    """A picture with detail at every scale, as photographs have."""
    generator = np.random.default_rng(0)
    layers = [
        np.asarray(
            Image.fromarray(generator.integers(0, 256, (n, n, 3), dtype=np.uint8)).resize(
                size, Image.Resampling.BICUBIC
            ),
            float,
        )
        for n in (4, 16, 64, 256)
    ]
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))


@pytest.mark.parametrize("size", [(512, 512), (1003, 1001), (777, 1203)])
def test_a_large_jpeg_decoded_at_reduced_scale_is_the_same_picture(tmp_path, size):
    path = tmp_path / "image.jpg"
    smooth(size).save(path, quality=92)
    expected = np.asarray(make_square(decode_image(path, 50), 64, "stretch"), float)
    found = np.asarray(decode_square(path, 64, "stretch", 50), float)
    difference = np.abs(found - expected)
    assert 0 < difference.mean() < 1
    assert difference.max() < 12
    # Shifted by half a pixel, the picture differs by more.
    shifted = Image.open(path).transform(
        size, Image.Transform.AFFINE, (1, 0, size[0] / 128, 0, 1, 0)
    )
    moved = np.asarray(make_square(shifted, 64, "stretch"), float)
    assert np.abs(moved - expected).mean() > 2 * difference.mean()


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("name", ["small.jpg", "turned.jpg", "image.png", "grey.jpg"])
def test_other_images_are_decoded_in_full(tmp_path, how, name):
    """A JPEG less than four times as large, one that EXIF turns, other formats and modes."""
    path, picture = tmp_path / name, smooth((240, 250) if name == "small.jpg" else (512, 300))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = picture.convert("L") if name == "grey.jpg" else picture
    picture.save(path, **({"exif": exif} if name == "turned.jpg" else {}))
    expected = make_square(decode_image(path, 50), 64, how)
    assert decode_square(path, 64, how, 50).tobytes() == expected.tobytes()
