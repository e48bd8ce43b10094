"""One rule of decoding, for every kind of image file."""

import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from builders import picture, save
from PIL import Image

from fewlabels.data import image_files
from fewlabels.data.images import (
    UnusableImageError,
    decode_image,
    decode_square,
    make_mask_square,
    make_square,
    pixel_hash,
    read_image,
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
    save(two_colours(), tmp_path / "image.ppm").rename(tmp_path / "image.png")
    with pytest.raises(
        UnusableImageError, match="none of JPEG, PNG, TIFF, BMP, WEBP, GIF, JPEG2000"
    ):
        decode_image(tmp_path / "image.png", 50)


FORMATS = ["JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "JPEG2000"]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("suffix", [".jpg", ".JFIF", ""])
def test_the_content_tells_the_format_whatever_the_ending(tmp_path, name, suffix):
    path = tmp_path / f"image{suffix}"
    Image.new("RGB", (16, 16), (90, 120, 200)).save(path, format=name)
    np.testing.assert_allclose(decoded(path), np.full((16, 16, 3), (90, 120, 200)), atol=6)
    assert read_image(path, 50).format == name


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


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_what_the_index_reads_is_what_decoding_gives(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"image{suffix}"
    picture((120, 60, 180), 1, (19, 7)).save(path, exif=exif)
    file, image = read_image(path, 50), decode_image(path, 50)
    assert file.stored == (19, 7, orientation)
    assert (file.width, file.height) == image.size
    assert file.pixel_sha256 == pixel_hash(image)
    assert file.file_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (file.pages, file.deep, file.blank, file.mask_like) == (1, None, "", False)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "YCbCr"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpegs_are_decoded_as_pillow_does_it(tmp_path, mode, subsampling, progressive):
    path = tmp_path / "image.jpg"
    options = {"quality": 85, "subsampling": subsampling, "progressive": progressive}
    picture((120, 60, 180), 1, (37, 21)).convert(mode).save(path, **options)
    expected = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_array_equal(decoded(path), expected)
    assert read_image(path, 50).pixel_sha256 == pixel_hash(Image.fromarray(expected))


def frames(count: int) -> list[Image.Image]:
    return [picture((90, 90, 90), number, (8, 8)) for number in range(count)]


@pytest.mark.parametrize("suffix", [".tif", ".gif", ".webp", ".png"])
@pytest.mark.parametrize("count", [1, 3])
def test_pages_are_counted(tmp_path, suffix, count):
    first, *others = frames(count)
    path = tmp_path / f"image{suffix}"
    first.save(path, save_all=True, append_images=others)
    assert read_image(path, 50).pages == count


@pytest.mark.parametrize(("kind", "count"), [(1, 1), (4, 1), (2, 2)])
def test_a_page_that_is_a_smaller_copy_is_none(tmp_path, kind, count):
    first, second = frames(2)
    second.encoderinfo = {"tiffinfo": {254: kind}}
    first.save(tmp_path / "image.tif", save_all=True, append_images=[second])
    assert read_image(tmp_path / "image.tif", 50).pages == count


@pytest.mark.parametrize(
    ("description", "said"),
    [
        ('<OME><Pixels SizeC="3" SizeZ="1"/></OME>', True),
        ('<OME><Pixels SizeC="1" SizeZ="3"/></OME>', False),
        ("ImageJ=1.53\nimages=3\nchannels=3\n", True),
        ("ImageJ=1.53\nimages=3\nslices=3\n", False),
    ],
)
def test_pages_that_are_channels(tmp_path, description, said):
    first, *others = frames(3)
    path = tmp_path / "image.tif"
    first.save(path, save_all=True, append_images=others, description=description)
    assert read_image(path, 50).channels_in_pages is said


def tiff_of_channels(channels: int) -> bytes:
    """An uncompressed TIFF of 2 x 2 pixels with so many channels of 8 bits."""
    tags = {
        256: 2,
        257: 2,
        258: 8,
        259: 1,
        262: 1,
        273: 200,
        277: channels,
        278: 2,
        279: 4 * channels,
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(200, b"\0") + bytes(range(4 * channels))


def test_more_channels_than_colours_are_named(tmp_path):
    (tmp_path / "image.tif").write_bytes(tiff_of_channels(5))
    with pytest.raises(UnusableImageError, match="TIFF of 5 channels"):
        read_image(tmp_path / "image.tif", 50)
    (tmp_path / "image.tif").write_bytes(tiff_of_channels(1))
    assert read_image(tmp_path / "image.tif", 50).width == 2


def test_a_kind_of_picture_that_is_not_read_is_told_the_same_way_each_time(tmp_path):
    content = tiff_of_channels(2).replace(
        struct.pack("<HHII", 258, 4, 1, 8), struct.pack("<HHII", 258, 4, 1, 3)
    )
    (tmp_path / "image.tif").write_bytes(content)
    with pytest.raises(
        UnusableImageError, match="TIFF whose header is broken, or of a kind that is not read"
    ):
        read_image(tmp_path / "image.tif", 50)


def test_a_large_file_is_mapped(tmp_path, monkeypatch):
    image = picture((90, 120, 60), 1, (9, 7))
    paths = [save(image, tmp_path / f"a{suffix}") for suffix in (".png", ".tif", ".jpg", ".gif")]
    read = [read_image(path, 50) for path in paths]
    monkeypatch.setattr(image_files, "MAPPED_BYTES", 10)
    assert [read_image(path, 50) for path in paths] == read


def test_every_file_is_opened_once_for_the_index(tmp_path, monkeypatch):
    path = save(picture((90, 120, 60), 1, (9, 7)), tmp_path / "image.png")
    opened = []
    really = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *mode: opened.append(self) or really(self, *mode)
    )
    read_image(path, 50)
    assert opened == [path]


def test_a_black_image_of_twelve_bits_in_colour_is_blank(tmp_path):
    """Pillow gives the upper 8 of 16 bits of a colour: of 12 bits 4 are left."""
    rows = bytes(1) + np.full((8, 3), 4095, ">u2").tobytes()
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows * 8)),
    ]
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in [*chunks, (b"IEND", b"")]:
        content += (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )
    (tmp_path / "image.png").write_bytes(content)
    assert read_image(tmp_path / "image.png", 50).blank == "nearly black: grey values 15 to 15"
