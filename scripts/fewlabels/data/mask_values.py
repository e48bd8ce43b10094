"""What one mask file holds, in numbers small enough to keep for every mask of a data set. Nothing is opened here."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fewlabels.data.file_formats import Stored

#: So many values of a continuous mask are told apart; more are counted in as many steps.
MOST_VALUES = 4096
#: So few values of a file are levels or smooth edges, and no noise of compression.
FEW_VALUES = 8
#: A pixel and its neighbours are of one level where they differ by less than this share of the file's values.
FLAT = 1 / 16
#: Fewer pixels are no region.
SQUARE = 9
#: Alpha from here on is opaque.
OPAQUE = 128


@dataclass(frozen=True, slots=True)
class Counts:
    """Values, in order, and how many pixels have each."""

    values: np.ndarray
    pixels: np.ndarray

    @property
    def total(self) -> int:
        return int(self.pixels.sum())

    def inside(self, intervals: Iterable[tuple[float, float]]) -> int:
        """Pixels in any of some intervals, ends included."""
        return int(self.pixels[is_inside(self.values, intervals)].sum())


@dataclass(frozen=True, slots=True)
class MaskFile:
    """What a mask file holds.

    A raw value is the index into a palette that has colours; else the grey value as the file stores it, 16 bits and
    floating point included, 0 or 255 of a bilevel file, and that of a colour as Pillow's grey has it. Where alpha
    varies, transparent pixels have the value 0.

    Attributes:
        file_sha256: of the file's bytes.
        stored: size and orientation in the file.
        lossless: whether its compression keeps every value.
        colours: of the indices that are raw values, index -> red, green, blue; empty where raw values are none.
        values: of all pixels.
        flat: values of those whose eight neighbours are alike; edges have none.
        between: pixels halfway between the darkest and the brightest region, by a quarter of their distance each way.
        boundary: pairs of neighbours on either side of the middle.
        painted: grey values of the opaque pixels, as their colours have it; None without alpha.
        alpha: lowest and highest alpha, 0 to 255; None without alpha.
    """

    file_sha256: str
    stored: Stored
    lossless: bool
    colours: dict[int, tuple[int, ...]]
    values: Counts
    flat: Counts
    between: int
    boundary: int
    painted: Counts | None
    alpha: tuple[int, int] | None

    @property
    def alpha_varies(self) -> bool:
        return self.alpha is not None and self.alpha[0] < self.alpha[1]

    @property
    def span(self) -> float:
        """From the lowest value to the highest."""
        return float(self.values.values[-1]) - float(self.values.values[0])


def is_inside(values: np.ndarray, intervals: Iterable[tuple[float, float]]) -> np.ndarray:
    """Whether values of any shape lie in any of some intervals, ends included: bool of the same shape."""
    found = np.zeros(values.shape, bool)
    for low, high in intervals:
        found |= (values >= low) & (values <= high)
    return found


def count_values(values: np.ndarray) -> Counts:
    """Count the values of an array of any shape; a continuous one's in :data:`MOST_VALUES` steps."""
    if values.dtype == np.uint8:
        pixels = np.bincount(values.ravel(), minlength=256)
        found = np.flatnonzero(pixels)
        return Counts(found.astype(np.uint8), pixels[found])
    found, pixels = np.unique(values, return_counts=True)
    if found.size > MOST_VALUES:
        steps = np.linspace(0, found.size - 1, MOST_VALUES).astype(int)
        pixels = np.add.reduceat(pixels, steps)
        found = found[steps]
    return Counts(found, pixels)


def pool(counts: Iterable[Counts]) -> Counts:
    """The counts of several files together."""
    parts = list(counts)
    values, place = np.unique(np.concatenate([part.values for part in parts]), return_inverse=True)
    pixels = np.zeros(values.size, np.int64)
    np.add.at(pixels, place.ravel(), np.concatenate([part.pixels for part in parts]))
    return Counts(values, pixels)


def measure(
    values: np.ndarray,
    alpha: np.ndarray | None,
    *,
    grey: np.ndarray,
    file_sha256: str,
    stored: Stored,
    lossless: bool,
    colours: dict[int, tuple[int, ...]],
) -> MaskFile:
    """Say what a mask holds.

    Args:
        values: raw, of shape (height, width).
        alpha: uint8 of the same shape, or None.
        grey: of the same shape, what the colours of indices are in grey; else the values.
    """
    painted = None if alpha is None else count_values(grey[alpha >= OPAQUE])
    values = without_transparent(values, alpha)
    counts = count_values(values)
    flat, between, boundary = counts, 0, 0
    if counts.values.size > 2:
        span = float(counts.values[-1]) - float(counts.values[0])
        few = counts.values.size <= FEW_VALUES
        flat = count_values(_flat_pixels(values, 0 if few else FLAT * span))
        low, high = _both_sides(flat, counts)
        middle, quarter = (low + high) / 2, (high - low) / 4
        near = np.abs(counts.values - middle) < quarter
        between = int(counts.pixels[near].sum())
        upper = values >= middle
        boundary = int(np.count_nonzero(upper[1:] != upper[:-1]))
        boundary += int(np.count_nonzero(upper[:, 1:] != upper[:, :-1]))
    return MaskFile(
        file_sha256=file_sha256,
        stored=stored,
        lossless=lossless,
        colours=colours,
        values=counts,
        flat=flat,
        between=between,
        boundary=boundary,
        painted=painted,
        alpha=None if alpha is None else (int(alpha.min()), int(alpha.max())),
    )


def _both_sides(flat: Counts, counts: Counts) -> tuple[float, float]:
    """The lowest and the highest value of regions; of all pixels where regions are of one side only."""
    if flat.total >= 2 * SQUARE:
        reached = np.cumsum(flat.pixels)
        low = float(flat.values[np.searchsorted(reached, SQUARE)])
        high = float(flat.values[np.searchsorted(reached, flat.total - SQUARE, side="right")])
        if high - low > (float(counts.values[-1]) - float(counts.values[0])) / 4:
            return low, high
    return float(counts.values[0]), float(counts.values[-1])


def without_transparent(values: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Raw values (height, width) with 0 where alpha, if it varies, is transparent."""
    if alpha is None or alpha.min() == alpha.max():
        return values
    return np.where(alpha >= OPAQUE, values, np.zeros((), values.dtype))


def _flat_pixels(values: np.ndarray, tolerance: float) -> np.ndarray:
    """The values of pixels whose neighbourhood of 3 x 3 differs by at most ``tolerance``; none at the border."""
    if min(values.shape) < 3:
        return values[:0].ravel()
    highest, lowest = values, values
    for axis in (0, 1):
        parts = [
            np.take(highest, range(start, highest.shape[axis] - 2 + start), axis)
            for start in range(3)
        ]
        others = [
            np.take(lowest, range(start, lowest.shape[axis] - 2 + start), axis)
            for start in range(3)
        ]
        highest = np.maximum(np.maximum(parts[0], parts[1]), parts[2])
        lowest = np.minimum(np.minimum(others[0], others[1]), others[2])
    return values[1:-1, 1:-1][highest - lowest <= tolerance]
