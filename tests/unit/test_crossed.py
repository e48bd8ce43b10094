"""What spreads crossed runs: by hand, and upper limits that hold in simulated tables."""

import math

import numpy as np
import pytest
from scipy.stats import chi2, f

from fewlabels.statistics.crossed import crossed_spread


def test_components_by_hand():
    """
    Values 1 2 / 5 8: row means 1.5, 6.5; column means 3, 5; mean 4. MS of rows 2 x 12.5 = 25, of columns
    2 x 2 = 4, of the rest 4 x .25 / 1 = 1: variances (25 - 1) / 2, (4 - 1) / 2, 1. F(1, 1) tests 25 and 4.
    """
    found = crossed_spread(np.array([[1.0, 2], [5, 8]]), alpha=0.05)
    assert found.subset.sd == pytest.approx(math.sqrt(12))
    assert found.initialisation.sd == pytest.approx(math.sqrt(1.5))
    assert found.rest.sd == 1
    assert found.subset.p == pytest.approx(1 - 2 / math.pi * math.atan(math.sqrt(25)))
    assert found.initialisation.p == pytest.approx(1 - 2 / math.pi * math.atan(math.sqrt(4)))
    assert found.rest.p is None


def test_the_rest_has_the_limit_of_chi_square():
    values = np.array([[1.0, 2, 4], [5, 8, 3], [6, 1, 1]])
    found = crossed_spread(values, alpha=0.1).rest
    assert found.upper == pytest.approx(found.sd * math.sqrt(4 / chi2.ppf(0.1, 4)))


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_a_limit_by_the_published_formula(alpha):
    """
    Rows 0 0 0 / 3 4 2 / 9 8 10: means 0, 3, 9, mean 4, MS of rows 3 x 21 = 63; column means all 4, MS 0; rests -1, 0, 1
    in the last two rows (mirrored): MS 4 / 4 = 1. By Burdick & Graybill: 62 + sqrt(H1^2 63^2 + G2^2 + H12 63), over 3.
    """
    values = np.array([[0.0, 0, 0], [3, 4, 2], [9, 8, 10]])
    found = crossed_spread(values, alpha)
    low = f.ppf(alpha, 2, 4)
    h_1, g_2 = 1 / f.ppf(alpha, 2, 1e12) - 1, 1 - 1 / f.ppf(1 - alpha, 4, 1e12)
    h_12 = ((1 - low) ** 2 - h_1**2 * low**2 - g_2**2) / low
    limit = 62 + math.sqrt(h_1**2 * 63**2 + g_2**2 + h_12 * 63)
    assert found.subset.upper == pytest.approx(math.sqrt(limit / 3))
    assert found.subset.sd == pytest.approx(math.sqrt(62 / 3))
    # No column differs: what is seen is 0, what it may be is not. As if its mean square were the rest's, 1.
    limit = math.sqrt(h_1**2 + g_2**2 + h_12)
    assert (found.initialisation.sd, found.initialisation.p) == (0, 1)
    assert found.initialisation.upper == pytest.approx(math.sqrt(limit / 3))


def test_rows_and_columns_are_not_confused():
    values = np.array([[0.0, 1, 2, 4], [5, 6, 7, 7], [1, 3, 3, 3]])
    found, turned = crossed_spread(values, 0.05), crossed_spread(values.T, 0.05)
    assert found.subset == turned.initialisation != found.initialisation
    assert found.initialisation == turned.subset


def test_runs_without_any_rest():
    """Rows differ, and nothing else does: nothing of the rest is known, so that it has no limit."""
    found = crossed_spread(np.array([[1.0, 1], [2, 2]]), 0.05)
    assert (found.subset.p, found.initialisation.p) == (0, 1)
    assert found.subset.upper > found.subset.sd > 0
    assert (found.initialisation.sd, found.rest.sd) == (0, 0)
    assert found.initialisation.upper is found.rest.upper is None
    alike = crossed_spread(np.full((3, 3), 0.1), 0.05)
    assert (alike.subset.sd, alike.subset.upper, alike.subset.p) == (0, None, 1)


def test_the_truth_is_found_by_many_runs():
    generator = np.random.default_rng(0)
    subset, start = generator.normal(0, 3, (400, 1)), generator.normal(0, 1, (1, 400))
    found = crossed_spread(subset + start + generator.normal(0, 0.5, (400, 400)), 0.05)
    sources = (found.subset, found.initialisation, found.rest)
    assert [source.sd for source in sources] == pytest.approx((3, 1, 0.5), rel=0.1)
    assert all(source.sd < source.upper < 1.15 * source.sd for source in sources)


@pytest.mark.parametrize("truth", [(0.0, 3.0), (2.0, 0.5), (5.0, 1.0)])
def test_limits_of_three_by_three_runs_hold(truth):
    """At least the level, up to the chance of 300 tables (standard deviation 1.3 %)."""
    generator = np.random.default_rng(1)
    held, rejected = np.zeros(3), 0
    for _ in range(300):
        subset, start = (
            sd * generator.normal(size=shape)
            for sd, shape in zip(truth, ((3, 1), (1, 3)), strict=True)
        )
        found = crossed_spread(subset + start + generator.normal(size=(3, 3)), alpha=0.05)
        sources = (found.subset, found.initialisation, found.rest)
        held += [source.upper >= sd for source, sd in zip(sources, (*truth, 1.0), strict=True)]
        rejected += found.subset.p < 0.05
    assert (held / 300 >= 0.92).all()
    assert held[2] / 300 <= 0.98
    assert (rejected / 300 <= 0.09) == (truth[0] == 0)
