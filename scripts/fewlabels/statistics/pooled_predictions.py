"""What several runs say of the images of one test set, taken together."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fewlabels.core.errors import UserError
from fewlabels.statistics.predictions import Predictions

#: In place of an answer: the run was not tested on this image, or diverged.
NOT_TESTED = -1


@dataclass(frozen=True)
class Pooled:
    """Predictions of several runs, by image; an image counts with the runs that were tested on it.

    Attributes:
        ids: of the n images, sorted.
        classes: names of the k classes.
        labels: int (n,), places in ``classes``.
        mean: float (n, k), probabilities averaged over runs: those of an ensemble (Lakshminarayanan et al. 2017,
            arXiv:1612.01474).
        answers: int16 (runs, n), the class that each run gives; :data:`NOT_TESTED` where it gives none.
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    labels: np.ndarray
    mean: np.ndarray
    answers: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """The likeliest class by the mean, int (n,)."""
        return self.mean.argmax(1)

    @property
    def tested(self) -> np.ndarray:
        """How many runs were tested on each image, int (n,)."""
        return (self.answers != NOT_TESTED).sum(0)

    @property
    def wrong(self) -> np.ndarray:
        """How many runs gave another class than the label, int (n,)."""
        return ((self.answers != NOT_TESTED) & (self.answers != self.labels)).sum(0)

    def first_to_say(self, image: int, answer: int) -> int | None:
        """The first run that gives this answer for an image; None where none does."""
        found = np.flatnonzero(self.answers[:, image] == answer)
        return int(found[0]) if len(found) else None


def pool(runs: Iterable[Predictions]) -> Pooled | None:
    """Take runs together, one at a time; None where none has predictions with probabilities.

    Runs may have been tested on different images (another split).

    Raises:
        UserError: runs do not have the same classes.
    """
    classes: tuple[str, ...] = ()
    row_of: dict[str, int] = {}
    labels = np.zeros(0, dtype=np.int64)
    sums = np.zeros((0, 0))
    answers: list[tuple[np.ndarray, np.ndarray]] = []
    for run in runs:
        if run.diverged or run.probabilities is None:
            answers.append((np.zeros(0, np.int64), np.zeros(0, np.int16)))
            continue
        if classes and run.classes != classes:
            raise UserError(
                f"predictions of the classes {', '.join(run.classes)} and of {', '.join(classes)}: "
                "delete both and run again"
            )
        classes = run.classes
        rows = np.array([row_of.setdefault(name, len(row_of)) for name in run.ids])
        new = len(row_of) - len(labels)
        labels = np.concatenate([labels, np.zeros(new, np.int64)])
        sums = np.concatenate([sums.reshape(-1, len(classes)), np.zeros((new, len(classes)))])
        labels[rows] = run.labels
        sums[rows] += run.probabilities
        answers.append((rows, run.predicted.astype(np.int16)))
    if not row_of:
        return None
    table = np.full((len(answers), len(row_of)), NOT_TESTED, np.int16)
    for number, (rows, predicted) in enumerate(answers):
        table[number, rows] = predicted
    order = np.argsort(np.array(list(row_of), dtype=object))
    names = list(row_of)
    tested = (table != NOT_TESTED).sum(0)
    return Pooled(
        tuple(names[place] for place in order),
        classes,
        labels[order],
        (sums / tested[:, None])[order],
        table[:, order],
    )
