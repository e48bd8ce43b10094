"""What the values of masks mean, decided from all masks of a data set before any is used.

Of two values the higher is foreground, where the lower is 0. Noise of compression and smooth edges around two levels
are cut halfway between them. An alpha channel that varies cuts a cell out, or marks where something is painted. All
that these rules do not cover is asked for: the key ``mask_foreground`` of the data set says it.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from fewlabels.core.settings import Section
from fewlabels.data.mask_levels import (
    Level,
    are_continuous,
    exact_levels,
    has_two_levels,
    levels_of,
    levels_of_set,
    listed,
    peak_above,
    unit_of,
)
from fewlabels.data.mask_values import Counts, MaskFile, is_inside, pool

Finite = Annotated[float, Field(allow_inf_nan=False)]
#: The config's key: ``auto``; by alpha; at least this value; pixels nearest to these levels.
MaskForeground = (
    Literal["auto", "opaque", "transparent"] | Finite | Annotated[list[Finite], Field(min_length=1)]
)
MaskOrientation = Literal["auto", "upright", "stored"]

KEY = "mask_foreground"
HALF, FULL = 128, 255  # of 8 bits: from where on, and up to where, a pixel is white
#: Levels so near to 0 and 255 mean black and white, and are parted at 128.
NEAR_BLACK, NEAR_WHITE = 32, 223
#: What is painted in a colour up to this grey is black.
PAINTED_BLACK = 16
#: Opaque pixels that are, but for this share, of a few levels are painted, and no picture.
PICTURE = 0.1
#: Painted levels are so few, of this share of the painted pixels, and so far apart; a picture's values are not.
PAINTED_LEVELS, SMALLEST_PAINTED, PAINTED_APART = 3, 0.01, 24
#: Values named in a message, at most.
NAMED = 6


class UnclearMasksError(Exception):
    """The masks of a data set do not say what is foreground.

    Attributes:
        path: of a mask that shows it.
        seen: what it, or the set, holds.
        remedy: names the key, with an example.
    """

    def __init__(self, path: str, seen: str, remedy: str) -> None:
        super().__init__(f"{path}: {seen}: {remedy}")
        self.path, self.seen, self.remedy = path, seen, remedy


class MaskReading(Section):
    """How the masks of a data set are read."""

    source: Literal["grey", "index", "opaque", "transparent"] = Field(
        "grey", description="values, indices into a palette, or alpha"
    )
    foreground: list[tuple[float, float]] = Field(
        [(HALF, FULL)], description="raw values that are foreground: intervals, ends included"
    )
    chosen: Literal["auto", "config"] = Field("auto", description="by whom")
    seen: str = Field("", description="what it was decided from, for readers")


def decide_masks(files: Mapping[str, MaskFile], wanted: MaskForeground = "auto") -> MaskReading:
    """Decide what is foreground in the masks of one data set.

    Args:
        files: path, for messages -> what the file holds.
        wanted: the config's key ``mask_foreground``.

    Raises:
        UnclearMasksError: they do not say it, or not what is wanted.
    """
    if not files:
        return MaskReading()
    masks = MaskSet(files)
    if wanted in ("opaque", "transparent"):
        return masks.by_alpha(str(wanted), "config")
    masks.check_palettes()
    if isinstance(wanted, str):
        return masks.decide()
    if isinstance(wanted, list):
        return masks.by_levels(wanted)
    return masks.reading([(wanted, masks.top(wanted))], "config", f"{masks.seen()} in the masks")


@dataclass
class MaskSet:
    """The masks of one data set, by their paths."""

    files: Mapping[str, MaskFile]

    def __post_init__(self) -> None:
        self.values = pool([file.values for file in self.files.values()])
        self.unit = unit_of(self.values)

    def top(self, at_least: float = 0) -> float:
        """The highest value that files such as these can hold."""
        highest = max(float(self.values.values[-1]), at_least)
        return next(
            (float(limit) for limit in (FULL, 2**16 - 1, 2**32 - 1) if highest <= limit), highest
        )

    def reading(
        self,
        foreground: Sequence[tuple[float, float]],
        chosen: Literal["auto", "config"],
        seen: str,
    ) -> MaskReading:
        indexed = any(file.colours for file in self.files.values())
        return MaskReading(
            source="index" if indexed else "grey",
            foreground=list(foreground),
            chosen=chosen,
            seen=seen,
        )

    def seen(self) -> str:
        """The values, in words."""
        return _words(self.values.values)

    def check_palettes(self) -> None:
        """Check that an index means the same in all files: some programs number the colours of each file anew."""
        colours: dict[int, tuple[int, ...]] = {}
        for path, file in self.files.items():
            for index, colour in file.colours.items():
                if colours.setdefault(index, colour) != colour:
                    raise UnclearMasksError(
                        path,
                        f"has the colour {listed(colour)} at index {index} of its palette, other masks have "
                        f"{listed(colours[index])}",
                        f"save all masks with one palette or as grey values, which {KEY} then speaks of",
                    )

    # ------------------------------------------------------------------ alpha
    def by_alpha(self, source: str, chosen: Literal["auto", "config"]) -> MaskReading:
        for path, file in self.files.items():
            if file.alpha is None:
                raise UnclearMasksError(
                    path,
                    "has no alpha channel" + ("" if chosen == "config" else ", other masks have"),
                    f"save all masks in one way, or set {KEY} to values, as in {KEY}: {HALF}",
                )
        return MaskReading.model_validate(
            {"source": source, "foreground": [], "chosen": chosen, "seen": "alpha that varies"}
        )

    def decide(self) -> MaskReading:
        varying = {path: file for path, file in self.files.items() if file.alpha_varies}
        if not varying:
            return self.by_values()
        remedy = (
            f"set {KEY} to opaque or transparent, whichever is foreground, or to the values that are, "
            f"as in {KEY}: {HALF}"
        )
        for path, file in self.files.items():
            if file.alpha is None:
                seen = f"has no alpha channel, {len(varying)} of {len(self.files)} masks have one that varies"
                raise UnclearMasksError(path, seen, remedy)
        first = next(iter(varying))
        painted = pool([file.painted for file in varying.values() if file.painted])
        noise = 2 if all(file.lossless for file in varying.values()) else 8
        levels = _painted_levels(painted, noise)
        if levels is None:
            return self.by_alpha("opaque", "auto")  # cut out of a picture
        lowest = levels[0].centre
        if len(levels) == 1 and lowest > PAINTED_BLACK:
            return self.by_alpha("opaque", "auto")
        if len(levels) == 2 and lowest <= PAINTED_BLACK:
            return self.by_values()
        if len(levels) == 1:
            raise UnclearMasksError(first, "is black where it is opaque, and transparent", remedy)
        seen = f"has the levels {listed([level.centre for level in levels])} where it is opaque"
        raise UnclearMasksError(first, seen, remedy)

    # ----------------------------------------------------------------- values
    def by_values(self) -> MaskReading:
        values = self.values.values
        lossless = all(file.lossless for file in self.files.values())
        if values.size == 1:
            only = float(values[0])
            interval = (only, only) if only else (1.0, self.top())
            return self.reading([interval], "auto", f"one value in all masks, {only:g}")
        if lossless and values.size == 2:
            low, high = map(float, values)
            if low != 0:
                raise UnclearMasksError(
                    next(iter(self.files)),
                    f"the masks hold {listed(values)}, but no 0",
                    self._ask(),
                )
            return self.reading([(high, high)], "auto", f"two values, {listed(values)}")
        levels = self._levels()
        low, high = levels[0].centre, levels[-1].centre
        if len(levels) == 1:
            peak = peak_above(self.values, low, self.unit)
            if peak is None:
                return self._one_level(levels[0])
            high = peak  # thin lines have no flat pixels
        if low / self.unit > NEAR_BLACK:
            path = self._odd_one()
            raise UnclearMasksError(
                path, f"the masks have the levels {listed([low, high])}, but none of 0", self._ask()
            )
        if self._is_black_and_white(low, high):
            threshold = float(HALF)
        elif len(levels) == 1:
            raise UnclearMasksError(
                self._continuous_one(),
                f"the masks hold a level near {low:g}, and values near {high:g} in thin lines or uneven regions",
                self._ask(),
            )
        else:
            threshold = (low + high) / 2
            threshold = math.ceil(threshold) if self._whole() else threshold
        reading = self.reading(
            [(threshold, self.top())],
            "auto",
            f"levels near {low:g} and {high:g}, with values between",
        )
        self._check_contradictions(reading)
        return reading

    def _is_black_and_white(self, low: float, high: float) -> bool:
        return self.unit == 1 and low <= NEAR_BLACK and high > NEAR_WHITE

    def _whole(self) -> bool:
        return self.values.values.dtype.kind != "f"

    def _one_level(self, level: Level) -> MaskReading:
        """Noise around one level; black where it is next to 0."""
        seen = f"one level in all masks, near {level.centre:g}"
        grey = NEAR_BLACK < level.centre / self.unit < HALF
        threshold = level.centre / 2 if grey else HALF * self.unit
        reading = self.reading([(threshold, self.top())], "auto", seen)
        self._check_contradictions(reading)
        return reading

    def _levels(self) -> list[Level]:
        """One or two levels of the whole set.

        Raises:
            UnclearMasksError: there are more, or values without levels.
        """
        few = exact_levels(self.files.values(), self.values)
        if few is not None:
            raise UnclearMasksError(
                self._odd_one(), self._describe_odd(f"values {listed(few)}"), self._ask(few)
            )
        if are_continuous(self.files.values(), self.values, self.unit):
            raise UnclearMasksError(
                self._continuous_one(),
                f"the masks hold many {self.seen()}, and no two levels",
                self._ask(),
            )
        levels = levels_of_set(self.files.values(), self.unit)
        if not levels:
            ends = (float(self.values.values[0]), float(self.values.values[-1]))
            levels = [Level(end, end, end, 1) for end in ends]
        if len(levels) > 2:
            centres = [level.centre for level in levels]
            raise UnclearMasksError(
                self._most_levels(),
                f"the masks have the levels {listed(centres)}",
                self._ask(centres),
            )
        return levels

    def _check_contradictions(self, reading: MaskReading) -> None:
        """Find a file that has two values of its own, and comes out all empty or all full."""
        for path, file in self.files.items():
            values = file.values.values
            inside = is_inside(values, reading.foreground)
            if (inside.all() or not inside.any()) and has_two_levels(file):
                raise UnclearMasksError(
                    path,
                    f"holds {_words(values)}, all masks together {self.seen()}, so that all of it would be "
                    f"{'foreground' if inside.all() else 'background'}",
                    f"save all masks with the same values, or {self._ask()}",
                )

    def _ask(self, levels: Sequence[float] | np.ndarray = ()) -> str:
        foreground = [float(f"{level:.6g}") for level in list(levels)[1:]][:NAMED]
        if not foreground:
            middle = (float(self.values.values[0]) + float(self.values.values[-1])) / 2
            example = math.ceil(middle) if self._whole() else float(f"{middle:.3g}")
            return f"set {KEY} to the lowest value that is foreground, such as {example}"
        return (
            f"set {KEY} to the levels that are foreground, such as [{listed(foreground)}], or to the lowest of them, "
            f"such as {foreground[0]:g}"
        )

    # ------------------------------------------------------- files to be named
    def _odd_one(self) -> str:
        """A file with the rarest set of values; of several, one with most."""
        sets = {path: file.values.values.tobytes() for path, file in self.files.items()}
        common = Counter(sets.values())
        return min(
            sets, key=lambda path: (common[sets[path]], -self.files[path].values.values.size)
        )

    def _describe_odd(self, all_values: str) -> str:
        own = self.files[self._odd_one()].values.values
        if own.size == self.values.values.size or own.size > NAMED:
            return f"the masks hold the {all_values}"
        return f"holds {listed(own)}, all masks together the {all_values}"

    def _continuous_one(self) -> str:
        return max(self.files, key=lambda path: self.files[path].between)

    def _most_levels(self) -> str:
        return max(self.files, key=lambda path: len(levels_of(self.files[path], self.unit)))

    # ------------------------------------------------------------ wanted levels
    def by_levels(self, wanted: Sequence[float]) -> MaskReading:
        """Pixels nearest to some of the set's levels."""
        few = exact_levels(self.files.values(), self.values, fewest=1)
        if few is not None:
            centres = [float(value) for value in few]
        else:
            centres = [level.centre for level in levels_of_set(self.files.values(), self.unit)]
        reach = 0.0 if few is not None else NEAR_BLACK / 2 * self.unit
        for level in wanted:
            if not any(abs(level - centre) <= reach for centre in centres):
                raise UnclearMasksError(
                    next(iter(self.files)),
                    f"{KEY} names the level {level:g}, the masks have the levels {listed(centres[:20])}",
                    f"set {KEY} to some of these, or to the lowest value that is foreground",
                )
        chosen = [any(abs(level - centre) <= reach for level in wanted) for centre in centres]
        limits = [self._limit(a, b) for a, b in pairwise(centres)]
        lows = [min(0.0, centres[0]), *(after for _, after in limits)]
        highs = [*(before for before, _ in limits), self.top()]
        return self.reading(
            [(low, high) for low, high, taken in zip(lows, highs, chosen, strict=True) if taken],
            "config",
            f"levels {listed(centres[:20])} in the masks",
        )

    def _limit(self, low: float, high: float) -> tuple[float, float]:
        """The last value that belongs to the lower, and the first that belongs to the higher of two levels."""
        if self._is_black_and_white(low, high):
            return HALF - 1, HALF
        middle = (low + high) / 2
        if self._whole():
            return math.floor(middle), math.floor(middle) + 1
        return middle, float(np.nextafter(middle, math.inf))


def _words(values: np.ndarray) -> str:
    if values.size <= NAMED:
        return f"values {listed(values)}"
    return f"values {float(values[0]):.6g} to {float(values[-1]):.6g}"


def _painted_levels(painted: Counts, width: float) -> list[Level] | None:
    """The levels of what lies in the opaque parts, from the lowest on; None where it is a picture."""
    left = painted.pixels.astype(float)
    values = painted.values.astype(float)
    levels = []
    for _ in range(PAINTED_LEVELS):
        if not left.any():
            break
        peak = values[left.argmax()]
        near = np.abs(values - peak) <= width
        pixels = int(left[near].sum())
        if pixels >= SMALLEST_PAINTED * painted.total:
            levels.append(Level(peak, peak, peak, pixels))
        left[near] = 0
    levels.sort()
    held = sum(level.pixels for level in levels)
    near_each_other = any(b.centre - a.centre < PAINTED_APART for a, b in pairwise(levels))
    return None if near_each_other or held < (1 - PICTURE) * painted.total else levels
