"""Intervals of single runs: published values, and what the bootstrap must do."""

from dataclasses import replace

import numpy as np
import pytest
from builders import predictions_of
from sklearn.metrics import roc_auc_score

from fewlabels.statistics import calibration, intervals
from fewlabels.statistics.intervals import (
    bootstrap_intervals,
    bootstrap_weights,
    probability_intervals,
    weighted_macro_auroc,
    wilson_interval,
)
from fewlabels.statistics.metrics import (
    HEADLINE,
    class_metric_names,
    confusion_by_unit,
    macro_auroc,
)
from fewlabels.statistics.predictions import Predictions, units_of


@pytest.mark.parametrize(
    ("right", "images", "low", "high"),
    [
        # 97.90, 80.00 % of the 1,728 images and 92.13 % of 216.
        (1692, 1728, 97.1, 98.5),
        (1382, 1728, 78.0, 81.8),
        (199, 216, 87.8, 95.0),
        # Newcombe 1998 (Stat Med 17:857), table I: 81 of 263, and 0 of 20.
        (81, 263, 25.53, 36.62),
        (0, 20, 0, 16.11),
    ],
)
def test_wilson(right, images, low, high):
    places = 2 if images in (263, 20) else 1
    found = wilson_interval(right, images, 0.05)
    assert [round(value, places) for value in found] == [low, high]


def test_every_resample_has_as_many_units():
    weights = bootstrap_weights(30, 200, 1)
    assert weights.shape == (200, 30)
    assert set(weights.sum(1)) == {30}
    assert np.array_equal(weights, np.random.default_rng(1).multinomial(30, [1 / 30] * 30, 200))


def matrices(groups: int, size: int, within: bool) -> np.ndarray:
    """Two classes, 3 of 4 images right: the wrong ones spread over all groups, or whole groups of them."""
    labels = "ab" * (groups * size // 2)
    wrong = [(n % 4 == 0) if not within else (n // size) % 4 == 0 for n in range(groups * size)]
    answers = "".join(
        "ba"["ab".index(label)] if bad else label for label, bad in zip(labels, wrong, strict=True)
    )
    predictions = predictions_of(labels, answers)
    groups_of_ids = {name: f"{int(name) // size}" for name in predictions.ids}
    return confusion_by_unit(predictions, units_of(predictions.ids, groups_of_ids))


def test_bootstrap_widens_where_groups_fail_together():
    spread = {}
    for within in (False, True):
        found = bootstrap_intervals(matrices(40, 8, within), "ab", 2000, 0, 0.05)
        assert set(found) == {*HEADLINE, *class_metric_names("ab")}
        low, high = found["balanced_accuracy"]
        assert low <= 75 <= high
        spread[within] = high - low
    # Forty groups that are right or wrong as a whole: 75 +- 1.96 sqrt(.75 x .25 / 40) = +- 13.4 points.
    assert spread[True] == pytest.approx(2 * 13.4, rel=0.1)
    assert spread[False] < 1


def test_bootstrap_is_seeded():
    confusion = matrices(40, 8, True)
    first, again, other = (
        bootstrap_intervals(confusion, "ab", 200, seed, 0.05) for seed in (3, 3, 4)
    )
    assert first == again != other


def test_a_class_without_test_images_has_no_interval():
    confusion = np.array(
        [[[1, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 1, 0], [0, 0, 0]]] * 30
    )
    found = bootstrap_intervals(confusion, "abc", 100, 0, 0.05)
    assert found["recall_a"] == (100, 100)
    assert "recall_c" not in found


# ------------------------------------------------------------------------------------- of probabilities
def random_predictions(images: int, classes: str = "abc", seed: int = 0) -> Predictions:
    """Probabilities of two decimals, so that many are tied, somewhat higher for the label."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(classes), images)
    raw = generator.random((images, len(classes)))
    raw[np.arange(images), labels] += 0.3
    probabilities = np.round(raw / raw.sum(1, keepdims=True), 2)
    ids = tuple(f"{n:04}" for n in range(images))
    return Predictions(ids, labels, probabilities.argmax(1), probabilities, tuple(classes))


def test_weighted_auroc_is_that_of_scikit_learn():
    found = random_predictions(80)
    weights = bootstrap_weights(80, 20, 1)
    expected = [
        100
        * np.mean(
            [
                roc_auc_score(found.labels == k, found.probabilities[:, k], sample_weight=row)
                for k in range(3)
            ]
        )
        for row in weights
    ]
    values = weighted_macro_auroc(found.labels, found.probabilities, weights)
    np.testing.assert_allclose(values, expected)
    every = weighted_macro_auroc(found.labels, found.probabilities, np.ones((1, 80), int))
    assert every[0] == pytest.approx(macro_auroc(found.labels, found.probabilities))


def test_a_class_that_was_not_drawn_is_left_out_of_the_mean():
    labels, probabilities = np.array([0, 0, 1, 2]), np.eye(3)[[0, 1, 1, 2]] * 0.8 + 0.1
    (value,) = weighted_macro_auroc(labels, probabilities, np.array([[1, 1, 1, 0]]))
    # Without the only c. Of a: one of two before the b; of b: tied with one a, before the other.
    assert value == pytest.approx(100 * (0.75 + 0.75) / 2)
    (nothing,) = weighted_macro_auroc(labels, probabilities, np.array([[2, 2, 0, 0]]))
    assert np.isnan(nothing)


def test_intervals_of_probabilities_hold_the_value_and_come_from_the_same_draws(monkeypatch):
    found = random_predictions(200)
    units = units_of(found.ids, {})
    settings = {"bins": 15, "draws": 400, "seed": 3, "alpha": 0.05}
    intervals_found = probability_intervals(found, units, **settings)
    loss = calibration.log_losses(found.probabilities, found.labels)
    means = (bootstrap_weights(200, 400, 3) * loss).sum(1) / 200
    assert intervals_found["nll"] == pytest.approx(np.quantile(means, [0.025, 0.975]))
    brier = calibration.brier_score(found.probabilities, found.labels)
    assert intervals_found["brier"][0] < brier < intervals_found["brier"][1]
    auroc = macro_auroc(found.labels, found.probabilities)
    assert intervals_found["macro_auroc"][0] < auroc < intervals_found["macro_auroc"][1]
    # The calibration error of the first draw, computed anew from its images.
    first = probability_intervals(found, units, **settings | {"draws": 1})["ece"]
    drawn = np.repeat(np.arange(200), bootstrap_weights(200, 1, 3)[0])
    expected = calibration.expected_calibration_error(
        found.probabilities[drawn], found.labels[drawn], 15
    )
    assert first == pytest.approx((expected, expected))
    # In parts, where all weights at a time would take too much memory.
    monkeypatch.setattr(intervals, "LARGEST", 1000)
    assert probability_intervals(found, units, **settings) == intervals_found


def test_without_probabilities_they_have_no_intervals():
    found = replace(random_predictions(40), probabilities=None)
    settings = {"bins": 15, "draws": 50, "seed": 0, "alpha": 0.05}
    assert probability_intervals(found, units_of(found.ids, {}), **settings) == {}


def test_labels_of_one_class_have_no_auroc():
    found = random_predictions(40, "ab")
    one = Predictions(found.ids, found.labels * 0, found.predicted, found.probabilities, ("a", "b"))
    settings = {"bins": 15, "draws": 50, "seed": 0, "alpha": 0.05}
    assert set(probability_intervals(one, units_of(one.ids, {}), **settings)) == {
        *("nll", "brier", "ece")
    }
