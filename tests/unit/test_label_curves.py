"""Gains and ratios of label counts, worked by hand; their intervals and tests on experiments with known truth."""

import math
from dataclasses import replace

import numpy as np
import pytest
from label_curves import STEEP, coverage, finds, moved
from scipy.optimize import brentq

from fewlabels.statistics.label_efficiency import (
    AT_LEAST,
    AT_MOST,
    FLAT,
    Curves,
    Limit,
    difference,
    fraction_ratio,
    fraction_shift,
    gain,
    mean_weights,
    pooled_ratio,
    pooled_shift,
)

#: As far apart on the logarithm's axis.
LABELS = (10, 100, 1000)
BASELINE = (60, 70, 80)


def curves(arm, baseline=BASELINE, labels=LABELS, noise=0.0, **more) -> Curves:
    """Curves of five replicates and 40 units; ``noise``: standard deviation of the arm's pseudovalues."""
    generator = np.random.default_rng(3)
    shape = (len(labels), 5, 40)
    sides = [
        np.broadcast_to(np.array(side, float)[:, None, None], shape) for side in (arm, baseline)
    ]
    spread = noise * generator.standard_normal(shape)
    # So that the mean over all is just what is asked for.
    sides[0] = sides[0] + spread - spread.mean((1, 2), keepdims=True)
    values = [side.mean(2) for side in sides]
    return Curves(np.array(labels), *values, *sides, **more)


def known(ratio: float) -> Limit:
    return Limit(pytest.approx(ratio, rel=1e-5), "")


def test_weights_of_a_mean_are_trapezoids():
    points = np.array([0.0, 1.0, 3.0])
    np.testing.assert_allclose(mean_weights(points, 0, 3), np.array([1, 3, 2]) / 6)
    # From 0.5 to 2: between 0 and 1 half a piece, between 1 and 3 half a piece.
    np.testing.assert_allclose(mean_weights(points, 0.5, 2) * 1.5, [0.125, 1.125, 0.25])


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_gain_is_the_area_between_the_curves_over_its_length(order):
    """Differences of 1, 2 and 6 points at ln 1, ln 10, ln 1000: (1.5 x 1 + 4 x 2) / 3."""
    arm, labels = np.array([61, 72, 86])[order], np.array([1, 10, 1000])[order]
    found = gain(curves(arm, np.array(BASELINE)[order], labels))
    assert found.value == pytest.approx(9.5 / 3)
    assert (found.replicates, found.units) == (5, 40)


def test_a_gain_has_the_uncertainty_of_the_weighted_sum():
    """Two points: each weighs a half."""
    noisy = curves((62, 73), (60, 70), (10, 100), noise=20)
    differences = (noisy.arm_data - noisy.baseline_data).mean(0)
    found = gain(noisy)
    assert found.value == pytest.approx(2.5)
    rest = differences - differences.mean(0) - differences.mean(1, keepdims=True) + found.value
    both = (rest**2).sum() / (4 * 39)
    replicates = max(40 * differences.mean(1).var(ddof=1), both / 10)
    units = max(5 * differences.mean(0).var(ddof=1) - both, 0)
    assert found.error == pytest.approx(math.sqrt((replicates + units) / 200))


def test_ratios_by_hand():
    """The baseline reaches 65 half way from 10 to 100 labels, and never 85."""
    five_better = curves((65, 75, 85))
    assert fraction_ratio(five_better, 0, None).value == known(math.sqrt(10))
    assert fraction_ratio(five_better, 1, None).value == known(math.sqrt(10))
    assert fraction_ratio(five_better, 2, None).value == Limit(pytest.approx(1), AT_LEAST)
    # Half a decade: 75 - 5 x .5 = 70 + 5 x .5.
    assert pooled_ratio(five_better, None).value == known(math.sqrt(10))


def test_an_arm_that_is_worse_costs_labels():
    worse = curves((55, 65, 75))
    assert fraction_ratio(worse, 0, None).value == Limit(pytest.approx(1), AT_MOST)
    assert fraction_ratio(worse, 1, None).value == known(1 / math.sqrt(10))
    assert fraction_ratio(worse, 2, None).value == known(1 / math.sqrt(10))
    assert pooled_ratio(worse, None).value == known(1 / math.sqrt(10))


def test_what_is_above_or_below_the_baseline_everywhere_is_bounded():
    above, below = curves((90, 90, 90), noise=5), curves((50, 50, 50), noise=5)
    for place, labels in enumerate(LABELS):
        most, least = pytest.approx(1000 / labels), pytest.approx(10 / labels)
        assert fraction_ratio(above, place, None).value == Limit(most, AT_LEAST)
        assert fraction_ratio(below, place, None).value == Limit(least, AT_MOST)
        found = fraction_ratio(above, place, 0.05)
        assert found.low == found.high == Limit(most, AT_LEAST)
    # A third of the two decades must overlap.
    assert pooled_ratio(above, None).value == Limit(pytest.approx(100 ** (2 / 3)), AT_LEAST)
    assert pooled_ratio(below, None).value == Limit(pytest.approx(100 ** (-2 / 3)), AT_MOST)


def test_equal_curves_save_nothing():
    equal = curves(BASELINE)
    assert gain(equal).value == 0
    for place in range(3):
        assert fraction_ratio(equal, place, 0.05).value == known(1)
    found = pooled_ratio(equal, 0.05)
    assert found.value == found.low == found.high == known(1)


