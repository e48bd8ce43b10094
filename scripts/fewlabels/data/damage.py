"""Damage of picture files that Pillow forgives: what it decodes without a word is looked at once more here.

JPEG data that ends early, leaves bytes over or breaks off between restart markers; PNG chunks whose checksum is wrong,
that are missing at the end, or that hold too little data; strips of a TIFF that lie behind the file's end, and JPEG
data within them; a GIF without its end. Harmless things are accepted: bytes behind a picture's end, unknown chunks.
Where a format has no checksum (BMP, uncompressed TIFF), bytes changed in place look like a picture's own.
"""

import re
import struct
import zlib
from collections.abc import Sequence
from typing import Literal, cast

import numpy as np
import simplejpeg
from PIL import Image, TiffImagePlugin

from fewlabels.core.errors import UserError

#: The bytes of a file.
Content = memoryview

#: What libjpeg says about data that is lost; its other remarks are about headers.
LOST_DATA = re.compile(
    r"Premature end of JPEG|Corrupt JPEG data: (?!bad ICC)"
    # Bytes too many between the headers hurt nothing; before the end, a restart or another scan data was lost.
    r"(?!\d+ extraneous bytes before marker 0x(?!d[0-79a]|c4))"
)
#: So many zero bytes in a row are no data of a JPEG: they make at least one block of a coefficient repeated.
HOLE = 24
SCAN, TABLES = 0xDA, 0xC4
BASELINE = (0xC0, 0xC1)  # frames of a JPEG, extended ones too
PNG_START = 8
#: Chunks that end a GIF's list of blocks, an extension, an image.
GIF_END, GIF_EXTENSION, GIF_IMAGE = 0x3B, 0x21, 0x2C
STRIPS, STRIP_BYTES, TILES, TILE_BYTES = 273, 279, 324, 325  # tags of a TIFF
COMPRESSION, JPEG_TABLES, JPEG_IN_TIFF = 259, 347, 7
DEFLATE = (8, 32946)


class UnusableImageError(Exception):
    """A file that is no image which this workflow can use; the message says why."""


class UnreadableFileError(UserError):
    """The disk, the system or the memory did not let a file be read, which says nothing of the file itself."""


class DamagedImageError(UnusableImageError):
    """A file that was an image once: part of its data is lost."""


def damaged(detail: str) -> DamagedImageError:
    return DamagedImageError(f"cannot be decoded whole, the file is damaged ({detail})")


def decode_jpeg(content: Content, colours: Literal["RGB", "GRAY"]) -> np.ndarray | None:
    """Decode a JPEG to uint8 (height, width, 3), or (height, width) in grey: the pixels that Pillow gives, and faster.

    Returns:
        The pixels as stored, or None for a kind of JPEG that this decoder does not take.

    Raises:
        DamagedImageError: part of the data is lost.
    """
    try:
        pixels = simplejpeg.decode_jpeg(content, colours)
    except ValueError as error:
        if LOST_DATA.match(str(error)):
            raise damaged(str(error)) from error
        return None
    return pixels[..., 0] if colours == "GRAY" else pixels


def check_jpeg(content: Content) -> None:
    """Check that no run of zeros lies in a JPEG's data where its code has no such run.

    In most files bits of zero stand for coefficients of grey: so many of them in a row that they fill a block, all of
    one value, are no picture. Where they end a block of any colour, or in a progressive file, this cannot be told.

    Raises:
        DamagedImageError: one does.
    """
    if _has_hole(content):
        raise damaged(f"{HOLE} bytes of the JPEG's data or more are zeros")


def _has_hole(content: Content) -> bool:
    zeros = _find(content, bytes(HOLE), 0)
    place, components, can_end = 2, 0, True
    while 0 < place < zeros:
        kind = content[place + 1]
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        segment = content[place + 4 : end]
        if kind in BASELINE:
            components = segment[5]
        elif kind == TABLES:
            can_end = can_end and _zeros_end_a_block(segment)
        elif kind == SCAN:
            # A scan of one colour alone may end every block by zeros.
            if can_end or segment[0] != components:
                return False
            return end <= _find(content, bytes(HOLE), end) < _find(content, b"\xff\xd9", end)
        place = _find(content, b"\xff", end)
    return False


def _find(content: Content, wanted: bytes, start: int) -> int:
    return cast(bytes, content.obj).find(wanted, start)


def _zeros_end_a_block(tables: Content) -> bool:
    """Whether the code of zeros alone ends a block in all tables of coefficients of a segment."""
    place, ends = 0, True
    while place + 17 < len(tables):
        if tables[place] >> 4 == 1:
            ends = ends and tables[place + 17] == 0
        place += 17 + sum(tables[place + 1 : place + 17])
    return ends


def _chunk_name(kind: bytes) -> str:
    """Four letters; in a broken file they may be anything, a new line too."""
    return kind.decode("ascii") if kind.isalpha() else kind.hex()


