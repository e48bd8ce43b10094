"""Two-way random effects: by hand, against a direct computation, and in simulated tables."""

import math

import numpy as np
import pytest
from builders import predictions_of
from scipy.stats import t, ttest_1samp

from fewlabels.statistics.metrics import confusion_by_unit, headline_metrics
from fewlabels.statistics.predictions import units_of
from fewlabels.statistics.variance_components import (
    Estimate,
    crossed_components,
    needed,
    projected,
    pseudovalues,
    two_way,
)


def test_pseudovalues_of_an_accuracy_are_the_images():
    predictions = predictions_of("aabb", "abbb")
    found = pseudovalues(confusion_by_unit(predictions, units_of(predictions.ids, {})))
    assert found["accuracy"] == pytest.approx([100, 0, 100, 100])


def test_pseudovalues_of_a_macro_f1_by_definition():
    predictions = predictions_of("aabbcacb", "abbbcaac")
    confusion = confusion_by_unit(predictions, units_of(predictions.ids, {}))
    whole = float(headline_metrics(confusion.sum(0))["macro_f1"])
    found = pseudovalues(confusion)["macro_f1"]
    for place in range(8):
        kept = [n for n in range(8) if n != place]
        rest = float(headline_metrics(confusion[kept].sum(0))["macro_f1"])
        assert found[place] == pytest.approx(8 * whole - 7 * rest)


def test_mean_squares_by_hand():
    """
    Two replicates, three units: rows (1, 2, 6) and (3, 4, 2); row means 3, 3; column means 2, 3, 4; mean 3.
    MS_R = 0; MS_G = 2 x (1 + 0 + 1) / 2 = 2; rests -1, -1, 2 and 1, 1, -2: MS_RG = 12 / 2 = 6, which MS_R is raised to.
    """
    found = two_way(np.array([3.0, 3.0]), np.array([[1.0, 2, 6], [3, 4, 2]]))
    assert found.value == 3
    assert found.error == pytest.approx(1)
    assert found.df == pytest.approx(1)
    assert (found.var_replicate, found.var_unit, found.var_both) == (0, 0, 6)
    """
    Rows (1, 2, 3) and (5, 6, 10): row means 2, 7; column means 3, 4, 6.5; mean 4.5. MS_R = 3 x 12.5 = 37.5;
    MS_G = 2 x (2.25 + .25 + 4) / 2 = 6.5; rests +-(.5, .5, -1): MS_RG = 2 x 1.5 / 2 = 1.5.
    Variance (37.5 + 5) / 6, df (42.5 / 37.5)^2 x 1.
    """
    found = two_way(np.array([2.0, 7.0]), np.array([[1.0, 2, 3], [5, 6, 10]]))
    assert found.error == pytest.approx(math.sqrt(42.5 / 6))
    assert found.df == pytest.approx((42.5 / 37.5) ** 2)
    assert found.var_replicate == pytest.approx(12)
    assert found.var_unit == pytest.approx(2.5)
    half = t.ppf(0.975, found.df) * found.error
    assert found.interval(0.05) == pytest.approx((4.5 - half, 4.5 + half))


def test_one_replicate_is_a_t_test_over_units():
    data = np.random.default_rng(0).normal(1, 3, (1, 30))
    found = two_way(data.mean(1), data)
    assert found.p_difference() == pytest.approx(ttest_1samp(data[0], 0).pvalue)
    assert found.var_replicate is None
    assert found.df == 29


def test_replicates_that_agree_leave_the_units():
    """Equal replicates: MS_R = 0 = MS_RG, so the error is that of the units' means."""
    row = np.array([0.0, 100, 0, 0, 100, 0, 0, 0])
    found = two_way(np.full(3, row.mean()), np.tile(row, (3, 1)))
    assert found.error == pytest.approx(row.std(ddof=1) / math.sqrt(8))
    assert found.df > 1e5


def test_no_difference_at_all():
    found = two_way(np.zeros(5), np.zeros((5, 300)))
    assert found.p_difference() == 1
    # (1 - .01)^300: no difference in 300 images, if 1 % of images did differ.
    assert found.p_equivalence(1) == pytest.approx(0.99**300)
    assert two_way(np.zeros(5), np.zeros((5, 30))).p_equivalence(1) > 0.7


def test_a_constant_difference():
    found = two_way(np.full(2, 5.0), np.full((2, 10), 5.0))
    assert (found.p_difference(), found.p_equivalence(1), found.p_equivalence(6)) == (0, 1, 0)


