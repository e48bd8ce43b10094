"""A few small pictures of each class, kept while many pass by: the least sure answers, and some drawn at random."""

import heapq
import random
from dataclasses import dataclass, field

import numpy as np

from fewlabels.reporting.thumbnails import data_uri

#: Pixels of a thumbnail's side, at most.
SIDE = 112
#: Thumbnails of all classes together, at most.
MOST = 1200


@dataclass(frozen=True)
class Shown:
    """One answer with its picture.

    Attributes:
        pixels: uint8 (size, size, 3).
        probability: of the predicted class.
    """

    path: str
    pixels: np.ndarray
    probability: float
    abstained: bool
    note: str
    label: str

    @property
    def picture(self) -> str:
        """A ``data:`` URI."""
        return data_uri(self.pixels, SIDE)


@dataclass
class ClassSample:
    """What is shown of one class; memory does not grow with the images.

    Attributes:
        wanted: of the least sure, and as many at random.
        count, abstained: of all images that passed by.
    """

    wanted: int
    count: int = 0
    abstained: int = 0
    _least: list[tuple[float, int, Shown]] = field(default_factory=list)
    _drawn: list[tuple[int, Shown]] = field(default_factory=list)
    _random: random.Random = field(default_factory=lambda: random.Random(0))

    def add(
        self,
        path: str,
        pixels: np.ndarray,
        probability: float,
        abstained: bool,
        note: str,
        label: str,
    ) -> None:
        """Look at one image; its pixels are copied only if it is kept, so that its batch can go."""
        self.count += 1
        self.abstained += abstained
        # A reservoir: each image is as likely to be among the drawn ones.
        place = self._random.randrange(self.count)
        is_drawn = place < self.wanted
        is_least = len(self._least) < self.wanted or (
            bool(self._least) and -probability > self._least[0][0]
        )
        if not (is_drawn or is_least):
            return
        shown = Shown(path, pixels.copy(), probability, abstained, note, label)
        if is_drawn and len(self._drawn) < self.wanted:
            self._drawn.append((self.count, shown))
        elif is_drawn:
            self._drawn[place] = (self.count, shown)
        if is_least:
            heapq.heappush(self._least, (-probability, -self.count, shown))
            if len(self._least) > self.wanted:
                heapq.heappop(self._least)

    def least_sure(self) -> list[Shown]:
        """The least sure first."""
        return [shown for _, _, shown in sorted(self._least, reverse=True)]

    def drawn(self) -> list[Shown]:
        """Drawn at random, in the order in which they came."""
        return [shown for _, shown in sorted(self._drawn, key=lambda pair: pair[0])]


def per_class(wanted: int, classes: int) -> int:
    """How many thumbnails of each kind a class has, so that all classes together keep a page small.

    >>> per_class(12, 5), per_class(12, 1000)
    (12, 1)
    """
    return max(1, min(wanted, MOST // (2 * classes))) if wanted else 0
