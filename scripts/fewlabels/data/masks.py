"""Masks in files: what they hold, and what is foreground once their data set's reading is decided."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from fewlabels.data.damage import UnusableImageError
from fewlabels.data.file_formats import Stored
from fewlabels.data.image_files import LoadedFile, load_file, turn
from fewlabels.data.mask_reading import MaskOrientation, MaskReading
from fewlabels.data.mask_values import (
    OPAQUE,
    MaskFile,
    is_inside,
    measure,
    without_transparent,
)

__all__ = [
    "MaskFile",
    "decode_mask",
    "foreground_share",
    "read_mask",
    "turn_of",
    "upright_size",
]

COMPRESSION, JPEG_IN_TIFF = 259, (6, 7)


def read_mask(path: Path | str, max_megapixels: float) -> MaskFile:
    """Read and decode a mask once, and say what it holds.

    Raises:
        UnusableImageError: as :func:`fewlabels.data.images.decode_image`.
    """
    with load_file(path, max_megapixels) as file:
        values, alpha = _raw(file)
        indexed = alpha is not None and _is_indexed(file.image)
        return measure(
            values,
            alpha,
            grey=_grey(file.image) if indexed else values,
            file_sha256=hashlib.sha256(file.content).hexdigest(),
            stored=file.stored,
            lossless=_is_lossless(file),
            colours=_colours(file.image),
        )


def decode_mask(
    path: Path | str, reading: MaskReading, max_megapixels: float, turned: int | None = None
) -> np.ndarray:
    """Decode a mask to bool (height, width), True = foreground.

    Args:
        turned: the orientation that its pixels are stored in, from :func:`turn_of`; None: as the file itself says.

    Raises:
        UnusableImageError: as :func:`fewlabels.data.images.decode_image`; or it has no alpha channel, which ``reading``
            asks for.
    """
    with load_file(path, max_megapixels) as file:
        values, alpha = _raw(file)
        if reading.source in ("opaque", "transparent"):
            if alpha is None:
                raise UnusableImageError("has no alpha channel, which says what is foreground")
            mask = (alpha >= OPAQUE) == (reading.source == "opaque")
        else:
            mask = is_inside(without_transparent(values, alpha), reading.foreground)
        if turned is not None and file.stored.orientation == 1 and turned != 1:
            mask = np.asarray(turn(Image.fromarray(mask), turned))
        return mask


def foreground_share(file: MaskFile, reading: MaskReading) -> float:
    """The share of a mask's pixels that are foreground, from 0 to 1; nothing is decoded."""
    total = file.values.total
    if reading.source in ("opaque", "transparent"):
        opaque = file.painted.total if file.painted else 0
        return (opaque if reading.source == "opaque" else total - opaque) / total
    return file.values.inside(reading.foreground) / total


def turn_of(image: Stored, mask: Stored, wanted: MaskOrientation = "auto") -> int | None:
    """The EXIF orientation that a mask's pixels are stored in, 1 to 8.

    A mask that says it itself is believed. One that does not, of an image that is stored turned, is upright or turned
    as its image is: sizes tell it, where turning exchanges width and height.

    Args:
        wanted: what the config says of masks that do not say it.

    Returns:
        The orientation, or None where it cannot be told.
    """
    if mask.orientation != 1 or image.orientation == 1 or wanted == "upright":
        return mask.orientation
    if wanted == "stored":
        return image.orientation
    size = (mask.width, mask.height)
    upright, stored = image.upright_size(), (image.width, image.height)
    if size not in (upright, stored):
        return 1  # another size whichever way
    if upright == stored:
        return None
    return 1 if size == upright else image.orientation


def upright_size(stored: Stored, turned: int) -> tuple[int, int]:
    """Width and height of a mask whose pixels are stored in the orientation ``turned``."""
    return stored._replace(orientation=turned).upright_size()


def _is_lossless(file: LoadedFile) -> bool:
    if file.format == "TIFF":
        return file.compression not in JPEG_IN_TIFF
    if file.format == "WEBP":
        return b"VP8L" in bytes(file.content[:64])
    return file.format in ("PNG", "BMP", "GIF")


def _is_indexed(image: Image.Image) -> bool:
    """Whether an image has a palette with colours in it."""
    if image.mode not in ("P", "PA"):
        return False
    colours = _palette(image)
    return bool((colours != colours[:, :1]).any())


def _palette(image: Image.Image) -> np.ndarray:
    return np.array(image.getpalette("RGB") or [0, 0, 0]).reshape(-1, 3)


def _colours(image: Image.Image) -> dict[int, tuple[int, ...]]:
    """The colours of the indices that an image uses; none where its values are no indices."""
    if not _is_indexed(image):
        return {}
    palette = _palette(image).tolist()
    used = np.flatnonzero(np.bincount(_indices(image).ravel())).tolist()
    return {index: tuple(palette[index]) for index in used if index < len(palette)}


def _indices(image: Image.Image) -> np.ndarray:
    return np.asarray(image if image.mode == "P" else image.getchannel("P"))


def _raw(file: LoadedFile) -> tuple[np.ndarray, np.ndarray | None]:
    """Raw values (height, width), and alpha, uint8 of the same shape, where there is any."""
    if file.pixels is not None:
        grey = file.pixels.ndim == 2
        return (file.pixels if grey else np.asarray(file.picture().convert("L"))), None
    image, alpha = file.image, None
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    if _is_indexed(image):
        return _indices(image), alpha
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise UnusableImageError(
                "has pixels that are no numbers or infinite (NaN, inf): save it without"
            )
        return values, alpha
    return _grey(image), alpha


def _grey(image: Image.Image) -> np.ndarray:
    """The colours of an image of 8 bits in grey, transparent ones as they are: uint8 (height, width)."""
    if image.mode not in ("1", "L"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB").convert("RGB")
    return np.asarray(image.convert("L"))
