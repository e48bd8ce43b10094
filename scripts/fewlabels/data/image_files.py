"""Opening and decoding picture files, each by its content, once, and whole. No other module opens one."""

import errno
import io
import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from fewlabels.data.damage import (
    COMPRESSION,
    Content,
    UnreadableFileError,
    UnusableImageError,
    check_gif,
    check_jpeg,
    check_png,
    check_png_data,
    check_tiff,
    decode_jpeg,
)
from fewlabels.data.decoding_room import ROOM
from fewlabels.data.file_formats import HEAD, IMAGE_FORMATS, Stored, sniff

ORIENTATION = 0x0112  # EXIF's key, and a TIFF's tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
JPEGS = ("JPEG", "MPO")
#: Larger files are mapped into memory, not read into it.
MAPPED_BYTES = 128 * 2**20
#: Tags of a TIFF.
SUBFILE, WIDTH, HEIGHT, DESCRIPTION, CHANNELS = 254, 256, 257, 270, 277
#: Pages of a TIFF that repeat another: smaller, or as its transparency.
REPEATING_PAGE = 0b101
MANY_CHANNELS = 4
#: How OME and ImageJ say that pages are the channels of one picture.
PAGES_ARE_CHANNELS = re.compile(r'SizeC="(?!1")\d+"|^channels=(?!1$)\d+', re.MULTILINE)

#: Numbers of errors that are the file's own fault: decoders give none, and a link may lead nowhere.
FAULTS_OF_THE_FILE = (None, errno.ENOENT, errno.ENOTDIR, errno.ELOOP)

# Pillow's own limits would speak before the config's, which is checked before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None


@dataclass
class LoadedFile:
    """A decoded file: upright, by its own orientation, in the file's own mode.

    Attributes:
        content: the file's bytes.
        image: as Pillow holds it; not decoded where ``pixels`` are given.
        pixels: of an 8-bit JPEG, uint8 (height, width, 3), or (height, width) in grey.
        compression: a TIFF's tag.
    """

    format: str
    stored: Stored
    content: Content
    image: Image.Image
    pixels: np.ndarray | None
    pages: int
    channels_in_pages: bool
    compression: int = 1

    def picture(self) -> Image.Image:
        """The picture as Pillow's image."""
        return self.image if self.pixels is None else Image.fromarray(self.pixels)


@contextmanager
def _content(path: Path) -> Iterator[Content]:
    with path.open("rb") as handle:
        if handle.seek(0, io.SEEK_END) > MAPPED_BYTES:
            yield memoryview(mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ))
        else:
            handle.seek(0)
            yield memoryview(handle.read())


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Turn what decoders raise on a broken file, which is of many types, into one; what the system says stays apart."""
    try:
        yield
    except UnusableImageError:
        raise
    except MemoryError as error:
        raise UnreadableFileError(
            f"memory ran out while {path} was decoded: give the job more (mem_mb), or fewer threads"
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno not in FAULTS_OF_THE_FILE:
            raise UnreadableFileError(
                f"{path} cannot be read ({error.strerror}): mend its permissions or the disk, or move it away"
            ) from error
        detail = " ".join(str(error).split()) or type(error).__name__
        raise UnusableImageError(f"cannot be decoded ({detail})") from error


def _stream(content: Content) -> io.BytesIO:
    """A file of what was read, or the mapped file itself."""
    held = content.obj
    if isinstance(held, mmap.mmap):
        held.seek(0)
        return cast(io.BytesIO, held)
    return io.BytesIO(held)


def _open(content: Content) -> Image.Image:
    """Read a picture's header; no pixel is decoded."""
    if not content:
        raise UnusableImageError("cannot be decoded (the file is empty)")
    found = sniff(bytes(content[:HEAD]))
    if found is None:
        raise UnusableImageError(
            f"cannot be decoded (its content is none of {', '.join(IMAGE_FORMATS)})"
        )
    if found == "PNG":
        check_png(content)
    if found == "JPEG":
        check_jpeg(content)
    if found == "TIFF":
        _check_channels(next(_tiff_pages(content)))
    try:
        return Image.open(_stream(content), formats=(found,))
    except UnidentifiedImageError as error:
        raise UnusableImageError(
            f"cannot be decoded (a {found} whose header is broken, or of a kind that is not read)"
        ) from error


