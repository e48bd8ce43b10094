"""Decoding images by one documented rule.

The rule, the same for training and prediction: a format is told by a file's content; the EXIF orientation is applied;
16-bit and 32-bit grey values and floating point values are scaled to 8 bits by the white level of their data set
(:mod:`fewlabels.data.intensities`); 16-bit colours by their upper 8 bits; transparency is laid over white; everything
else goes through Pillow's conversion to RGB. A file that is damaged (:mod:`fewlabels.data.damage`) is not used.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fewlabels.data.damage import DamagedImageError, UnusableImageError
from fewlabels.data.file_formats import IMAGE_FORMATS, IMAGE_SUFFIXES, Stored
from fewlabels.data.image_files import JPEGS, ORIENTATION, LoadedFile, load, load_file, opened
from fewlabels.data.intensities import FULL_RANGE, Intensities, ValueRange
from fewlabels.data.looks import blankness, looks_like_mask

__all__ = [
    "IMAGE_FORMATS",
    "IMAGE_SUFFIXES",
    "DamagedImageError",
    "ImageFile",
    "UnusableImageError",
    "decode_image",
    "decode_square",
    "make_mask_square",
    "make_square",
    "pixel_hash",
    "read_deep_image",
    "read_image",
    "to_rgb",
]

#: A JPEG may be decoded at reduced scale as long as it stays this many times the size that is wanted.
DRAFT_FACTOR = 2


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What the index needs to know of an image file, but for its pixels.

    Attributes:
        format: of :data:`IMAGE_FORMATS`.
        stored: size and orientation in the file.
        file_sha256: of the file's bytes.
        pixel_sha256: as :func:`pixel_hash`; empty for a deep file until :func:`read_deep_image` fills it.
        pages: pages of a TIFF that are no copies of another, or frames of a moving picture; only the first is used.
        channels_in_pages: whether the pages are said to be the channels of one picture.
        deep: the values of a file of more than 8 bits; None for all others.
        blank: what is wrong where nothing can be seen, such as ``nearly black``; empty where something can.
        mask_like: whether nearly all pixels are of two or three levels.
    """

    format: str
    stored: Stored
    file_sha256: str
    pixel_sha256: str
    pages: int
    channels_in_pages: bool
    deep: ValueRange | None
    blank: str
    mask_like: bool

    @property
    def width(self) -> int:
        """Of the upright image, in pixels."""
        return self.stored.upright_size()[0]

    @property
    def height(self) -> int:
        """Of the upright image, in pixels."""
        return self.stored.upright_size()[1]


