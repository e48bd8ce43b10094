"""Intervals of single runs: published values, and what the bootstrap must do."""

import math

import numpy as np
import pytest
from builders import predictions_of
from random_predictions import random_predictions
from scipy.stats import norm, t
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from fewlabels.statistics import auroc
from fewlabels.statistics.calibration import log_losses
from fewlabels.statistics.evaluation import (
    Settings,
    matrix_metric_rows,
    probability_rows,
    score,
)
from fewlabels.statistics.intervals import (
    bootstrap_weights,
    interval_of_mean,
    resampled_matrices,
    resampled_probabilities,
    resampling_weights,
    share_intervals,
    wilson_of,
)
from fewlabels.statistics.metrics import confusion_by_unit, headline_metrics
from fewlabels.statistics.predictions import Predictions, Units, units_of


def wilson(right: int, images: int, alpha: float = 0.05) -> tuple[float, float]:
    """Of independent images, in one unit or in many."""
    low, high = share_intervals(np.array([[right]]), np.array([[images]]), False, alpha)
    return float(low[0]), float(high[0])


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
        # All of a class of 7 images: no certainty.
        (7, 7, 64.57, 100),
    ],
)
def test_wilson(right, images, low, high):
    places = 2 if images in (263, 20, 7) else 1
    assert [round(value, places) for value in wilson(right, images)] == [low, high]
    for alpha in (0.05, 0.01):
        expected = proportion_confint(right, images, alpha=alpha, method="wilson")
        assert wilson(right, images, alpha) == pytest.approx([100 * v for v in expected])


def test_wilson_of_a_value_with_an_error():
    """80 % with an error of 4 points is as 100 independent images: sqrt(.8 x .2 / 100) = .04."""
    z = norm.ppf(0.975)
    assert wilson_of(80, 4, z, 30) == pytest.approx(wilson(80, 100))
    # t of 4 degrees of freedom in place of z, by Wilson's equation itself: (p - x)^2 = t^2 x (1 - x) / n.
    critical = t.ppf(0.975, 4)
    for limit in wilson_of(80, 4, critical, 30):
        x = limit / 100
        assert (0.8 - x) ** 2 == pytest.approx(critical**2 * x * (1 - x) / 100)
    # No more images than there are.
    assert wilson_of(80, 4, z, 30, most=50) == pytest.approx(wilson(40, 50))


@pytest.mark.parametrize(("value", "error"), [(100, 0), (0, 0), (100, 1.0), (75, 0)])
def test_no_error_is_no_certainty(value, error):
    """As many images as there are effective units are taken as independent."""
    found = wilson_of(value, error, norm.ppf(0.975), 12.0)
    assert found == pytest.approx(wilson(round(0.12 * value), 12))
    assert 0 <= found[0] < found[1] <= 100


# ------------------------------------------------------------------------------------- the bootstrap
def test_every_resample_has_as_many_units():
    weights = bootstrap_weights(30, 200, 1)
    assert weights.shape == (200, 30)
    assert set(weights.sum(1)) == {30}
    expected = np.random.default_rng(1).multinomial(30, [1 / 30] * 30, 200)
    assert np.array_equal(weights, expected)
    # The same for every run: not drawn anew.
    assert bootstrap_weights(30, 200, 1) is weights


def test_single_images_are_drawn_within_their_classes():
    """So that no draw lacks a class; of the second class there is one image, which is in every draw."""
    # Images are not in the order of their units.
    units = Units(np.array([3, 0, 1, 2, 5, 4]), 6)
    labels = np.array([0, 2, 0, 1, 2, 0])
    weights = resampling_weights(units, labels, 300, 7)
    drawn = weights[:, units.codes]
    assert [set(drawn[:, labels == place].sum(1)) for place in range(3)] == [{3}, {1}, {2}]
    assert drawn[:, labels == 0].max() > 1
    # Slides as a whole, whatever their classes.
    slides = Units(np.array([0, 0, 1, 1, 2, 3]), 4)
    assert resampling_weights(slides, labels, 300, 7) is bootstrap_weights(4, 300, 7)
    other = resampling_weights(units, np.zeros(6, int), 300, 7)
    assert set(other[:, units.codes][:, labels == 0].sum(1)) > {3}


