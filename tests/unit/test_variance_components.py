"""Two-way random effects: by hand, and against a direct computation."""

import math

import numpy as np
import pytest
from builders import predictions_of
from scipy.stats import chi2, nct, norm, t, ttest_1samp

from fewlabels.statistics.metrics import confusion_by_unit, headline_metrics
from fewlabels.statistics.predictions import units_of
from fewlabels.statistics.variance_components import Estimate, pseudovalues, two_way


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
    Rows (1, 2, 3) and (5, 6, 10): row means 2, 7; column means 3, 4, 6.5; mean 4.5. MS_R = 3 x 12.5 = 37.5;
    MS_G = 2 x (2.25 + .25 + 4) / 2 = 6.5; rests +-(.5, .5, -1): MS_RG = 2 x 1.5 / 2 = 1.5.
    Variance (37.5 + 5) / 6, of which 37.5 / 42.5 is known from the replicates.
    """
    found = two_way(np.array([2.0, 7.0]), np.array([[1.0, 2, 3], [5, 6, 10]]))
    assert found.value == 4.5
    assert found.error == pytest.approx(math.sqrt(42.5 / 6))
    assert found.replicate_share == pytest.approx(37.5 / 42.5)
    critical = (37.5 * t.ppf(0.975, 1) + 5 * t.ppf(0.975, 2)) / 42.5
    assert found.critical(0.025) == pytest.approx(critical)
    half = critical * found.error
    assert found.interval(0.05) == pytest.approx((4.5 - half, 4.5 + half))


def test_replicates_that_agree_by_chance():
    """
    Rows (1, 2, 6) and (3, 4, 2); row means 3, 3; column means 2, 3, 4; mean 3. MS_R = 0; MS_G = 2 x 2 / 2 = 2; rests
    -1, -1, 2 and 1, 1, -2: MS_RG = 12 / 2 = 6, of which MS_R is taken as a tenth: the variance is .6 / 6 and not 0.
    """
    found = two_way(np.array([3.0, 3.0]), np.array([[1.0, 2, 6], [3, 4, 2]]))
    assert found.error == pytest.approx(math.sqrt(0.1))
    assert found.replicate_share == 1
    assert found.critical(0.025) == pytest.approx(t.ppf(0.975, 1))


def test_one_replicate_is_a_t_test_over_units():
    data = np.random.default_rng(0).normal(1, 3, (1, 30))
    found = two_way(data.mean(1), data)
    assert found.p_difference() == pytest.approx(ttest_1samp(data[0], 0).pvalue)
    assert found.replicate_share == 0
    assert found.critical(0.05) == pytest.approx(t.ppf(0.95, 29))


def test_replicates_without_units_are_a_t_test_over_replicates():
    """All units of a replicate alike: MS_G = MS_RG = 0, and the replicates' means are all that is known."""
    means = np.array([1.0, 2.5, 0.7, 3.1])
    found = two_way(means, np.tile(means[:, None], (1, 20)))
    assert found.replicate_share == 1
    assert found.p_difference() == pytest.approx(ttest_1samp(means, 0).pvalue)


def test_units_of_unequal_size_have_fewer_degrees_of_freedom():
    data = np.random.default_rng(0).normal(1, 3, (1, 30))
    found = two_way(data.mean(1), data, effective_units=6.5)
    assert found.error == two_way(data.mean(1), data).error
    assert found.critical(0.025) == pytest.approx(t.ppf(0.975, 5.5))


def test_replicates_that_agree_leave_the_units():
    """Equal replicates: MS_R = 0 = MS_RG, so the error is that of the units' means."""
    row = np.array([0.0, 100, 0, 0, 100, 0, 0, 0])
    found = two_way(np.full(3, row.mean()), np.tile(row, (3, 1)))
    assert found.error == pytest.approx(row.std(ddof=1) / math.sqrt(8))
    assert found.replicate_share == 0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("tail", [0.4, 0.025, 1e-4, 1e-12])
def test_tails_invert_critical_values(share, tail):
    found = Estimate(1.0, 1.0, 3, 400, 400, share)
    assert found.tail(found.critical(tail)) == pytest.approx(tail, rel=1e-6)
    assert found.tail(-found.critical(tail)) == pytest.approx(1 - tail, rel=1e-6)


def test_a_tail_is_between_those_of_its_parts():
    """At two errors: t with 2 degrees of freedom leaves .0918 on a side, with very many .0228."""
    assert Estimate(0, 1, 3, 10**6, 10**6, 1.0).tail(2) == pytest.approx(t.sf(2, 2))
    assert Estimate(0, 1, 3, 10**6, 10**6, 0.0).tail(2) == pytest.approx(norm.sf(2), rel=1e-4)
    half = Estimate(0, 1, 3, 10**6, 10**6, 0.5)
    tail = half.tail(2)
    assert norm.sf(2) < tail < t.sf(2, 2)
    assert (t.isf(tail, 2) + norm.isf(tail)) / 2 == pytest.approx(2, rel=1e-4)
    # Hopeless, not an error.
    assert 0 <= half.tail(1e6) < 1e-12
    assert half.tail(0) == pytest.approx(0.5)


