"""Images that belong to no data set: found below a folder or in a table, and decoded while a network runs."""

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from fewlabels.core.errors import UserError
from fewlabels.data.damage import UnreadableFileError
from fewlabels.data.file_formats import sniff_file
from fewlabels.data.image_tables import read_table
from fewlabels.data.images import UnusableImageError, decode_and_look, read_deep_range
from fewlabels.data.indexing import why_unusable
from fewlabels.data.intensities import (
    FULL_RANGE,
    Intensities,
    UnclearIntensitiesError,
    ValueRange,
    decide_intensities,
)
from fewlabels.data.walk import What, printable, walk

#: Why a file below a folder is no image to predict.
REASONS: dict[What, str] = {
    "foreign": "is a picture of a format that is not read: save it as PNG or TIFF",
    "no_picture": "is no picture",
    "litter": "is hidden, or left there by a system",
    "special_file": "is a pipe or a device",
    "link_loop": "is a link to a folder above it",
    "unreadable_folder": "is a folder that cannot be read: mend its permissions",
    "undecodable_name": "has a name that is no UTF-8: rename it",
}
#: Those among them that are nothing to worry about.
HARMLESS: tuple[What, ...] = ("no_picture", "litter")
#: Formats that may hold more than 8 bits.
DEEP_FORMATS = ("PNG", "TIFF", "JPEG2000")

#: Images that a thread decodes in one go: handing each over by itself keeps the network waiting.
CHUNK = 8

WhiteLevel = Literal["model", "auto"] | float


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to predict.

    Attributes:
        path: from the folder, or as the table has it.
        file: where it lies.
        label: of the table, as it stands there; empty where it has none.
    """

    path: str
    file: Path
    label: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not predicted.

    Attributes:
        reason: words that go on after its path.
        harmless: whether it is no image in the first place.
    """

    path: str
    reason: str
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder or a table names.

    Attributes:
        labelled: whether there is a column of labels.
    """

    images: list[NewImage]
    left_out: list[LeftOut]
    labelled: bool = False


def find_images(where: Path) -> Found:
    """Every picture below a folder, by name, or those that a table (path and, if wanted, label) names, as it does.

    Raises:
        UserError: there is no such folder or table, the table is none, or nothing in it is a picture.
    """
    if not where.exists():
        raise UserError(f"--images: {where} does not exist: give a folder of images, or a table")
    found = _in_table(where) if where.is_file() else _in_folder(where)
    if not found.images:
        seen = f" ({len(found.left_out)} other files)" if found.left_out else ""
        raise UserError(f"--images: {where} holds no picture{seen}: give another folder or table")
    return found


def _in_folder(folder: Path) -> Found:
    images, left_out = [], []
    for entry in sorted(walk(folder), key=lambda entry: entry.path):
        if entry.what == "image":
            images.append(NewImage(entry.path, folder / entry.path))
        elif entry.what != "folder":
            harmless = entry.what in HARMLESS
            left_out.append(LeftOut(printable(entry.path), REASONS[entry.what], harmless))
    return Found(images, left_out)


def _in_table(table: Path) -> Found:
    if sniff_file(table):
        raise UserError(
            f"--images: {table} is a picture: give the folder that it lies in, or a table"
        )
    rows = read_table(table, required=["path"])
    images = [NewImage(row.path, table.parent / row.path, row.label) for row in rows]
    return Found(images, [], any(row.label for row in rows))


@dataclass(frozen=True)
class Decoding:
    """How files become what a network sees; see :func:`fewlabels.data.images.decode_square`."""

    size: int
    resize: str
    max_megapixels: float = 50
    intensities: Intensities = FULL_RANGE


@dataclass(frozen=True, slots=True)
class Decoded:
    """One image, or why there is none.

    Attributes:
        pixels: uint8 (size, size, 3); None where ``problem`` says why.
        note: what is odd about it, and empty mostly.
    """

    image: NewImage
    pixels: np.ndarray | None
    note: str = ""
    problem: str = ""


def decode(image: NewImage, how: Decoding) -> Decoded:
    """Decode one file; whatever is wrong with it is told, not raised."""
    try:
        square = decode_and_look(
            image.file, how.size, how.resize, how.max_megapixels, how.intensities
        )
    except (UnusableImageError, UnreadableFileError) as error:
        return Decoded(image, None, problem=why_unusable(image.file, error))
    notes = [square.blank] if square.blank else []
    if square.pages > 1:
        notes.append(f"the first of {square.pages} pages")
    return Decoded(image, square.pixels, "; ".join(notes))


def decode_ahead(
    images: Iterable[NewImage],
    work: Callable[[NewImage], Decoded],
    threads: int,
    ahead: int,
) -> Generator[Decoded]:
    """Decode images in their order, by several threads, so many of them ahead of what was taken.

    At least ``CHUNK`` for each thread are, and at most ``CHUNK`` more than are wanted.
    """
    ahead = max(ahead, CHUNK * threads)

    def several(chunk: Sequence[NewImage]) -> list[Decoded]:
        return [work(image) for image in chunk]

    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[list[Decoded]]] = deque()
        left = iter(images)
        try:
            while chunk := list(islice(left, CHUNK)):
                waiting.append(pool.submit(several, chunk))
                if CHUNK * len(waiting) > ahead:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def choose_intensities(
    images: Sequence[NewImage],
    wanted: WhiteLevel,
    known: Intensities | None,
    max_megapixels: float,
    threads: int,
) -> Intensities:
    """What stands for white in the files of more than 8 bits among these images.

    Args:
        wanted: ``model``: as in the training images, or as ``auto`` where these had no such files; ``auto``: what all
            files of these images tell, which are read once more for it; or the value itself.
        known: of the training images.

    Raises:
        UserError: the values do not tell.
    """
    if isinstance(wanted, float):
        return Intensities(integer_white=wanted, float_white=wanted, chosen="config")
    if wanted == "model" and known is not None:
        return known

    def values(image: NewImage) -> ValueRange | None:
        try:
            if sniff_file(image.file) not in DEEP_FORMATS:
                return None
            return read_deep_range(image.file, max_megapixels)
        except (UnusableImageError, UnreadableFileError, OSError):
            return None  # told when it is decoded

    with ThreadPoolExecutor(threads) as pool:
        ranges = [found for found in pool.map(values, images) if found]
    try:
        decided = decide_intensities(ranges)
    except UnclearIntensitiesError as error:
        told = str(error).replace("datasets.<name>.white_level", "--white-level")
        raise UserError(f"--images: {told}") from None
    if ranges:
        logging.info(
            "%s: %g stands for white, as the training images do not say; see --white-level",
            decided.seen,
            decided.float_white if ranges[0].kind == "float" else decided.integer_white,
        )
    return decided
