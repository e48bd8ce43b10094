"""Which test images a report shows: sure mistakes, doubtful labels, and what most runs get wrong.

A table of them: which image, why, and which run's answer is explained beside it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fewlabels.core.fractions import priority_of
from fewlabels.core.run_sheet import Run
from fewlabels.statistics.label_errors import likely_labels, self_confidence
from fewlabels.statistics.pooled_predictions import Pooled

#: Reasons to show an image.
MISTAKE, DOUBTFUL, HARD = "mistake", "doubtful_label", "hard"
#: ``arm``, ``fraction``: of the runs that a mistake is of; empty for those of all arms. ``probability``: of
#: ``predicted``, mean over ``runs``, of which ``wrong`` give another class than ``label``. ``explained_*``: the run
#: that the heat map is of.
COLUMNS = [
    *("reason", "test_set", "arm", "fraction", "rank", "id", "label", "predicted"),
    *("probability", "label_probability", "wrong", "runs"),
    *("explained_arm", "explained_fraction", "explained_replicate"),
]
#: Of the table of all test images: ``rank``: by the probability of the label, the lowest first.
LABEL_COLUMNS = [
    *("test_set", "rank", "id", "label", "label_probability", "predicted", "probability"),
    *("wrong", "runs", "doubtful"),
]

Row = dict[str, Any]


def share_of_cell(cells: int, most: int, wanted: int) -> int:
    """How many mistakes each of so many cells shows: as wanted, at least one, and about ``most`` in all.

    >>> share_of_cell(16, 240, 12), share_of_cell(60, 240, 12), share_of_cell(500, 240, 12), share_of_cell(0, 240, 12)
    (12, 4, 1, 12)
    """
    return max(1, min(wanted, most // max(cells, 1)))


def largest_fraction(runs: Iterable[Run]) -> list[Run]:
    """Of each arm and split the runs with the most labels, in their order."""
    runs = list(runs)
    best: dict[str, str] = {}
    for run in runs:
        best[run.arm] = max(best.get(run.arm, run.fraction), run.fraction, key=priority_of)
    return [run for run in runs if run.fraction == best[run.arm]]


def _row(
    pooled: Pooled, runs: Sequence[Run], image: int, answer: int, reason: str, test_set: str
) -> Row:
    """One image of the table, without its cell and rank."""
    first = pooled.first_to_say(image, answer)
    explained = runs[first] if first is not None else None
    return {
        "reason": reason,
        "test_set": test_set,
        "id": pooled.ids[image],
        "label": pooled.classes[pooled.labels[image]],
        "predicted": pooled.classes[answer],
        "probability": float(pooled.mean[image, answer]),
        "label_probability": float(pooled.mean[image, pooled.labels[image]]),
        "wrong": int(pooled.wrong[image]),
        "runs": int(pooled.tested[image]),
        "explained_arm": explained.arm if explained else "",
        "explained_fraction": explained.fraction if explained else "",
        "explained_replicate": explained.replicate if explained else "",
    }


def _ranked(rows: Iterable[Row], key: Callable[[Row], Any], most: int, **cell: str) -> list[Row]:
    ordered = sorted(rows, key=key)[:most]
    return [row | cell | {"rank": place} for place, row in enumerate(ordered, start=1)]


def sure_mistakes(pooled: Pooled, runs: Sequence[Run], test_set: str, most: int) -> list[Row]:
    """The images that the runs of one arm and fraction, taken together, are surest of and wrong about.

    Args:
        pooled: of ``runs``, in their order.
    """
    wrong = np.flatnonzero(pooled.predicted != pooled.labels)
    sure = pooled.mean.max(1)[wrong]
    chosen = wrong[np.argsort(-sure, kind="stable")][:most]
    rows = [
        _row(pooled, runs, int(image), int(pooled.predicted[image]), MISTAKE, test_set)
        for image in chosen
    ]
    cell = {"arm": runs[0].arm, "fraction": runs[0].fraction}
    return _ranked(rows, lambda row: -row["probability"], most, **cell)


def doubtful_labels(pooled: Pooled, runs: Sequence[Run], test_set: str, most: int) -> list[Row]:
    """The images whose label is likeliest wrong, by :mod:`fewlabels.statistics.label_errors`."""
    likely = likely_labels(pooled.mean, pooled.labels)
    found = np.flatnonzero(likely != pooled.labels)
    rows = [_row(pooled, runs, int(i), int(likely[i]), DOUBTFUL, test_set) for i in found]
    return _ranked(rows, lambda row: row["label_probability"], most, arm="", fraction="")


def hard_images(
    pooled: Pooled, runs: Sequence[Run], test_set: str, most: int, but: Iterable[str]
) -> list[Row]:
    """The images that more than half of the runs get wrong, those of ``but`` left out: most runs first."""
    left_out = set(but)
    found = np.flatnonzero(2 * pooled.wrong > pooled.tested)
    rows = [
        _row(pooled, runs, int(image), _usual_mistake(pooled, int(image)), HARD, test_set)
        for image in found
        if pooled.ids[image] not in left_out
    ]
    return _ranked(
        rows,
        lambda row: (-row["wrong"] / row["runs"], row["label_probability"]),
        most,
        arm="",
        fraction="",
    )


def _usual_mistake(pooled: Pooled, image: int) -> int:
    """The wrong class that most runs give for an image; of equals the likelier one."""
    answers = pooled.answers[:, image]
    votes = np.bincount(answers[answers >= 0], minlength=len(pooled.classes)).astype(float)
    votes[pooled.labels[image]] = -1
    return int((votes + pooled.mean[image] / 2).argmax())


def label_table(pooled: Pooled, test_set: str) -> list[Row]:
    """Every test image, as rows of ``LABEL_COLUMNS``: the least believed label first."""
    likely = likely_labels(pooled.mean, pooled.labels)
    own = self_confidence(pooled.mean, pooled.labels)
    best, wrong, runs = pooled.predicted, pooled.wrong, pooled.tested
    return [
        {
            "test_set": test_set,
            "rank": rank,
            "id": pooled.ids[image],
            "label": pooled.classes[pooled.labels[image]],
            "label_probability": float(own[image]),
            "predicted": pooled.classes[best[image]],
            "probability": float(pooled.mean[image, best[image]]),
            "wrong": int(wrong[image]),
            "runs": int(runs[image]),
            "doubtful": int(likely[image] != pooled.labels[image]),
        }
        for rank, image in enumerate(np.argsort(own, kind="stable"), start=1)
    ]