def test_a_baseline_that_falls_is_made_monotone():
    """60 and 57 weigh 1 and 2: 58 both. 69 lies half way from 58 to 80."""
    bent = curves((65, 69, 90), (60, 57, 80))
    assert fraction_ratio(bent, 1, None).value == known(math.sqrt(10))
    # The mean over the range stays, so that an unmoved curve shows the gain.
    assert pooled_shift(bent).value(0) == pytest.approx(gain(bent).value)
    assert pooled_ratio(bent, None).value.value > 1


def test_points_are_pooled_by_their_weights():
    """60 and 57 make 58, below 58.2, and not 58.5."""
    bent = curves((65, 69, 90), (60, 57, 58.2))
    monotone = bent.monotone(bent.baseline).T @ bent.baseline.mean(1)
    np.testing.assert_allclose(monotone, [58, 58, 58.2])


def test_an_arm_that_falls_is_made_monotone_for_the_pooled_ratio():
    """72 and 66 weigh 1 and 2: 68 both. Moved by d decades, 68 + 11 (1 - d)^2 / (2 - d) meets 70 + 5 d."""
    shift = brentq(lambda d: 68 + 11 * (1 - d) ** 2 / (2 - d) - (70 + 5 * d), 0, 1)
    assert pooled_ratio(curves((72, 66, 90)), None).value == known(10**shift)


def test_on_a_level_the_ratio_nearest_to_1_counts():
    """The baseline has 70 from 10 to 100 labels."""
    level = curves((70, 70, 70), (70, 70, 80))
    assert fraction_ratio(level, 0, None).value == known(1)
    assert fraction_ratio(level, 1, None).value == known(1)
    assert fraction_ratio(level, 2, None).value == known(0.1)


@pytest.mark.parametrize("baseline", [(70, 70, 70), (80, 70, 60)])
def test_a_baseline_that_does_not_rise_has_no_ratio(baseline):
    flat = curves((65, 75, 85), baseline)
    for found in (fraction_ratio(flat, 0, 0.05), pooled_ratio(flat, 0.05)):
        assert (found.reason, found.value, found.low, found.high) == (FLAT, None, None, None)


def test_fractions_with_as_many_labels_are_one_point():
    """64 and 66 at 10 labels are 65."""
    double = curves((65, 65, 75), (56, 64, 70), (10, 10, 100))
    assert gain(double).value == pytest.approx(5)
    assert fraction_ratio(double, 0, None).value == known(math.sqrt(10))


def test_the_interval_inverts_the_test():
    """The baseline does not vary: where it passes the ends of the arm's own interval are the ratio's."""
    noisy = curves((64, 75, 79), noise=12)
    for alpha in (0.05, 0.4):
        own = replace(noisy, baseline=0 * noisy.baseline, baseline_data=0 * noisy.baseline_data)
        low, high = difference(own, 1).interval(alpha)
        assert 70 < low < high < 80
        found = fraction_ratio(noisy, 1, alpha)
        assert found.low == known(10 ** ((low - 70) / 10))
        assert found.high == known(10 ** ((high - 70) / 10))


def test_ends_beyond_the_range_are_bounds():
    noisy = curves((60.2, 70, 79.8), noise=12)
    assert fraction_ratio(noisy, 0, 0.05).low == Limit(pytest.approx(1), AT_MOST)
    assert fraction_ratio(noisy, 0, 0.05).high.bound == ""
    assert fraction_ratio(noisy, 2, 0.05).high == Limit(pytest.approx(1), AT_LEAST)
    assert fraction_ratio(noisy, 2, 0.05).low.bound == ""
    loud = curves((65, 70, 75), noise=900)
    found = fraction_ratio(loud, 1, 0.05)
    assert found.low == Limit(pytest.approx(0.1), AT_MOST)
    assert found.high == Limit(pytest.approx(10), AT_LEAST)


def test_the_pooled_interval_agrees_with_the_pooled_test():
    for better in (0.6, 1.2, 2.4):
        noisy = curves(np.array(BASELINE) + better, noise=20)
        found = pooled_ratio(noisy, 0.05)
        assert (found.low.value > 1) == (gain(noisy).p_difference() < 0.05)
        assert found.low.value < found.value.value < found.high.value


def test_units_and_the_pool_of_training_images_are_heeded():
    noisy = curves((65, 75, 85), noise=20)
    few = gain(replace(noisy, effective_units=3.0))
    assert few.effective_units == 3
    assert gain(replace(noisy, shared_pool=0.5)).error > gain(noisy).error
    assert gain(replace(noisy, shared_pool=1.0)).error == math.inf
    assert fraction_shift(replace(noisy, shared_pool=1.0), 1).possible(2.0, 0.05)


def test_intervals_hold_the_truth():
    """More tables and settings: benchmarks/label_curves.py, 94 to 98 %."""
    found = coverage(replace(STEEP, images=250), tables=60, seed=4)
    assert set(found) == {"gain", "ratio at 84", "ratio at 845", "ratio at 4223", "pooled ratio"}
    for name, share in found.items():
        assert 0.9 <= share <= 1, name
    assert np.mean(list(found.values())) < 1


def test_false_finds_and_power():
    """Of three arms: one test of each finds more than a test for each of its fractions, and no more falsely."""
    pooled, single = finds(moved(0.0, 3, images=200), tables=60, seed=5)
    assert pooled <= 0.1
    assert single <= 0.1
    pooled, single = finds(moved(3.0, 3, images=400), tables=60, seed=5)
    assert pooled > single + 0.1