def is_deep(image: Image.Image) -> bool:
    """Whether a picture has more than 8 bits of grey; its pixels need not be decoded."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def deep_range(image: Image.Image) -> ValueRange | None:
    """The values of a picture of more than 8 bits of grey; None of any other.

    Raises:
        UnusableImageError: some are no numbers, infinite or negative.
    """
    if not is_deep(image):
        return None
    values = np.asarray(image)
    floats = values.dtype.kind == "f"
    if floats and not np.isfinite(values).all():
        raise UnusableImageError(
            "has pixels that are no numbers or infinite (NaN, inf): save it with 0 in their place"
        )
    low, high = float(values.min()), float(values.max())
    if low < 0:
        raise UnusableImageError(
            f"has negative values (down to {low:g}): save it with black as 0, and all values above"
        )
    whole = not floats or bool((values == np.rint(values)).all())
    return ValueRange("float" if floats else "integer", low, high, whole)


def to_rgb(image: Image.Image, intensities: Intensities = FULL_RANGE) -> Image.Image:
    """Turn an image of any mode into 8-bit RGB by the rule of this module."""
    if is_deep(image):
        image = Image.fromarray(intensities.to_8_bits(np.asarray(image)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def read_image(path: Path | str, max_megapixels: float) -> ImageFile:
    """Read and decode a file once, for all that the index needs to know of it.

    Raises:
        UnusableImageError: as :func:`decode_image`.
    """
    with load_file(path, max_megapixels) as file:
        deep = None if file.pixels is not None else deep_range(file.image)
        facts = ImageFile(
            format=file.format,
            stored=file.stored,
            file_sha256=hashlib.sha256(file.content).hexdigest(),
            pixel_sha256="",
            pages=file.pages,
            channels_in_pages=file.channels_in_pages,
            deep=deep,
            blank="",
            mask_like=False,
        )
        return facts if deep else _with_looks(facts, _rgb_pixels(file))


def read_deep_image(
    path: Path | str, file: ImageFile, intensities: Intensities, max_megapixels: float
) -> ImageFile:
    """Fill in what is known of a deep file once the intensities of its data set are decided.

    Raises:
        UnusableImageError: as :func:`decode_image`.
    """
    return _with_looks(file, np.asarray(decode_image(path, max_megapixels, intensities)))


def _with_looks(file: ImageFile, pixels: np.ndarray) -> ImageFile:
    return replace(
        file,
        pixel_sha256=_hash_of(pixels),
        blank=blankness(pixels),
        mask_like=looks_like_mask(pixels),
    )


def decode_image(
    path: Path | str, max_megapixels: float, intensities: Intensities = FULL_RANGE
) -> Image.Image:
    """Decode a whole image file to 8-bit RGB, upright.

    Raises:
        UnusableImageError: the file is broken, damaged, too large, of a format other than :data:`IMAGE_FORMATS`,
            or has values that are none.
    """
    with load_file(path, max_megapixels) as file:
        return _rgb_image(file, intensities)


def _rgb_pixels(file: LoadedFile) -> np.ndarray:
    """The pixels of a file of 8 bits, uint8 (height, width, 3)."""
    if file.pixels is None:
        return np.asarray(to_rgb(file.image))
    if file.pixels.ndim == 2:
        return np.repeat(file.pixels[..., None], 3, axis=2)
    return file.pixels


def _rgb_image(file: LoadedFile, intensities: Intensities) -> Image.Image:
    if file.pixels is not None:
        image = Image.fromarray(file.pixels)
        # Of a picture that is RGB already this would make a copy.
        return image if image.mode == "RGB" else image.convert("RGB")
    deep_range(file.image)
    return to_rgb(file.image, intensities)


def pixel_hash(image: Image.Image) -> str:
    """SHA-256 of the size and the 8-bit RGB pixels: equal for equal pictures in different files."""
    return _hash_of(np.asarray(image))


def _hash_of(pixels: np.ndarray) -> str:
    digest = hashlib.sha256(f"{pixels.shape[1]}x{pixels.shape[0]}:".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def make_square(
    image: Image.Image, size: int, how: str, resample: Image.Resampling = Image.Resampling.BILINEAR
) -> Image.Image:
    """Resize to ``size`` x ``size`` pixels.

    Args:
        how: ``stretch`` both sides; ``crop`` the centre square; ``pad`` with black to a square.
        resample: bilinear (antialiased when shrinking) for images, nearest for masks.
    """
    if how == "crop":
        return ImageOps.fit(image, (size, size), method=resample)
    if how == "pad":
        return ImageOps.pad(image, (size, size), method=resample)
    if how == "stretch":
        return image.resize((size, size), resample=resample)
    raise ValueError(f"unknown way to make an image square: {how}")


def decode_square(
    path: Path | str,
    size: int,
    how: str,
    max_megapixels: float,
    intensities: Intensities = FULL_RANGE,
) -> Image.Image:
    """Decode an image file to 8-bit RGB of ``size`` x ``size`` pixels.

    The same as :func:`decode_image` and :func:`make_square`, but when it is to be stretched, a JPEG of at least
    four times the size is decoded at 1/2, 1/4 or 1/8 of its own, which takes a third of the time, and not looked
    through for damage. The mean absolute difference is below 1 grey value of 255.

    Raises:
        UnusableImageError: as :func:`decode_image`.
    """
    with opened(Path(path), max_megapixels) as (content, image):
        reduced = _decode_reduced(image, size, how)
        return reduced or make_square(_rgb_image(load(content, image), intensities), size, how)


def _decode_reduced(image: Image.Image, size: int, how: str) -> Image.Image | None:
    """A large JPEG that is to be stretched, decoded at a part of its size; None of any other picture."""
    if not (how == "stretch" and image.format in JPEGS and image.mode == "RGB"):
        return None
    width, height = image.size
    if image.getexif().get(ORIENTATION, 1) == 1:
        # libjpeg then averages blocks while it decodes.
        image.draft("RGB", (DRAFT_FACTOR * size, DRAFT_FACTOR * size))
    if image.size == (width, height):
        return None
    scale = round(width / image.width)
    # The last column and row of blocks may be partial: they count by the part that is image.
    box = (0, 0, width / scale, height / scale)
    return image.resize((size, size), resample=Image.Resampling.BILINEAR, box=box)


@dataclass(frozen=True, slots=True)
class SquareImage:
    """An image that belongs to no data set, and was looked at as those of data sets are.

    Attributes:
        pixels: uint8 (size, size, 3), as :func:`decode_square` gives them.
        pages: as of :class:`ImageFile`.
        blank: as of :class:`ImageFile`, of the square.
    """

    pixels: np.ndarray
    pages: int
    blank: str


def decode_and_look(
    path: Path | str, size: int, how: str, max_megapixels: float, intensities: Intensities
) -> SquareImage:
    """:func:`decode_square` of a file that was not indexed: it is looked through for damage first.

    Raises:
        UnusableImageError: as :func:`decode_image`, or the pages are the channels of one picture.
    """
    with opened(Path(path), max_megapixels) as (content, image):
        reduced = _decode_reduced(image, size, how)
        file = load(content, image)
        if file.channels_in_pages:
            raise UnusableImageError(
                "holds its colours as pages, which are not read: save it as one RGB picture"
            )
        pixels = np.asarray(reduced or make_square(_rgb_image(file, intensities), size, how))
        return SquareImage(pixels, file.pages, blankness(pixels))


def read_deep_range(path: Path | str, max_megapixels: float) -> ValueRange | None:
    """:func:`deep_range` of a file; one of 8 bits is not decoded.

    Raises:
        UnusableImageError: as :func:`decode_image`.
    """
    with opened(Path(path), max_megapixels) as (content, image):
        return deep_range(load(content, image).image) if is_deep(image) else None


def make_mask_square(mask: np.ndarray, size: int, how: str) -> np.ndarray:
    """Resize a boolean mask (height, width) to (size, size), nearest neighbour, as its image was."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(make_square(grey, size, how, Image.Resampling.NEAREST)) >= 128
