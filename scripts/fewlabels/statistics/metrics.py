"""Metrics of confusion matrices, many at a time, in per cent.

A confusion matrix is an array (..., k, k) of counts: rows are labels, columns predictions. Means over classes are over
those that occur among the labels; a class that is never predicted has F1 0. One image more or less, or a resampled test
set, is just another matrix, so that jackknife and bootstrap need no loop over images.
"""

from collections.abc import Sequence

import numpy as np

from fewlabels.statistics.predictions import Predictions, Units

#: The metrics that have intervals.
HEADLINE = ("accuracy", "macro_f1", "balanced_accuracy", "mcc", "kappa")


def confusion_by_unit(predictions: Predictions, units: Units) -> np.ndarray:
    """Confusion matrices of the units, int (units, k, k)."""
    size = len(predictions.classes)
    counts = np.zeros((units.count, size, size), dtype=np.int64)
    np.add.at(counts, (units.codes, predictions.labels, predictions.predicted), 1)
    return counts


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, 0 where the denominator is 0."""
    return np.divide(
        numerator,
        denominator,
        out=np.zeros(np.broadcast(numerator, denominator).shape),
        where=np.asarray(denominator) != 0,
    )


def _class_parts(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hits, labels and predictions per class, float (..., k)."""
    confusion = np.asarray(confusion, dtype=float)
    return np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(-1), confusion.sum(-2)


def headline_metrics(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """The ``HEADLINE`` metrics in per cent, each of the shape (...).

    MCC is Gorodkin's (2004, Comput Biol Chem 28:367) for several classes, kappa Cohen's (1960, Educ Psychol Meas
    20:37); both are 0 where they are undefined, as when one class is always predicted.
    """
    hits, labelled, predicted = _class_parts(confusion)
    total = labelled.sum(-1)
    present = labelled > 0
    classes = present.sum(-1)
    recall, f1 = _ratio(hits, labelled), _ratio(2 * hits, labelled + predicted)
    right = hits.sum(-1)
    chance = (labelled * predicted).sum(-1)
    spread = (total**2 - (predicted**2).sum(-1)) * (total**2 - (labelled**2).sum(-1))
    values = {
        "accuracy": _ratio(right, total),
        "macro_f1": _ratio((f1 * present).sum(-1), classes),
        "balanced_accuracy": _ratio(recall.sum(-1), classes),
        "mcc": _ratio(right * total - chance, np.sqrt(spread)),
        "kappa": _ratio(right * total - chance, total**2 - chance),
    }
    return {name: 100 * value for name, value in values.items()}


def class_metric_names(classes: Sequence[str]) -> list[str]:
    """Names of :func:`class_metrics`, in its order."""
    return [f"{kind}_{name}" for name in classes for kind in ("precision", "recall", "f1")]


def class_metrics(confusion: np.ndarray, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """Precision, recall and F1 of each class in per cent, each of the shape (...).

    NaN for a class without labels; its precision is 0 where it was predicted all the same. Precision is 0, too, for
    a class that has labels and was never predicted.
    """
    hits, labelled, predicted = _class_parts(confusion)
    absent = labelled == 0
    table = (
        np.where(absent & (predicted == 0), np.nan, _ratio(hits, predicted)),
        np.where(absent, np.nan, _ratio(hits, labelled)),
        np.where(absent, np.nan, _ratio(2 * hits, labelled + predicted)),
    )
    values = [100 * part[..., place] for place in range(len(classes)) for part in table]
    return dict(zip(class_metric_names(classes), values, strict=True))


def best_epoch(history: Sequence[dict[str, str]], images: int) -> tuple[int, float]:
    """Epoch with the highest test accuracy (the first of equals), and that accuracy in per cent.

    A history is written with few digits: with the number of test images the share of right answers is exact again.
    """
    right = [round(float(row["test_accuracy"]) * images) for row in history]
    place = int(np.argmax(right))
    return int(history[place]["epoch"]), 100 * right[place] / images
