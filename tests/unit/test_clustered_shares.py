"""Wilson's intervals of shares of images that are alike within slides: by hand, and how often they hold the truth."""

import math

import numpy as np
import pytest
from scipy.stats import t

from fewlabels.statistics.intervals import (
    effective_units,
    jackknife_errors,
    share_intervals,
    wilson_of,
)


def test_effective_units():
    # 1, 1, 4 images: 36 / 18. The second class is in one unit, the third in none.
    assert effective_units(np.array([[1, 0, 0], [1, 5, 0], [4, 0, 0]])).tolist() == [2, 1, 0]


def test_the_jackknife_of_a_share_by_hand():
    """
    Units of 2, 1, 1 images with 2, 0, 1 hits. Without each: 1/2, 3/3, 2/3; mean 13/18; squared deviations 16, 25, 1 of
    324: variance 2/3 x 42/324.
    """
    hits, images = np.array([[2], [0], [1]]), np.array([[2], [1], [1]])
    assert jackknife_errors(hits, images) == pytest.approx([math.sqrt(2 / 3 * 42 / 324)])
    # A unit without an image of theirs is none; a share of one unit has no error that could be told.
    hits, images = (np.vstack([values, [[0]]]) for values in (hits, images))
    assert jackknife_errors(hits, images) == pytest.approx([math.sqrt(2 / 3 * 42 / 324)])
    assert jackknife_errors(np.array([[1], [0]]), np.array([[3], [0]])).tolist() == [0]


def test_clusters_that_fail_as_one_are_as_many_images():
    """Ten slides of eight images, three of them wrong as a whole: about 10 images, and t of 9 degrees of freedom."""
    images = np.full((10, 1), 8)
    hits = np.where(np.arange(10) < 3, 0, 8)[:, None]
    (low,), (high,) = share_intervals(hits, images, True, 0.05)
    # Jackknife: variance .7 x .3 / 9, so n = 9 = .21 / (.21 / 9).
    assert (low, high) == pytest.approx(
        wilson_of(70, 100 * math.sqrt(0.21 / 9), t.ppf(0.975, 9), 1)
    )
    # Spread evenly, with no more spread than of chance: no more than 80 images.
    even = np.array([[5], [6]] * 4 + [[6]] * 2)
    (low,), (high,) = share_intervals(even, images, True, 0.05)
    share = even.sum() / 80
    size_80 = wilson_of(100 * share, 100 * math.sqrt(share * (1 - share) / 80), t.ppf(0.975, 9), 1)
    assert (low, high) == pytest.approx(size_80)
    # Every slide alike: as many images as slides.
    (low,), (high,) = share_intervals(np.full((10, 1), 8), images, True, 0.05)
    assert high == 100
    assert low == pytest.approx(wilson_of(100, 0, t.ppf(0.975, 9), 10)[0])
    (low,), (high,) = share_intervals(np.full((10, 1), 6), images, True, 0.05)
    assert (low, high) == pytest.approx(wilson_of(75, 0, t.ppf(0.975, 9), 10))


def test_few_clusters_or_no_image_have_no_interval():
    images = np.array([[1, 9, 0]] + [[1, 1, 0]] * 4)  # 5, 13^2 / 85 < 2 and 0 effective units
    low, high = share_intervals(images, images, True, 0.05)
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, True, True]
    low, high = share_intervals(images, images, False, 0.05)
    assert np.isnan(low).tolist() == [False, False, True]


@pytest.mark.parametrize("share", [0.8, 0.95])
@pytest.mark.parametrize("slides", [8, 20])
def test_intervals_of_clustered_shares_hold_the_truth(share, slides):
    """In 4,000 test sets of 25 images a slide, whose accuracies are beta distributed: correlation .05 within one."""
    generator = np.random.default_rng(slides)
    images = generator.poisson(25, (slides, 4000)) + 1
    of_slide = generator.beta(19 * share, 19 * (1 - share), images.shape)
    hits = generator.binomial(images, of_slide)
    held = {}
    for clustered in (True, False):
        low, high = share_intervals(hits, images, clustered, 0.05)
        held[clustered] = np.mean((low <= 100 * share) & (100 * share <= high))
    assert 0.93 < held[True] < 0.985
    assert held[False] < 0.87
