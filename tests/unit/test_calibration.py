"""Probabilities beside what happens, worked out by hand."""

import numpy as np
import pytest

from fewlabels.statistics.calibration import (
    brier_score,
    calibration_error,
    equal_mass_bins,
    fit_temperature,
    negative_log_likelihood,
    scale,
    squared_calibration_error,
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


def sure(confidences: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of two classes and labels; the first is answered, with these confidences of at least 1/2."""
    return np.column_stack([confidences, 1 - confidences]), np.where(right, 0, 1)


def test_calibration_error_by_hand():
    """
    Twenty images at .6, 15 right, and twenty at .9, 12 right: gaps .15 and -.3. Noise: variance of answers
    .25 x .75 / 19, .6 x .4 / 19. Squared: ((.0225 - .00987) + (.09 - .01263)) / 2.
    """
    confidences = np.repeat([0.6, 0.9], 20)
    found = sure(confidences, np.r_[np.arange(20) < 15, np.arange(20) < 12])
    expected = (0.15**2 - 0.1875 / 19 + 0.3**2 - 0.24 / 19) / 2
    # Two bins; of 40 images at most 4 bins of 10 are made, and equal confidences stay together.
    for bins in (2, 4, 1000):
        assert squared_calibration_error(*found, bins) == pytest.approx(expected)
    assert calibration_error(*found, 15) == pytest.approx(100 * expected**0.5)
    # Each part as above, and not in the order of the images.
    mixed = np.random.default_rng(0).permutation(40)
    assert calibration_error(found[0][mixed], found[1][mixed], 15) == pytest.approx(
        100 * expected**0.5
    )
    # One bin: mean gap -.075; the gaps vary by themselves.
    gaps = (found[1] == 0) - confidences
    expected = 0.075**2 - gaps.var(ddof=1) / 40
    assert squared_calibration_error(*found, 1) == pytest.approx(expected)


def test_a_gap_that_chance_explains_is_none():
    found = sure(np.full(6, 0.8), np.arange(6) < 4)
    # (.8 - 4/6)^2 - (2/9) / 5 < 0.
    assert squared_calibration_error(*found, 15) == pytest.approx((0.8 - 4 / 6) ** 2 - 2 / 45)
    assert calibration_error(*found, 15) == 0
    assert np.isnan(calibration_error(*sure(np.array([0.8]), np.array([True])), 15))


def test_a_bin_of_one_image_adds_nothing():
    # Twenty images and two bins; the second begins at the eleventh, where all others are.
    confidences = np.r_[0.55, np.full(19, 0.9)]
    found = sure(confidences, np.arange(20) < 15)
    variance = (14 / 19) * (5 / 19) * 19 / 18
    expected = 19 / 20 * ((14 / 19 - 0.9) ** 2 - variance / 19)
    assert squared_calibration_error(*found, 2) == pytest.approx(expected)


def test_bins_are_of_equal_mass():
    confidence = np.random.default_rng(1).permutation(np.linspace(0.5, 1, 300) ** 3)
    bins = equal_mass_bins(confidence, 15)
    assert np.bincount(bins).tolist() == [20] * 15
    assert (np.diff(bins[np.argsort(confidence)]) >= 0).all()
    assert equal_mass_bins(confidence[:59], 15).max() == 4
    assert equal_mass_bins(confidence[:5], 15).tolist() == [0] * 5


def plain_square(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Without the correction for noise."""
    gaps = (probabilities.argmax(1) == labels) - probabilities.max(1)
    place = equal_mass_bins(probabilities.max(1), bins)
    return sum((place == k).mean() * gaps[place == k].mean() ** 2 for k in range(bins))


@pytest.mark.parametrize("gap", [0.0, 0.1])
def test_only_what_is_more_than_noise_is_an_error(gap):
    """On average over draws, of a calibrated model nothing; of one with answers rarer by a gap, that gap's square."""
    generator = np.random.default_rng(4)
    squares, plain = [], []
    for _ in range(600):
        confidences = generator.uniform(0.6, 0.99, 150)
        found = sure(confidences, generator.random(150) < confidences - gap)
        squares.append(squared_calibration_error(*found, 15))
        plain.append(plain_square(*found, 15))
    simulation_error = np.std(squares) / 600**0.5
    assert abs(np.mean(squares) - gap**2) < 3 * simulation_error < 0.002
    assert np.mean(plain) - gap**2 > 0.012


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
    value, reason = fit_temperature(probabilities, labels)
    assert value == pytest.approx(2, rel=1e-3)
    assert reason == ""


def test_without_an_error_there_is_no_temperature():
    """The colder the better, down to the bound, where one wrong test image would cost more than all others gain."""
    probabilities = np.tile([0.6, 0.4], (10, 1))
    assert fit_temperature(probabilities, np.zeros(10, int)) == (
        None,
        "no error on the validation images",
    )
    wrong = np.r_[np.zeros(9, int), 1]
    # 9 of 10 right at .6: .9 : .1 is (.6 : .4)^(1 / T).
    value, _ = fit_temperature(probabilities, wrong)
    assert value == pytest.approx(np.log(1.5) / np.log(9), rel=1e-3)


@pytest.mark.parametrize(
    ("confidence", "wrong"),
    # Hot: no better than chance, however sure. Cold: .999 right at a confidence of hardly 1/2.
    [(0.99, 500), (0.505, 1)],
)
def test_a_temperature_at_a_bound_is_none(confidence, wrong):
    probabilities = np.tile([confidence, 1 - confidence], (1000, 1))
    labels = (np.arange(1000) < wrong).astype(int)
    value, reason = fit_temperature(probabilities, labels)
    assert value is None
    assert reason == "temperature at a bound: 0.05 or 20"
