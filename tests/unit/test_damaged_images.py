"""Files that Pillow decodes without a word although part of them is lost, and files that only look odd."""

import io
import struct
import zlib

import numpy as np
import pytest
from builders import picture
from PIL import Image, TiffImagePlugin

from fewlabels.data.damage import DamagedImageError, UnreadableFileError, UnusableImageError
from fewlabels.data.images import decode_image, read_image
from fewlabels.data.masks import read_mask

SIZE = (48, 40)


def encoded(name: str, **options) -> bytes:
    held = io.BytesIO()
    mode = options.pop("mode", "RGB")
    picture((120, 90, 160), 1, SIZE).convert(mode).save(held, name, **options)
    return held.getvalue()


def behind_scan(content: bytes) -> int:
    """Where the compressed data of a JPEG's first scan begins."""
    start = content.index(b"\xff\xda")
    return start + 2 + int.from_bytes(content[start + 2 : start + 4], "big")


def zeroed(content: bytes, start: int, end: int) -> bytes:
    return content[:start] + bytes(end - start) + content[end:]


def jpeg_tail(share: float, keep: int = 2, **options) -> bytes:
    """A JPEG whose data is zeros behind some share of it; ``keep``: bytes kept at the end."""
    content = encoded("JPEG", **options)
    start = behind_scan(content)
    return zeroed(content, start + int((len(content) - start) * share), len(content) - keep)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(change=lambda data: data, interlaced: bool = False, before: bytes = b"") -> bytes:
    """A PNG of 9 x 7 grey pixels whose data is changed before it is compressed; checksums are right."""
    values = np.arange(63, dtype=np.uint8).reshape(7, 9) + 100
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    if interlaced:
        steps = [
            (0, 0, 8, 8),
            (0, 4, 8, 8),
            (4, 0, 8, 4),
            (0, 2, 4, 4),
            (2, 0, 4, 2),
            (0, 1, 2, 2),
            (1, 0, 2, 1),
        ]
        parts = [values[top::down, left::along] for top, left, down, along in steps]
        rows = b"".join(b"\0" + row.tobytes() for part in parts if part.size for row in part)
    header = struct.pack(">IIBBBBB", 9, 7, 8, 0, 0, 0, interlaced)
    data = zlib.compress(change(rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + before
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 0x10]) + content[place + 1 :]


PNG = png()
IDAT = PNG.index(b"IDAT") + 4


def tiff(compression: str | None, **options) -> bytes:
    return encoded("TIFF", compression=compression, **options)


def strips(content: bytes) -> list[tuple[int, int]]:
    image = Image.open(io.BytesIO(content))
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    return list(zip(image.tag_v2[273], image.tag_v2[279], strict=True))


def tiff_strip(compression: str, change, **options) -> bytes:
    """A TIFF one of whose strips is changed: its last."""
    content = tiff(compression, **options)
    start, length = strips(content)[-1]
    return content[:start] + change(content[start : start + length]) + content[start + length :]