def check_png(content: Content) -> None:
    """Check that all chunks are there, with the right checksums.

    Raises:
        DamagedImageError: one is not.
    """
    place, kind = PNG_START, b""
    while kind != b"IEND":
        header = bytes(content[place : place + 8])
        if len(header) < 8:
            raise damaged(f"the PNG ends behind its chunk {_chunk_name(kind) or 'IHDR'}")
        length, kind = struct.unpack(">I4s", header)
        end = place + 8 + length
        checksum = bytes(content[end : end + 4])
        if len(checksum) < 4:
            raise damaged(f"the PNG ends within its chunk {_chunk_name(kind)}")
        if zlib.crc32(content[place + 4 : end]) != int.from_bytes(checksum, "big"):
            raise damaged(f"wrong checksum of the PNG's chunk {_chunk_name(kind)}")
        place = end + 4


def check_png_data(content: Content, image: Image.Image) -> None:
    """Check that a PNG holds data for all of its decoded pixels; what is missing, Pillow takes for zeros.

    Raises:
        DamagedImageError: it does not.
    """
    last_row = image.crop((0, image.height - 1, image.width, image.height))
    if last_row.tobytes().strip(b"\0") and not image.info.get("interlace"):
        return
    depth, colours = content[PNG_START + 16], content[PNG_START + 17]
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours]
    passes = [(0, 0, 1, 1)]
    if image.info.get("interlace"):
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
        passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    expected = 0
    for left, top, step_x, step_y in passes:
        columns = -((left - image.width) // step_x)
        rows = -((top - image.height) // step_y)
        expected += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    inflate, found = zlib.decompressobj(), 0
    for data in _png_data(content):
        found += len(inflate.decompress(data))
    if found < expected:
        raise damaged(f"the PNG holds {found} of {expected} bytes of its pixels")


def _png_data(content: Content) -> Sequence[Content]:
    place = PNG_START
    parts: list[Content] = []
    while place + 8 <= len(content):
        length, kind = struct.unpack(">I4s", content[place : place + 8])
        if kind == b"IDAT":
            parts.append(content[place + 8 : place + 8 + length])
        place += length + 12
    return parts


def check_gif(content: Content) -> int:
    """Follow the blocks of a GIF to its end, and give the number of its frames.

    Raises:
        DamagedImageError: the file ends before.
    """
    try:
        flags = content[10]
        place, frames = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0), 0
        while content[place] != GIF_END:
            if content[place] == GIF_EXTENSION:
                place += 2
            elif content[place] == GIF_IMAGE:
                flags = content[place + 9]
                place += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
                frames += 1
            elif content[place] == 0:  # a stray end of a block
                place += 1
                continue
            else:
                raise damaged(f"no block of a GIF begins at byte {place}")
            while content[place]:
                place += 1 + content[place]
            place += 1
    except IndexError:
        raise damaged("the GIF ends before its last block") from None
    return frames


def check_tiff(content: Content, image: TiffImagePlugin.TiffImageFile) -> None:
    """Check that the strips or tiles of an opened TIFF's page lie in the file, and whole JPEG data in each.

    Raises:
        DamagedImageError: they do not.
    """
    tags = image.tag_v2
    starts = tags.get(STRIPS) or tags.get(TILES) or ()
    lengths = tags.get(STRIP_BYTES) or tags.get(TILE_BYTES) or ()
    compression = tags.get(COMPRESSION, 1)
    for number, (start, length) in enumerate(zip(starts, lengths, strict=False), 1):
        # Of uncompressed strips some writers tell no or a wrong length, which Pillow does not need.
        if compression != 1 and start + length > len(content):
            raise damaged(f"part {number} of {len(starts)} of the TIFF lies behind the file's end")
        if compression in DEFLATE:
            _check_deflated_part(content[start : start + length], number)
        if compression == JPEG_IN_TIFF:
            _check_jpeg_part(
                bytes(content[start : start + length]), tags.get(JPEG_TABLES, b""), number
            )


def _check_deflated_part(part: Content, number: int) -> None:
    """Check that data ends, with its checksum; libtiff stops as soon as it has as many pixels as it needs."""
    try:
        inflate = zlib.decompressobj()
        inflate.decompress(part)
    except zlib.error as error:
        raise damaged(f"part {number} of the TIFF: {error}") from error
    if not inflate.eof:
        raise damaged(f"part {number} of the TIFF has no end")


def _check_jpeg_part(part: bytes, tables: bytes, number: int) -> None:
    """A strip or tile names the tables that all share; in front of it they make a JPEG file."""
    whole = tables[:-2] + part[2:] if tables else part
    try:
        _, _, colours, _ = simplejpeg.decode_jpeg_header(whole)
        simplejpeg.decode_jpeg(whole, "GRAY" if colours == "Gray" else "RGB")
    except ValueError as error:
        if LOST_DATA.match(str(error)):
            raise damaged(f"part {number} of the TIFF: {error}") from error
