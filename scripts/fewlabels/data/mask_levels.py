"""The levels that the values of masks gather at, told from noise of compression, smooth edges and continuous values.

Inside a region of one level, neighbours are alike; at smooth edges they are not. So levels are looked for among
the flat pixels, and what lies between levels is compared with the length of the edges.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from fewlabels.data.mask_values import FEW_VALUES, SQUARE, Counts, MaskFile, pool

#: In steps of 8 bits: values of one level lie no further from each other.
GAP = 8
#: In steps of 8 bits: noise around one level is no wider.
WIDEST = 64
#: A level of a noisy file has this share of its pixels at least.
SMALLEST = 0.0005
#: Smooth edges have so many pixels halfway between both sides, per pair of neighbours that the edge parts, ...
EDGE_WIDTH = 1.5
#: ... and no more than this share of all pixels.
EDGES = 0.25
#: A file with a smaller share of the set's span holds one level, and noise.
VARIED = 0.25


class Level(NamedTuple):
    """Values that lie together: their mean by number of pixels, the lowest, the highest, and the number."""

    centre: float
    low: float
    high: float
    pixels: int


def listed(values: Iterable[float] | np.ndarray) -> str:
    """Values, parted by commas.

    >>> listed([0, 127.0, 0.5])
    '0, 127, 0.5'
    """
    return ", ".join(f"{float(value):.6g}" for value in values)


def unit_of(values: Counts) -> float:
    """What one step of 8 bits is in the values of a set: 1, or less for fractions, or more for 16 bits."""
    highest = float(values.values[-1])
    if values.values.dtype.kind != "f" and highest <= 255:
        return 1.0
    return highest / 255 if highest > 0 else 1.0


def _cluster(counts: Counts, gap: float) -> list[Level]:
    """Values that follow one another closely, as levels."""
    if not counts.values.size:
        return []
    values = counts.values.astype(float)
    ends = np.flatnonzero(np.diff(values) > gap) + 1
    levels = []
    for part, pixels in zip(np.split(values, ends), np.split(counts.pixels, ends), strict=True):
        centre = float((part * pixels).sum() / pixels.sum())
        levels.append(Level(round(centre, 6), part[0], part[-1], int(pixels.sum())))
    return levels


def levels_of(file: MaskFile, unit: float) -> list[Level]:
    """The levels of one file, from the lowest on: exact where it is lossless and has few values."""
    if file.lossless and file.values.values.size <= FEW_VALUES:
        return _cluster(file.flat, 0)
    fewest = max(SQUARE, SMALLEST * file.values.total)
    return [level for level in _cluster(file.flat, GAP * unit) if level.pixels >= fewest]


def has_two_levels(file: MaskFile) -> bool:
    """Whether one file by itself has two levels, whatever its range; noise around one is none."""
    if file.values.values.size == 2:
        return file.lossless
    levels = levels_of(file, unit := unit_of(file.values))
    return len(levels) > 1 and levels[-1].centre - levels[0].centre > GAP * unit


def levels_of_set(files: Iterable[MaskFile], unit: float) -> list[Level]:
    """The levels of all files, those close to each other as one; centres are whole where values are."""
    found = sorted(level for file in files for level in levels_of(file, unit))
    merged: list[list[Level]] = []
    highest = 0.0
    for level in found:
        if merged and level.low - highest <= GAP * unit:
            merged[-1].append(level)
            highest = max(highest, level.high)
        else:
            merged.append([level])
            highest = level.high
    return [_join(levels, whole=unit >= 1) for levels in merged]


def _join(levels: Sequence[Level], whole: bool) -> Level:
    pixels = sum(level.pixels for level in levels)
    centre = sum(level.centre * level.pixels for level in levels) / pixels
    return Level(
        float(round(centre)) if whole else centre,
        min(level.low for level in levels),
        max(level.high for level in levels),
        pixels,
    )


def peak_above(values: Counts, low: float, unit: float) -> float | None:
    """Where values gather far above a level, in thin lines perhaps; None where there are hardly any."""
    far = values.values > low + 4 * GAP * unit
    found, pixels = values.values[far].astype(float), values.pixels[far]
    if pixels.sum() < SQUARE:
        return None
    near = [int(pixels[np.abs(found - value) <= GAP * unit].sum()) for value in found]
    return float(found[int(np.argmax(near))])


def exact_levels(
    files: Collection[MaskFile], values: Counts, fewest: int = 3
) -> list[float] | None:
    """All values of a set where each of them is meant: ``fewest`` or a few more, in lossless files.

    Smooth edges have several values between two levels, which no flat pixel has.
    """
    if not all(file.lossless for file in files) or not fewest <= values.values.size <= FEW_VALUES:
        return None
    meant = [float(value) for value in values.values]
    flat = pool([file.flat for file in files]).values
    if values.values.size > 3 and flat.size == 2 and set(flat) == {meant[0], meant[-1]}:
        return None
    return meant


def are_continuous(files: Iterable[MaskFile], values: Counts, unit: float) -> bool:
    """Whether values between the levels are more than edges can have."""
    files = list(files)
    span = float(values.values[-1]) - float(values.values[0])
    varied = [file for file in files if file.span >= VARIED * span]
    between = sum(file.between for file in varied)
    pixels = sum(file.values.total for file in varied)
    boundary = sum(file.boundary for file in varied)
    levels = levels_of_set(files, unit)
    if any(level.high - level.low > WIDEST * unit for level in levels):
        return True
    # A level halfway between two others is told as such.
    if len(levels) > 2:
        return False
    return between > EDGES * pixels or between > EDGE_WIDTH * boundary