def half_zeros(data: bytes) -> bytes:
    return zeroed(data, len(data) // 2, len(data))


def jpeg_strip_zeros(data: bytes) -> bytes:
    return zeroed(data, len(data) // 2, len(data) - 2)


def strip_behind_the_end(compression: str) -> bytes:
    """The directory first, as many programs write it, and the file cut in its last strip."""
    content = tiff(compression)
    start, length = strips(content)[-1]
    directory = struct.unpack("<I", content[4:8])[0]
    tags = bytearray(content[directory:])
    # The strip moves behind the directory; what tags point to lies in there too, so it moves as a whole.
    moved = bytearray(content) + content[start : start + length]
    for entry in range(struct.unpack("<H", tags[:2])[0]):
        place = directory + 2 + 12 * entry
        if struct.unpack("<H", moved[place : place + 2])[0] == 273:
            moved[place + 8 : place + 12] = struct.pack("<I", len(content))
    assert decoded_bytes(bytes(moved))
    return bytes(moved[: len(moved) - length // 3])


def decoded_bytes(content: bytes) -> bytes:
    return Image.open(io.BytesIO(content)).convert("RGB").tobytes()


DAMAGED = {
    "jpeg, most of it zeros": jpeg_tail(0.3),
    "jpeg, the last bytes zeros": jpeg_tail(0.9),
    "jpeg, zeros to the end": jpeg_tail(0.5, keep=0),
    "jpeg, a hole": zeroed(
        encoded("JPEG"), behind_scan(encoded("JPEG")) + 60, behind_scan(encoded("JPEG")) + 90
    ),
    "jpeg, cmyk": jpeg_tail(0.3, mode="CMYK", subsampling=2),
    "jpeg, grey": jpeg_tail(0.3, mode="L"),
    "jpeg, progressive": jpeg_tail(0.5, progressive=True),
    "jpeg, cut and ended": encoded("JPEG")[:900] + b"\xff\xd9",
    "jpeg, cut": encoded("JPEG")[:-9],
    "png, checksum of data": flipped(PNG, PNG.index(b"IEND") - 5),
    "png, checksum of header": flipped(PNG, PNG.index(b"IDAT") - 5),
    "png, no end": PNG[:-12],
    "png, end cut": PNG[:-2],
    "png, data zeros": zeroed(PNG, IDAT + 20, PNG.index(b"IEND") - 8),
    "png, too little data": png(lambda rows: rows[:33]),
    "png, too little data, interlaced": png(lambda rows: rows[:33], interlaced=True),
    "png, wrong checksum of what it holds": png(before=flipped(chunk(b"tEXt", b"a\0b"), 9)),
    "tiff, deflate": tiff_strip("tiff_adobe_deflate", half_zeros),
    "tiff, lzw": tiff_strip("tiff_lzw", half_zeros),
    "tiff, packbits": tiff_strip("packbits", half_zeros),
    "tiff, jpeg": tiff_strip("jpeg", jpeg_strip_zeros),
    "tiff, jpeg in grey": tiff_strip("jpeg", jpeg_strip_zeros, mode="L"),
    "tiff, strip cut off, deflate": strip_behind_the_end("tiff_adobe_deflate"),
    "tiff, strip cut off, lzw": strip_behind_the_end("tiff_lzw"),
    "tiff, strip cut off, jpeg": strip_behind_the_end("jpeg"),
    "tiff, raw, cut": tiff(None)[:-50],
    "bmp, cut": encoded("BMP")[:-50],
    "gif, no end": encoded("GIF")[:-1],
    "gif, cut": encoded("GIF")[:-40],
    "webp, cut": encoded("WEBP")[:-1],
    "webp lossless, cut": encoded("WEBP", lossless=True)[:-20],
    "jp2, cut": encoded("JPEG2000")[:-10],
    "jp2 stream, cut": encoded("JPEG2000", no_jp2=True)[:-10],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_unusable(tmp_path, name):
    path = tmp_path / "image"
    path.write_bytes(DAMAGED[name])
    for read in (read_image, decode_image, read_mask):
        with pytest.raises(UnusableImageError, match="cannot be decoded") as caught:
            read(path, 50)
        assert "\n" not in str(caught.value)


#: Pillow decodes these: no other check stands behind ours.
FORGIVEN = [
    *(
        "jpeg, most of it zeros",
        "jpeg, the last bytes zeros",
        "jpeg, a hole",
        "jpeg, grey",
        "jpeg, progressive",
    ),
    *(
        "jpeg, cut and ended",
        "png, checksum of data",
        "png, no end",
        "png, end cut",
        "tiff, deflate",
        "tiff, jpeg",
    ),
    *("tiff, jpeg in grey", "gif, no end"),
]


@pytest.mark.parametrize("name", FORGIVEN)
def test_what_pillow_forgives_is_called_damaged(tmp_path, name):
    assert decoded_bytes(DAMAGED[name])
    path = tmp_path / "image"
    path.write_bytes(DAMAGED[name])
    with pytest.raises(DamagedImageError, match="the file is damaged"):
        read_image(path, 50)


def without_jfif(content: bytes) -> bytes:
    """Without the marker that names the colours."""
    return content[:2] + content[20:]


def plain_jpeg(**options) -> bytes:
    """A JPEG of one colour, whose data repeats itself."""
    held = io.BytesIO()
    Image.new("RGB", (400, 400), (128, 128, 128)).save(held, "JPEG", **options)
    return held.getvalue()


HARMLESS = {
    "jpeg": encoded("JPEG"),
    "jpeg, one colour": plain_jpeg(),
    "jpeg, zeros that end blocks": plain_jpeg(optimize=True),
    "jpeg, zeros in a header": encoded("JPEG", comment=bytes(200)),
    "jpeg, progressive": encoded("JPEG", progressive=True),
    "jpeg, restarts": encoded("JPEG", restart_marker_blocks=2),
    "jpeg, zeros behind": encoded("JPEG") + bytes(100),
    "jpeg, words behind": encoded("JPEG") + b"made by a camera",
    "jpeg, another behind": encoded("JPEG") * 2,
    "jpeg, no marker of its kind": without_jfif(encoded("JPEG")),
    "jpeg, odd version": encoded("JPEG").replace(b"JFIF\0\x01\x01", b"JFIF\0\x07\x01"),
    "jpeg, cmyk": encoded("JPEG", mode="CMYK"),
    "jpeg, bytes between headers": encoded("JPEG")[:20] + b"\0\0" + encoded("JPEG")[20:],
    "png": PNG,
    "png, bytes behind": PNG + b"more",
    "png, interlaced": png(interlaced=True),
    "png, unknown chunk": png(before=chunk(b"abCd", b"what is this")),
    "png, too much data": png(lambda rows: rows + bytes(40)),
    "png, black last row": png(lambda rows: rows[:-10] + bytes(10)),
    "png, black": png(lambda rows: bytes(len(rows))),
    "png, black, interlaced": png(lambda rows: bytes(len(rows)), interlaced=True),
    **{
        f"tiff, {name}": tiff(name)
        for name in (None, "tiff_adobe_deflate", "tiff_lzw", "packbits", "jpeg")
    },
    "tiff, grey jpeg": tiff("jpeg", mode="L"),
    "tiff, bytes behind": tiff("tiff_lzw") + b"more",
    "gif": encoded("GIF"),
    "gif, bytes behind": encoded("GIF") + b"more",
    "gif, with a comment": encoded("GIF", comment=b"x" * 700),
    "bmp, bytes behind": encoded("BMP") + b"more",
    "webp, bytes behind": encoded("WEBP") + b"more",
    "jp2": encoded("JPEG2000"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_file_that_only_looks_odd_is_read(tmp_path, name):
    path = tmp_path / "image"
    path.write_bytes(HARMLESS[name])
    assert decode_image(path, 50).tobytes() == decoded_bytes(HARMLESS[name])
    assert read_image(path, 50).pages == 1


@pytest.mark.parametrize("name", ["RGB", "L", "P", "1", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("width", [1, 7, 8, 9])
def test_every_kind_of_png_holds_its_data(tmp_path, name, width):
    """Black ones, whose rows are looked at."""
    Image.new(name, (width, 5)).save(tmp_path / "image.png")
    assert read_image(tmp_path / "image.png", 50).width == width


def test_many_strips_and_tiles(tmp_path):
    image = picture((120, 90, 160), 1, (70, 90))
    image.save(tmp_path / "image.tif", compression="jpeg", tiffinfo={278: 16})
    assert len(strips((tmp_path / "image.tif").read_bytes())) > 1
    assert read_image(tmp_path / "image.tif", 50).width == 70


@pytest.mark.parametrize("kind", [b"IHD\n", b"\r\n\x1a\n", b"a\x1b[2"])
def test_a_chunk_of_any_name_is_told_in_one_line(tmp_path, kind):
    path = tmp_path / "cell.png"
    path.write_bytes(PNG[:8] + struct.pack(">I", 0) + kind + b"none" + PNG[8:])
    with pytest.raises(DamagedImageError) as told:
        read_image(path, 1)
    assert str(told.value).isprintable()
    assert kind.hex() in str(told.value)


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (PermissionError(13, "Permission denied"), "cannot be read (Permission denied)"),
        (OSError(5, "Input/output error"), "cannot be read (Input/output error)"),
        (MemoryError(), "memory ran out"),
    ],
)
def test_what_the_system_says_is_no_fault_of_the_file(tmp_path, monkeypatch, raised, words):
    path = tmp_path / "cell.png"
    path.write_bytes(PNG)

    def refuse(self, mode):
        raise raised

    monkeypatch.setattr("pathlib.Path.open", refuse)
    for read in (read_image, read_mask, decode_image):
        with pytest.raises(UnreadableFileError) as told:
            read(path, 1)
        assert words in str(told.value)
        assert str(path) in str(told.value)


def test_a_missing_file_is_a_fault_of_the_data_set(tmp_path):
    (tmp_path / "cell.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(UnusableImageError, match="cannot be decoded"):
        read_image(tmp_path / "cell.png", 1)