def test_equivalence_by_hand():
    """Error 1, units alone, 30 of them: (3 - .5) / 1 errors below the margin of 3, and as far with the other sign."""
    for value in (0.5, -0.5):
        found = Estimate(value, 1.0, 1, 31, 31, 0.0)
        assert found.p_equivalence(3) == pytest.approx(t.sf(2.5, 30))
        assert found.p_equivalence(0.25) == pytest.approx(1 - t.sf(0.25, 30))


def test_no_difference_at_all():
    found = two_way(np.zeros(5), np.zeros((5, 300)))
    assert found.p_difference() == 1
    # (1 - .01)^300: no difference in 300 images, if 1 % of images did differ.
    assert found.p_equivalence(1) == pytest.approx(0.99**300)
    assert two_way(np.zeros(5), np.zeros((5, 30))).p_equivalence(1) > 0.7
    assert two_way(np.zeros(5), np.zeros((5, 300)), 20.0).p_equivalence(1) == pytest.approx(
        0.99**20
    )


def test_a_constant_difference():
    found = two_way(np.full(2, 5.0), np.full((2, 10), 5.0))
    assert (found.p_difference(), found.p_equivalence(1), found.p_equivalence(6)) == (0, 1, 0)


def test_a_single_test_image_decides_nothing():
    found = two_way(np.array([100.0, 0]), np.array([[100.0], [0]]))
    assert found.error == math.inf
    assert (found.p_difference(), found.p_equivalence(1)) == (1, 1)
    assert found.interval(0.05) == (-math.inf, math.inf)


def test_other_pools_of_training_images():
    """MS_R = 37.5 of the first example counts 1 + 2 x .5 / .5 = 3 times where half of the pool is drawn."""
    values, data = np.array([2.0, 7.0]), np.array([[1.0, 2, 3], [5, 6, 10]])
    found = two_way(values, data, shared_pool=0.5)
    assert found.error == pytest.approx(math.sqrt((3 * 37.5 + 5) / 6))
    assert found.replicate_share == pytest.approx(112.5 / 117.5)
    assert two_way(values, data, shared_pool=1.0).error == math.inf


def test_what_was_detectable_by_hand():
    """
    Half of the variance from 3 replicates (2 degrees of freedom), half from 101 units (100): by Satterthwaite
    1 / (.25 / 2 + .25 / 100) = 7.84.
    """
    found = Estimate(0.1, 2.0, 3, 101, 101, 0.5)
    value, low, high = found.detectable(0.025)
    critical = (t.ppf(0.975, 2) + t.ppf(0.975, 100)) / 2
    df = 1 / (0.25 / 2 + 0.25 / 100)
    # A t whose mean is shifted by so many errors lies above the critical value with a chance of .8.
    assert nct.sf(critical, df, value / 2) == pytest.approx(0.8, abs=1e-5)
    assert low == pytest.approx(value * math.sqrt(df / chi2.ppf(0.975, df)))
    assert high == pytest.approx(value * math.sqrt(df / chi2.ppf(0.025, df)))
    # One replicate: units alone. Very many of them: z.
    value, _, _ = Estimate(0.1, 2.0, 1, 31, 31, 0.0).detectable(0.025)
    assert nct.sf(t.ppf(0.975, 30), 30, value / 2) == pytest.approx(0.8, abs=1e-5)
    value, _, _ = Estimate(0.1, 2.0, 1, 10**7, 10**7, 0.0).detectable(0.025, power=0.9)
    assert value == pytest.approx(2 * (norm.ppf(0.975) + norm.ppf(0.9)), rel=1e-4)


def test_the_detectable_difference_is_found_as_often_as_said():
    """20 replicates and units: MS_R = MS_G = 1 + 20 / 4, MS_RG = 1: variance 11 / 400, 6 / 11 of it by replicates."""
    generator = np.random.default_rng(1)
    true, _, _ = Estimate(0.0, math.sqrt(11 / 400), 20, 20, 20, 6 / 11).detectable(0.025)
    hits = [two_way(*_drawn(generator, true, 20, 20)).p_difference() < 0.05 for _ in range(400)]
    assert np.mean(hits) == pytest.approx(0.8, abs=3 * 0.02)


def _drawn(
    generator: np.random.Generator, mean: float, replicates: int, units: int
) -> tuple[np.ndarray, np.ndarray]:
    data = mean + generator.normal(0, 1, (replicates, units))
    data += generator.normal(0, 1, (replicates, 1)) * 0.5 + generator.normal(0, 1, units) * 0.5
    return data.mean(1), data
