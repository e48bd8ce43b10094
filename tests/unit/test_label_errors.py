"""Labels that are likely wrong: known probabilities, known answers."""

import numpy as np

from fewlabels.statistics.label_errors import (
    confident_classes,
    confident_thresholds,
    likely_labels,
    self_confidence,
)

#: Thresholds of the two classes: (0.9 + 0.7 + 0.2) / 3 = 0.6 and (0.8 + 0.4) / 2 = 0.6.
PROBABILITIES = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8], [0.6, 0.4]])
LABELS = np.array([0, 0, 0, 1, 1])


def test_thresholds_are_the_mean_confidence_in_each_class():
    np.testing.assert_allclose(confident_thresholds(PROBABILITIES, LABELS), [0.6, 0.6])


def test_a_class_without_images_takes_none():
    three = np.pad(PROBABILITIES, ((0, 0), (0, 1)))
    assert confident_thresholds(three, LABELS)[2] == np.inf
    assert confident_classes(three, LABELS).tolist() == [0, 0, 1, 1, 0]


def test_what_is_confidently_of_another_class_is_doubtful():
    assert confident_classes(PROBABILITIES, LABELS).tolist() == [0, 0, 1, 1, 0]
    assert np.flatnonzero(likely_labels(PROBABILITIES, LABELS) != LABELS).tolist() == [2, 4]


def test_below_every_threshold_the_label_stays():
    unsure = np.vstack([PROBABILITIES, [0.55, 0.45]])
    labels = np.append(LABELS, 1)
    # The sixth image lowers the second threshold to 0.55, which it does not reach either.
    assert likely_labels(unsure, labels)[5] == 1


def test_a_class_of_low_threshold_must_be_the_likeliest_as_well():
    """Networks know class 1 badly: the last image reaches its threshold, 0.3, and is likelier of class 0."""
    probabilities = np.array([[0.99, 0.01], [0.99, 0.01], [0.7, 0.3], [0.65, 0.35]])
    labels = np.array([0, 0, 1, 0])
    assert confident_classes(probabilities, labels)[3] == 1
    assert likely_labels(probabilities, labels)[3] == 0


def test_ranked_by_the_probability_of_the_label():
    assert self_confidence(PROBABILITIES, LABELS).tolist() == [0.9, 0.7, 0.2, 0.8, 0.4]
