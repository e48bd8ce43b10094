"""Confusion matrices as tables: counts, shaded by their share of the true class."""

from collections.abc import Sequence
from dataclasses import dataclass

from fewlabels.core.fractions import by_size, of_labels
from fewlabels.core.run_sheet import OWN_TEST_SET
from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.page.templating import render
from fewlabels.reporting.tables import Row

#: Shades from no image of the class to all of them.
SHADES = 10


@dataclass(frozen=True)
class Count:
    """A cell of a matrix: images, their share of the true class, and its shade, 0 ... ``SHADES``."""

    images: int
    share: float

    @property
    def shade(self) -> int:
        return round(SHADES * self.share)


@dataclass(frozen=True)
class Matrix:
    """Counts of true class (rows) and predicted class (columns), summed over replicates."""

    arm: str
    classes: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Count]]]
    replicates: int


def section(source: Source) -> Section | None:
    """Matrices by test set, the own one first, and number of labels; None where no run has predictions."""
    known = [row for row in source.confusion if row["arm"] in source.arms]
    groups = []
    for test_set in (OWN_TEST_SET, *source.external):
        for fraction in by_size(row["fraction"] for row in known):
            here = [
                row for row in known if (row["test_set"], row["fraction"]) == (test_set, fraction)
            ]
            matrices = [
                matrix(arm, rows)
                for arm in source.arms
                if (rows := [row for row in here if row["arm"] == arm])
            ]
            title = of_labels(fraction) + ("" if test_set == OWN_TEST_SET else f", {test_set}")
            groups += [(title, matrices)] if matrices else []
    if not groups:
        return None
    return Section("confusion", "Confusion matrices", render("confusion.jinja", groups=groups))


def matrix(arm: str, rows: Sequence[Row]) -> Matrix:
    """The matrix of rows of confusion.csv of one arm, fraction and test set."""
    classes = list(dict.fromkeys(row["predicted"] for row in rows))
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["label"], row["predicted"])
        counts[key] = counts.get(key, 0) + int(row["images"])
    lines = []
    for label in classes:
        of_label = [counts.get((label, predicted), 0) for predicted in classes]
        total = max(sum(of_label), 1)
        lines.append((label, [Count(images, images / total) for images in of_label]))
    return Matrix(arm, classes, lines, len({row["replicate"] for row in rows}))