def test_resampled_matrices_are_those_of_the_images_drawn():
    generator = np.random.default_rng(0)
    confusion = generator.integers(0, 3, (5, 3, 3))
    weights = bootstrap_weights(5, 4, 2)
    for row, matrix in zip(weights, resampled_matrices(confusion, weights), strict=True):
        drawn = np.repeat(np.arange(5), row.astype(int))
        assert (matrix == confusion[drawn].sum(0)).all()


def by_slides(within: bool) -> tuple[Predictions, dict[str, str]]:
    """Forty slides of eight images of two classes, 3 of 4 right: the wrong ones by chance, or whole slides of them."""
    chance = np.random.default_rng(0).permutation(320) < 80
    wrong = np.arange(320) // 8 % 4 == 0 if within else chance
    answers = "".join("ab"[(n + bad) % 2] for n, bad in enumerate(wrong))
    predictions = predictions_of("ab" * 160, answers)
    return predictions, {name: f"{int(name) // 8}" for name in predictions.ids}


def rows_of(predictions: Predictions, slides: dict[str, str], **settings) -> dict[str, dict]:
    rows = matrix_metric_rows(score(predictions, slides), Settings(**settings), by_class=True)
    return {row["metric"]: row for row in rows}


def test_intervals_widen_where_slides_fail_together():
    spread = {}
    for within in (False, True):
        found, slides = by_slides(within)
        rows = rows_of(found, slides, bootstrap=2000)
        row = rows["balanced_accuracy"]
        assert row["low"] <= 75 <= row["high"]
        spread[within] = row["high"] - row["low"]
        assert row["interval"] == "bootstrap_groups"
        kinds = {rows[name]["interval"] for name in ("accuracy", "recall_a", "precision_b")}
        assert kinds == {"wilson_groups"}
    spread_out, _ = by_slides(False)
    # Forty slides that are right or wrong as a whole: 75 +- 1.96 sqrt(.75 x .25 / 40) = +- 13.4 points.
    assert spread[True] == pytest.approx(2 * 13.4, rel=0.1)
    # By the slides' own spread, as each has as many images of both classes.
    of_slide = (spread_out.labels == spread_out.predicted).reshape(40, 8).mean(1)
    expected = 2 * 1.96 * 100 * of_slide.std() / math.sqrt(40)
    assert expected < 8
    assert spread[False] == pytest.approx(expected, rel=0.1)
    # Wilson's of 39 images, the jackknife's variance being .75 x .25 / 39, with t of 39 degrees of freedom.
    accuracy = rows["accuracy"]
    expected = wilson_of(75, 100 * math.sqrt(0.75 * 0.25 / 39), t.ppf(0.975, 39), 1)
    assert (accuracy["low"], accuracy["high"]) == pytest.approx(expected)


def test_the_bootstrap_is_seeded():
    found, slides = by_slides(True)
    first, again, other = (rows_of(found, slides, bootstrap=200, seed=seed) for seed in (3, 3, 4))
    assert first == again != other


def test_the_percentiles_of_the_draws_are_the_interval():
    found = predictions_of("ab" * 40 + "c" * 20, "ab" * 20 + "ba" * 20 + "c" * 15 + "a" * 5)
    rows = rows_of(found, {}, bootstrap=300, seed=5, alpha=0.1)
    confusion = confusion_by_unit(found, units_of(found.ids, {}))
    weights = resampling_weights(units_of(found.ids, {}), found.labels, 300, 5)
    values = headline_metrics(resampled_matrices(confusion, weights))["macro_f1"]
    row = rows["macro_f1"]
    assert [row["low"], row["high"]] == pytest.approx(np.quantile(values, [0.05, 0.95]))
    assert row["interval"] == "bootstrap_images"


def test_balanced_accuracy_has_its_recalls_limits_squared_and_added():
    """Half of 20 and all of 7: the second adds nothing above."""
    found = predictions_of("a" * 20 + "b" * 7, "ab" * 10 + "b" * 7)
    row = rows_of(found, {})["balanced_accuracy"]
    (low_a, high_a), (low_b, _) = wilson(10, 20), wilson(7, 7)
    expected = (75 - math.hypot(50 - low_a, 100 - low_b) / 2, 75 + (high_a - 50) / 2)
    assert (row["low"], row["high"]) == pytest.approx(expected)
    assert row["interval"] == "wilson"
    # A class that no test image is of does not count.
    wider = predictions_of("a" * 20 + "b" * 7, "ac" * 10 + "b" * 7)
    assert rows_of(wider, {})["balanced_accuracy"]["low"] == pytest.approx(row["low"])


