"""What stands for white in files of more than 8 bits, decided once for a data set.

Cameras of 10, 12 or 14 bits store their values in files of 16, and nothing in the file says so. All deep files of a
data set are therefore looked at together: whole numbers are scaled by the white level of the smallest camera that
can have made them; floating point numbers are shares from 0 to 1 where all of them fit, and whole numbers otherwise.
What fits neither is asked for: the key ``white_level`` of the data set says it.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from fewlabels.core.errors import UserError
from fewlabels.core.settings import Section

#: White of cameras of 8, 10, 12, 14 and 16 bits.
WHITE_LEVELS = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16))
#: Rows scaled at a time, so that a large image needs little memory.
ROWS = 64
KEY = "datasets.<name>.white_level"

#: The config's key: ``auto``, or the value that stands for white.
WhiteLevel = Literal["auto"] | Annotated[float, Field(gt=0, allow_inf_nan=False)]


class UnclearIntensitiesError(Exception):
    """The values of a data set do not tell what stands for white; the message says what was seen, and the remedy."""


@dataclass(frozen=True, slots=True)
class ValueRange:
    """The values of one deep file.

    Attributes:
        kind: how the file stores them.
        low: the lowest; never negative.
        high: the highest.
        whole: whether all are whole numbers.
    """

    kind: Literal["integer", "float"]
    low: float
    high: float
    whole: bool = True


class Intensities(Section):
    """What stands for white in the deep files of a data set; black is 0."""

    integer_white: float = Field(WHITE_LEVELS[-1], gt=0, description="of whole numbers")
    float_white: float = Field(1.0, gt=0, description="of floating point numbers")
    chosen: Literal["auto", "config"] = Field("auto", description="by whom")
    deep_files: int = Field(0, ge=0, description="files of more than 8 bits")
    seen: str = Field("", description="what was decided from, for readers")

    def to_8_bits(self, values: np.ndarray) -> np.ndarray:
        """Scale values of any shape, whole or floating point, to uint8 of the same shape; white and above are 255."""
        white = self.float_white if values.dtype.kind == "f" else self.integer_white
        found = np.empty(values.shape, np.uint8)
        for start in range(0, len(values), ROWS):
            scaled = values[start : start + ROWS].astype(np.float64) / (white / 255.0)
            found[start : start + ROWS] = np.clip(np.rint(scaled), 0, 255)
        return found


#: For files whose data set was not looked at: whole numbers use all their 16 bits.
FULL_RANGE = Intensities()


def read_intensities(path: Path | str) -> Intensities | None:
    """The intensities in the JSON of index_images; None where no file has more than 8 bits.

    Raises:
        UserError: the file does not exist.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} does not exist: run the rule that writes it first")
    found = json.loads(Path(path).read_text(encoding="utf-8"))["intensities"]
    return Intensities(**found) if found else None


def decide_intensities(
    ranges: Iterable[ValueRange], wanted: Literal["auto"] | float = "auto"
) -> Intensities:
    """Decide what stands for white in the deep files of one data set.

    Args:
        ranges: of its deep files; where there are none, :data:`FULL_RANGE` is given.
        wanted: the config's key ``white_level``.

    Raises:
        UnclearIntensitiesError: the values do not tell.
    """
    found = list(ranges)
    if not found:
        return FULL_RANGE
    high = max(values.high for values in found)
    low = min(values.low for values in found)
    seen = f"values {low:g} to {high:g} in {len(found)} files of more than 8 bits"
    if wanted != "auto":
        return Intensities(
            integer_white=wanted,
            float_white=wanted,
            chosen="config",
            deep_files=len(found),
            seen=seen,
        )
    floats = [values for values in found if values.kind == "float"]
    highest_float = max((values.high for values in floats), default=0.0)
    counted = [values.high for values in found if values.kind == "integer"]
    float_white = 1.0
    if highest_float > 1:
        if highest_float < 2 and not all(values.whole for values in floats):
            raise UnclearIntensitiesError(
                f"{seen}: floating point values a little above 1 are neither shares nor counts; set {KEY}, as to "
                "1.0, which cuts them off there"
            )
        counted.append(highest_float)
    integer_white = _smallest_white(max(counted), seen) if counted else FULL_RANGE.integer_white
    if highest_float > 1:
        float_white = integer_white
    return Intensities(
        integer_white=integer_white, float_white=float_white, deep_files=len(found), seen=seen
    )


def _smallest_white(high: float, seen: str) -> float:
    for white in WHITE_LEVELS:
        if high <= white:
            return float(white)
    raise UnclearIntensitiesError(
        f"{seen}: more than the {WHITE_LEVELS[-1]} that 16 bits hold; set {KEY} to the value of white, as "
        f"{math.ceil(high)}"
    )
