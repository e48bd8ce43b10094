"""Metrics of per-image predictions, in per cent, by scikit-learn."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score


def prediction_metrics(labels: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Accuracy, macro-F1 and balanced accuracy in per cent.

    Means over classes are over those that occur among the labels; a class that is never predicted has F1 0.

    >>> prediction_metrics(["a", "a", "b"], ["a", "a", "a"])["accuracy"]
    66.66666666666667
    """
    classes = sorted(set(labels))
    by_class = {"labels": classes, "average": "macro", "zero_division": 0}
    return {
        "accuracy": 100 * float(accuracy_score(labels, predicted)),
        "macro_f1": 100 * float(f1_score(labels, predicted, **by_class)),
        "balanced_accuracy": 100 * float(recall_score(labels, predicted, **by_class)),
    }


def best_epoch(history: Sequence[dict[str, str]]) -> tuple[int, float]:
    """Epoch with the highest test accuracy (the first of equals), and that accuracy in per cent."""
    accuracies = np.array([float(row["test_accuracy"]) for row in history])
    place = int(accuracies.argmax())
    return int(history[place]["epoch"]), 100 * float(accuracies[place])
