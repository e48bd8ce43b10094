"""Probabilities beside what happens, worked out by hand."""

import numpy as np
import pytest

from fewlabels.statistics.calibration import (
    brier_score,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    scale,
)

PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
LABELS = np.array([0, 1, 1, 1])


def test_likelihood_and_brier_by_hand():
    expected = -np.log([0.9, 0.2, 0.7, 0.6]).mean()
    assert negative_log_likelihood(PROBABILITIES, LABELS) == pytest.approx(expected)
    # Both classes count: 2 x (.1^2, .8^2, .3^2, .4^2).
    expected = 2 * (0.01 + 0.64 + 0.09 + 0.16) / 4
    assert brier_score(PROBABILITIES, LABELS) == pytest.approx(expected)


def test_a_sure_and_wrong_answer_is_finite():
    assert 20 < negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])) < 30


def test_calibration_error_by_hand():
    """
    Five bins: confidences .9 and right, .8 and wrong, .7 and right, .6 and right. (.8, 1] holds the first, (.6, .8] the
    second and third, (.4, .6] the last: |1 - .9| x 1/4 + |1/2 - .75| x 2/4 + |1 - .6| x 1/4 = .25.
    """
    assert expected_calibration_error(PROBABILITIES, LABELS, 5) == pytest.approx(25)
    # One bin: mean confidence .75, accuracy .75.
    assert expected_calibration_error(PROBABILITIES, LABELS, 1) == pytest.approx(0, abs=1e-9)


def test_scaling_leaves_the_answers_and_softens_them():
    scaled = scale(PROBABILITIES, 2)
    assert scaled.sum(1) == pytest.approx(np.ones(4))
    assert scaled.argmax(1).tolist() == PROBABILITIES.argmax(1).tolist()
    # sqrt(.9) : sqrt(.1) = 3 : 1.
    assert scaled[0] == pytest.approx([0.75, 0.25])
    assert scale(PROBABILITIES, 1) == pytest.approx(PROBABILITIES)


def test_temperature_undoes_overconfidence():
    """Right in 3 of 4 images at confidence .9: the best confidence is 3/4, for which see the test above."""
    probabilities = np.tile([0.9, 0.1], (8, 1))
    labels = np.array([0, 0, 0, 1] * 2)
    assert fit_temperature(probabilities, labels) == pytest.approx(2, rel=1e-3)
