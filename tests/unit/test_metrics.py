"""Metrics worked out by hand, and compared with scikit-learn's."""

import numpy as np
import pytest
from builders import predictions_of
from sklearn import metrics as sk

from fewlabels.statistics.metrics import (
    HEADLINE,
    best_epoch,
    class_metrics,
    confusion_by_unit,
    headline_metrics,
)
from fewlabels.statistics.predictions import units_of


def confusion(labels: str, predicted: str) -> np.ndarray:
    predictions = predictions_of(labels, predicted)
    return confusion_by_unit(predictions, units_of(predictions.ids, {})).sum(0)


def values(labels: str, predicted: str) -> dict[str, float]:
    return {name: float(v) for name, v in headline_metrics(confusion(labels, predicted)).items()}


def test_metrics_by_hand():
    """
    a: recall 2/3, precision 2/2, F1 4/5; b: recall 1/2, precision 1/2, F1 1/2;
    c: recall 1/1, precision 1/2, F1 2/3. Four of six are right.
    Labels 3, 2, 1 and predictions 2, 2, 2: chance agreement (6 + 4 + 2) / 36 = 1/3, kappa (2/3 - 1/3) / (1 - 1/3).
    MCC: (4 x 6 - 12) / sqrt((36 - 12) (36 - 14)).
    """
    assert values("aaabbc", "aabbcc") == pytest.approx(
        {
            "accuracy": 100 * 4 / 6,
            "macro_f1": 100 * (4 / 5 + 1 / 2 + 2 / 3) / 3,
            "balanced_accuracy": 100 * (2 / 3 + 1 / 2 + 1) / 3,
            "mcc": 100 * 12 / np.sqrt(24 * 22),
            "kappa": 50,
        }
    )
    assert class_metrics(confusion("aaabbc", "aabbcc"), "abc") == pytest.approx(
        {
            **{"precision_a": 100, "recall_a": 200 / 3, "f1_a": 80},
            **{"precision_b": 50, "recall_b": 50, "f1_b": 50},
            **{"precision_c": 50, "recall_c": 100, "f1_c": 200 / 3},
        }
    )


def test_a_class_without_labels_has_no_values_of_its_own():
    # c is answered once, d never; b is never answered rightly.
    found = class_metrics(confusion("aabd"[:3] + "a", "aaca"), "abc")
    assert found["precision_b"] == found["recall_b"] == found["f1_b"] == 0
    assert found["precision_c"] == 0
    assert np.isnan(found["recall_c"]) and np.isnan(found["f1_c"])
    absent = class_metrics(np.array([[2, 0], [0, 0]]), "ab")
    assert all(np.isnan(absent[f"{name}_b"]) for name in ("precision", "recall", "f1"))
    # Many matrices at a time.
    assert class_metrics(np.array([[[1, 1], [0, 2]]] * 3), "ab")["recall_a"].tolist() == [50] * 3


def test_two_classes_by_hand():
    # True positives 6, false negatives 1, false positives 2, true negatives 3.
    found = values("a" * 7 + "b" * 5, "aaaaaabaabbb")
    assert found["mcc"] == pytest.approx(100 * (6 * 3 - 2 * 1) / np.sqrt(8 * 7 * 5 * 4))
    # Observed 9/12, chance (7 x 8 + 5 x 4) / 144 = 76/144.
    assert found["kappa"] == pytest.approx(100 * (108 - 76) / (144 - 76))


def test_a_class_never_predicted_has_f1_0():
    # a: recall 1, precision 2/3, F1 4/5; b: 0. One answer for all: no correlation, no agreement beyond chance.
    assert values("aab", "aaa") == pytest.approx(
        {"accuracy": 200 / 3, "macro_f1": 40, "balanced_accuracy": 50, "mcc": 0, "kappa": 0}
    )


def test_a_class_without_labels_does_not_join_the_means():
    # a: recall 1/2, precision 1, F1 2/3; b: 1. The class d is only ever predicted.
    found = values("aab", "adb")
    assert found["macro_f1"] == pytest.approx(100 * 5 / 6)
    assert found["balanced_accuracy"] == pytest.approx(75)


def test_all_right_and_all_wrong():
    assert set(values("abc", "abc").values()) == {100.0}
    wrong = values("abc", "bca")
    assert [wrong[name] for name in HEADLINE] == pytest.approx([0, 0, 0, -50, -50])


def test_many_matrices_at_once_agree_with_scikit_learn():
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(0, 4, (2, 7, 50))
    matrices = np.stack([sk.confusion_matrix(a, b) for a, b in zip(labels, predicted, strict=True)])
    found = headline_metrics(matrices)
    for place, (a, b) in enumerate(zip(labels, predicted, strict=True)):
        expected = {
            "accuracy": sk.accuracy_score(a, b),
            "macro_f1": sk.f1_score(a, b, average="macro"),
            "balanced_accuracy": sk.balanced_accuracy_score(a, b),
            "mcc": sk.matthews_corrcoef(a, b),
            "kappa": sk.cohen_kappa_score(a, b),
        }
        for name, value in expected.items():
            assert found[name][place] == pytest.approx(100 * value), name


def test_confusion_by_unit_sums_to_the_whole():
    predictions = predictions_of("aabb", "abba")
    parts = confusion_by_unit(predictions, units_of(predictions.ids, {}))
    assert parts.shape == (4, 2, 2)
    assert parts.sum(0).tolist() == [[1, 1], [1, 1]]


def history(*accuracies: float) -> list[dict[str, str]]:
    return [{"epoch": str(n), "test_accuracy": str(v)} for n, v in enumerate(accuracies, start=1)]


def test_best_accuracy_is_a_share_of_the_images():
    """A history has few digits: what is no better than the predictions must not look so."""
    assert best_epoch(history(0.3333333, 0.6666667), 6) == (2, 100 * 4 / 6)


@pytest.mark.parametrize(
    ("accuracies", "epoch", "value"),
    [
        ((0.5, 0.9, 0.7), 2, 90),
        ((0.5, 0.9, 0.9), 2, 90),
        ((0.0,), 1, 0),
        # As numbers, not as text: "0.1" would come before "1e-05".
        ((1e-05, 0.1), 2, 10),
    ],
)
def test_best_epoch_is_the_first_of_equals(accuracies, epoch, value):
    found, accuracy = best_epoch(history(*accuracies), 100_000)
    assert found == epoch
    assert accuracy == pytest.approx(value)