def test_intervals_of_means_of_shares_hold_the_truth():
    """Recall .97 of classes of 300, 100 and 12 images: most often no error is seen in the last one."""
    images = np.array([300, 100, 12])[:, None]
    hits = np.random.default_rng(0).binomial(images, 0.97, (3, 1000))
    held, resampled = [], []
    generator = np.random.default_rng(1)
    for column in hits.T:
        limits = share_intervals(column[None], images.T, False, 0.05)
        low, high = interval_of_mean(100 * column / images[:, 0], *limits)
        held.append(low <= 97 <= high)
        draws = generator.binomial(images, (column / images[:, 0])[:, None], (3, 100)) / images
        low, high = np.quantile(100 * draws.mean(0), [0.025, 0.975])
        resampled.append(low <= 97 <= high)
    assert 0.92 < np.mean(held) < 0.98
    assert np.mean(resampled) < 0.8


# ------------------------------------------------------------------------------------- reasons
def right(classes: str, wrong: int) -> Predictions:
    """All images right but the first ``wrong``, which are taken for the last class."""
    return predictions_of(classes, classes[-1] * wrong + classes[wrong:])


MACRO = {"macro_f1", "mcc", "kappa"}


def without_interval(rows: dict[str, dict]) -> dict[str, str]:
    return {name: row["state"] for name, row in rows.items() if "interval" not in row}


@pytest.mark.parametrize(("images", "few"), [(9, True), (10, False)])
def test_what_hangs_on_a_class_of_few_images_has_no_interval(images, few):
    found = right("ab" * 30 + "c" * images, 10)
    reasons = without_interval(rows_of(found, {}))
    state = "no interval: fewer than 10 test images of c"
    assert reasons == (dict.fromkeys({*MACRO, "f1_c"}, state) if few else {})
    # The values stay, and Wilson's intervals do.
    rows = rows_of(found, {})
    assert rows["macro_f1"]["value"] == pytest.approx(score(found, {}).values["macro_f1"])
    recall = rows["recall_c"]
    assert (recall["low"], recall["high"]) == pytest.approx(wilson(images, images))


def test_what_hangs_on_a_class_of_few_slides_has_no_interval():
    found = right("a" * 60 + "b" * 60, 20)
    # The 60 of b are of 4 slides of 15, those of a of 30 slides of 2.
    slides = {name: f"s{n // 2 if n < 60 else 100 + n // 15}" for n, name in enumerate(found.ids)}
    rows = rows_of(found, slides)
    state = "no interval: fewer than 5 effective slides"
    assert without_interval(rows) == {
        # 120^2 / (30 x 4 + 4 x 225) = 14.1 effective slides.
        **dict.fromkeys({*MACRO, "balanced_accuracy", "f1_b"}, f"{state} of b"),
        "f1_a": "no interval: fewer than 20 effective slides",
        "recall_b": state,
    }
    one = rows_of(found, {name: f"s{n % 4}" for n, name in enumerate(found.ids)})
    assert one["accuracy"]["state"] == state
    assert one["accuracy"]["value"] == pytest.approx(100 * 100 / 120)


def test_few_images_are_not_resampled():
    assert without_interval(rows_of(right("ab" * 10, 3), {})) == {}
    reasons = without_interval(rows_of(right("a" * 19, 0), {}))
    assert set(reasons.values()) == {"no interval: fewer than 20 test images"}
    assert set(reasons) == {*MACRO, "f1_a"}


def test_no_interval_has_zero_width():
    rows = rows_of(right("ab" * 15, 0), {})
    reasons = without_interval(rows)
    assert reasons == dict.fromkeys(
        {*MACRO, "f1_a", "f1_b"}, "no interval: resampled test sets all score alike"
    )
    for name in ("accuracy", "recall_a", "precision_b"):
        assert rows[name]["low"] < rows[name]["high"] == 100