def test_a_single_test_image_decides_nothing():
    found = two_way(np.array([100.0, 0]), np.array([[100.0], [0]]))
    assert found.error == math.inf
    assert found.p_difference() == 1
    assert found.p_equivalence(1) > 0.4
    assert needed(found, 1, 0.05, 1) == (None, None)


def estimate(value, replicates, units, var_replicate, var_unit, var_both) -> Estimate:
    error = math.sqrt(var_replicate / replicates + var_unit / units + var_both / replicates / units)
    return Estimate(value, error, 10, replicates, units, var_replicate, var_unit, var_both)


def test_projection_to_the_present_numbers_is_the_present_error():
    generator = np.random.default_rng(3)
    data = (
        generator.normal(0, 1, (4, 50))
        + generator.normal(0, 1, (4, 1))
        + generator.normal(0, 1, 50)
    )
    found = two_way(data.mean(1), data)
    assert projected(found, 4, 50) == pytest.approx((found.error, found.df))
    error, df = projected(found, 8, 50)
    assert error < found.error
    assert df > found.df


def test_needed_by_hand():
    """
    Variance of the mean with R replicates: 4 / R + 50 / 100 + 100 / (100 R) = 5 / R + .5. At R = 30 it is .667; df =
    ((500 + 50 R) / 500)^2 (R - 1) = 464, t(.975) = 1.965: 1.605 = 1.965 x sqrt(.667). At 29 it is 1.614.
    With 5 replicates it is .8 + 70 / G, 5 x .8 / 4 of it known with few df: no G brings 1.6 below t sqrt(.8) = 1.75.
    """
    found = estimate(1.606, 5, 100, 4, 50, 100)
    assert needed(found, 0.1, 0.05, 1) == (30, None)
    # More comparisons ask for more.
    assert needed(found, 0.1, 0.05, 2)[0] > 60
    # A difference near the margin can be neither shown to be there nor to be none.
    assert needed(estimate(0.01, 2, 10, 1e4, 1e4, 0), 0.01, 0.05, 1) == (None, None)


def test_needed_for_equivalence():
    """No difference, only replicates spread: 2 >= t(.95, R - 1) x sqrt(40 / R) first at R = 29.

    There it is 1.701 x 1.174 = 1.998.
    """
    found = estimate(0.0, 5, 100, 40, 0, 0)
    assert needed(found, 2, 0.05, 1) == (29, None)


def test_needed_of_one_replicate_are_units():
    """The first G with .5 >= t(.975, G - 1) x sqrt(10 / G), by trying each."""
    found = Estimate(0.5, 0.4, 49, 1, 50, None, 10.0, 0.0)
    replicates, units = needed(found, 0.1, 0.05, 1)
    assert replicates is None
    assert units == next(
        number
        for number in range(51, 999)
        if t.ppf(0.975, number - 1) * math.sqrt(10 / number) <= 0.5
    )


def test_crossed_components_by_hand():
    """
    Values 1 2 / 5 8: row means 1.5, 6.5; column means 3, 5; mean 4. MS of rows 2 x 12.5 = 25, of columns
    2 x 2 = 4, of the rest 4 x .25 / 1 = 1: variances (25 - 1) / 2, (4 - 1) / 2, 1.
    """
    found = crossed_components(np.array([[1.0, 2], [5, 8]]))
    assert found == pytest.approx((math.sqrt(12), math.sqrt(1.5), 1))
    # No more spread between rows and columns than within: clipped at 0.
    assert crossed_components(np.array([[1.0, 0], [0, 1]]))[:2] == (0, 0)


def test_crossed_components_find_the_truth():
    generator = np.random.default_rng(0)
    subset, start = generator.normal(0, 3, (400, 1)), generator.normal(0, 1, (1, 400))
    found = crossed_components(subset + start + generator.normal(0, 0.5, (400, 400)))
    assert found == pytest.approx((3, 1, 0.5), rel=0.1)


def test_needed_images_though_a_million_would_not_do():
    """With ever more images the degrees of freedom fall to R - 1: t grows faster than the error falls."""
    found = estimate(3.07, 5, 994, 2.85, 1128, 241)
    _, units = needed(found, 1, 0.05, 4)
    assert units is not None

    def decides(number: int) -> bool:
        error, df = projected(found, 5, number)
        return found.value >= t.ppf(1 - 0.05 / 8, df) * error

    assert decides(units) and not decides(units - 1)
    assert not decides(1_000_000)
