"""Thresholds of confidence, and answers."""

import numpy as np
import pytest
from scipy.stats import binom

from fewlabels.statistics.selective import (
    fewest_images,
    highest_share,
    looks,
    threshold_of_risk,
)


def test_the_upper_limit_is_clopper_and_pearsons():
    for errors, images, delta in ((0, 10, 0.05), (3, 40, 0.1), (7, 9, 0.01)):
        limit = highest_share(errors, images, delta)
        assert binom.cdf(errors, images, limit) == pytest.approx(delta)
    assert highest_share(4, 4, 0.05) == 1


def drawn(generator, images):
    """Confidences, and whether answers are right: as often as their confidence says."""
    confidence = generator.uniform(0.5, 1, images)
    return confidence, generator.random(images) < confidence


def test_the_risk_is_kept_as_often_as_asked_for():
    """The true risk above a threshold c is (1 - c) / 2 here."""
    generator, exceeded, found = np.random.default_rng(0), 0, 0
    for _ in range(300):
        threshold = threshold_of_risk(*drawn(generator, 400), risk=0.15, delta=0.1)
        if threshold is not None:
            found += 1
            exceeded += (1 - threshold.confidence) / 2 > 0.15
    assert found > 200
    assert exceeded <= 0.1 * 300


def test_the_threshold_says_what_it_answers():
    confidence, right = drawn(np.random.default_rng(1), 500)
    found = threshold_of_risk(confidence, right, 0.15, 0.1)
    answered = confidence >= found.confidence
    assert found.answered == answered.sum()
    assert found.errors == (answered & ~right).sum()
    assert found.errors / found.answered < found.bound <= 0.15
    assert found.bound == highest_share(found.errors, found.answered, 0.1 / looks(500))


def test_without_an_error_all_are_answered():
    confidence = np.linspace(0.4, 1, 200)
    found = threshold_of_risk(confidence, np.ones(200, bool), 0.05, 0.05)
    assert (found.confidence, found.answered, found.errors) == (0.4, 200, 0)


def test_what_is_not_shown_is_not_claimed():
    fewest = fewest_images(0.05, 0.05)
    for images in (0, 1, fewest - 1):
        none = threshold_of_risk(np.full(images, 0.9), np.ones(images, bool), 0.05, 0.05)
        assert none is None
    assert threshold_of_risk(np.full(fewest, 0.9), np.ones(fewest, bool), 0.05, 0.05)
    assert threshold_of_risk(np.full(500, 0.9), np.arange(500) % 2 == 0, 0.05, 0.05) is None


def test_equal_confidences_are_answered_together():
    confidence = np.repeat([0.6, 0.9], 100)
    right = np.r_[np.zeros(50, bool), np.ones(150, bool)]
    found = threshold_of_risk(confidence, right, 0.1, 0.05)
    assert (found.confidence, found.answered, found.errors) == (0.9, 100, 0)