def test_a_class_never_predicted_or_never_labelled():
    found = predictions_of("a" * 20 + "b" * 20, "a" * 30 + "c" * 10)
    rows = rows_of(found, {})
    assert rows["precision_b"]["state"] == "no interval: never predicted"
    assert (rows["precision_b"]["value"], rows["recall_b"]["interval"]) == (0, "wilson")
    # It has no test image: no class of few.
    assert rows["macro_f1"]["interval"] == "bootstrap_images"
    assert (rows["recall_c"]["value"], rows["recall_c"]["state"]) == (
        None,
        "no test image of this class",
    )
    precision = rows["precision_c"]
    assert (precision["low"], precision["high"]) == pytest.approx(wilson(0, 10))


# ------------------------------------------------------------------------------------- of probabilities
def probability_intervals(predictions: Predictions, slides: dict[str, str]) -> dict[str, tuple]:
    rows = probability_rows(score(predictions, slides), None, Settings(bootstrap=400, seed=3))
    return {row["metric"]: (row["low"], row["high"]) for row in rows if "interval" in row}


def test_intervals_of_probabilities_hold_the_value_and_come_from_the_same_draws(monkeypatch):
    found = random_predictions(200)
    units = units_of(found.ids, {})
    intervals_found = probability_intervals(found, {})
    # The calibration error has none.
    assert list(intervals_found) == ["nll", "brier", "macro_auroc"]
    loss = log_losses(found.probabilities, found.labels)
    weights = resampling_weights(units, found.labels, 400, 3)
    means = (weights[:, units.codes] * loss).sum(1) / 200
    assert intervals_found["nll"] == pytest.approx(np.quantile(means, [0.025, 0.975]))
    rows = probability_rows(score(found, {}), None, Settings())
    values = {row["metric"]: row["value"] for row in rows}
    for name, (low, high) in intervals_found.items():
        assert low < values[name] < high
    # In parts, where all weights at a time would take too much memory.
    monkeypatch.setattr(auroc, "LARGEST", 1000)
    assert probability_intervals(found, {}) == intervals_found


def test_probabilities_are_resampled_by_slides():
    """Each slide's images have one loss: as few terms as slides."""
    found = random_predictions(400)
    slides = {name: f"s{int(name) // 10}" for name in found.ids}
    units = units_of(found.ids, slides)
    of_slide = np.where(np.arange(40) % 2, 0.9, 0.6)[units.codes]
    probabilities = np.repeat((1 - of_slide)[:, None] / 2, 3, axis=1)
    probabilities[np.arange(400), found.labels] = of_slide
    weights = bootstrap_weights(40, 500, 3)
    draws = resampled_probabilities(found.labels, probabilities, units, weights)["nll"]
    share = np.array([row[units.codes[np.arange(0, 400, 10)] % 2 == 1].sum() for row in weights])
    assert len(share) == 500
    by_unit = np.zeros(40)
    by_unit[units.codes] = -np.log(of_slide)
    assert draws == pytest.approx((weights * by_unit).sum(1) / 40)
    assert draws.std() == pytest.approx(by_unit.std() / math.sqrt(40), rel=0.1)


def test_the_auroc_of_a_draw_is_that_of_its_slides():
    """Slides whose images do not stand side by side."""
    found = random_predictions(90, "ab")
    units = units_of(found.ids, {name: f"s{int(name) % 30}" for name in found.ids})
    weights = bootstrap_weights(30, 5, 1)
    draws = resampled_probabilities(found.labels, found.probabilities, units, weights)
    for value, row in zip(draws["macro_auroc"], weights, strict=True):
        drawn = np.repeat(np.arange(90), row[units.codes].astype(int))
        expected = roc_auc_score(found.labels[drawn], found.probabilities[drawn, 1])
        assert value == pytest.approx(100 * expected)


def test_labels_of_one_class_have_no_auroc():
    found = random_predictions(40, "ab")
    one = Predictions(found.ids, found.labels * 0, found.predicted, found.probabilities, ("a", "b"))
    assert set(probability_intervals(one, {})) == {"nll", "brier"}


def test_few_images_of_a_class_leave_no_interval_of_the_auroc():
    found = random_predictions(60, "ab")
    labels = np.where(np.arange(60) < 9, 1, 0)
    few = Predictions(found.ids, labels, found.predicted, found.probabilities, ("a", "b"))
    assert set(probability_intervals(few, {})) == {"nll", "brier"}
    rows = probability_rows(score(few, {}), None, Settings())
    assert rows[3]["metric"] == "macro_auroc"
    assert rows[3]["state"] == "no interval: fewer than 10 test images of b"
