"""Metrics worked out by hand."""

import pytest

from wbc.metrics import best_epoch, prediction_metrics


def test_metrics_by_hand():
    """
    a: recall 2/3, precision 2/2, F1 4/5; b: recall 1/2, precision 1/2, F1 1/2;
    c: recall 1/1, precision 1/2, F1 2/3. Four of six are right.
    """
    values = prediction_metrics(list("aaabbc"), list("aabbcc"))
    assert values == pytest.approx(
        {
            "accuracy": 100 * 4 / 6,
            "macro_f1": 100 * (4 / 5 + 1 / 2 + 2 / 3) / 3,
            "balanced_accuracy": 100 * (2 / 3 + 1 / 2 + 1) / 3,
        }
    )


def test_a_class_never_predicted_has_f1_0():
    # a: recall 1, precision 2/3, F1 4/5; b: 0.
    assert prediction_metrics(list("aab"), list("aaa")) == pytest.approx(
        {"accuracy": 100 * 2 / 3, "macro_f1": 40, "balanced_accuracy": 50}
    )


def test_a_class_without_labels_does_not_join_the_means():
    # a: recall 1/2, precision 1, F1 2/3; b: 1. The class d is only ever predicted.
    assert prediction_metrics(list("aab"), list("adb")) == pytest.approx(
        {"accuracy": 100 * 2 / 3, "macro_f1": 100 * 5 / 6, "balanced_accuracy": 75}
    )


def test_all_right_and_all_wrong():
    assert set(prediction_metrics(list("abc"), list("abc")).values()) == {100.0}
    assert set(prediction_metrics(list("abc"), list("bca")).values()) == {0.0}


def history(*accuracies: float) -> list[dict[str, str]]:
    return [{"epoch": str(n), "test_accuracy": str(v)} for n, v in enumerate(accuracies, start=1)]


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
    found, accuracy = best_epoch(history(*accuracies))
    assert found == epoch
    assert accuracy == pytest.approx(value)