def _tiff_pages(content: Content) -> Iterator[TiffImagePlugin.ImageFileDirectory_v2]:
    """The tags of every page, also of those that Pillow cannot decode."""
    stream = _stream(content)
    tags = TiffImagePlugin.ImageFileDirectory_v2(stream.read(16 if content[2] in b"+" else 8))
    seen: set[int] = set()
    while tags.next and tags.next not in seen:
        seen.add(tags.next)
        stream.seek(tags.next)
        tags.load(stream)
        yield tags


def _check_channels(tags: TiffImagePlugin.ImageFileDirectory_v2) -> None:
    """Say what a TIFF has too much of: Pillow leaves channels out, or cannot identify the file."""
    channels = tags.get(CHANNELS, 1)
    if channels > MANY_CHANNELS:
        raise UnusableImageError(
            f"is a TIFF of {channels} channels, of which no picture in colours can be made: "
            "save those that count as an RGB picture"
        )


def _stored(image: Image.Image) -> Stored:
    """Of a picture whose pixels are not decoded yet: afterwards Pillow has turned a TIFF already."""
    orientation = image.getexif().get(ORIENTATION, 1)
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        width, height = image.tag_v2[WIDTH], image.tag_v2[HEIGHT]
    return Stored(width, height, orientation if orientation in range(1, 9) else 1)


def _count_pages(image: Image.Image, content: Content) -> int:
    if image.format == "GIF":
        return check_gif(content)
    if image.format == "TIFF":
        whole = [not tags.get(SUBFILE, 0) & REPEATING_PAGE for tags in _tiff_pages(content)]
        return max(1, sum(whole))
    # Cameras store smaller copies of a JPEG behind it, which makes it an MPO.
    return 1 if image.format in JPEGS else getattr(image, "n_frames", 1)


@contextmanager
def opened(path: Path, max_megapixels: float) -> Iterator[tuple[Content, Image.Image]]:
    """Open a file, and give its bytes and its header; no pixel is decoded.

    Raises:
        UnusableImageError: as :func:`load_file`; also for whatever decoders raise within the block.
        UnreadableFileError: the system did not let the file be read, or memory ran out.
    """
    with _reported(path), _content(path) as content:
        image = _open(content)
        megapixels = image.width * image.height / 1e6
        if megapixels > max_megapixels:
            raise UnusableImageError(
                f"has {megapixels:.1f} megapixels, more than images.max_megapixels = {max_megapixels:g}"
            )
        with ROOM.take(megapixels):
            yield content, image


def load(content: Content, image: Image.Image) -> LoadedFile:
    """Decode a file that is opened.

    Raises:
        DamagedImageError: part of its data is lost. Decoders raise more, of many types.
    """
    stored = _stored(image)
    pages = _count_pages(image, content)
    file_format = "JPEG" if image.format in JPEGS else str(image.format)
    description, compression = "", 1
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        check_tiff(content, image)
        description = str(image.tag_v2.get(DESCRIPTION, ""))
        compression = image.tag_v2.get(COMPRESSION, 1)
    pixels = None
    if file_format == "JPEG" and image.mode in ("RGB", "L"):
        pixels = decode_jpeg(content, "RGB" if image.mode == "RGB" else "GRAY")
    if pixels is None:
        image.load()  # decodes the whole file: a truncated one raises here
        if file_format == "PNG":
            check_png_data(content, image)
        if file_format != "TIFF":
            image = turn(image, stored.orientation)
    elif stored.orientation != 1:
        pixels = np.asarray(turn(Image.fromarray(pixels), stored.orientation))
    channels_in_pages = pages > 1 and PAGES_ARE_CHANNELS.search(description) is not None
    return LoadedFile(
        file_format, stored, content, image, pixels, pages, channels_in_pages, compression
    )


@contextmanager
def load_file(path: Path | str, max_megapixels: float) -> Iterator[LoadedFile]:
    """Open a file once, and decode it whole.

    Raises:
        UnusableImageError: the file is broken, too large, or of none of :data:`IMAGE_FORMATS`; also for whatever
            decoders raise within the block.
    """
    with opened(Path(path), max_megapixels) as (content, image):
        yield load(content, image)


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """Make a picture upright that is stored in an EXIF orientation, 1 to 8."""
    method = TURNS.get(orientation)
    return image if method is None else image.transpose(method)
