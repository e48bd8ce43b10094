"""The area under the ROC curve, by hand and by scikit-learn."""

import numpy as np
import pytest
from random_predictions import random_predictions
from sklearn.metrics import roc_auc_score

from fewlabels.statistics.auroc import macro_auroc, weighted_macro_auroc
from fewlabels.statistics.intervals import bootstrap_weights


def test_auroc_leaves_absent_classes_out():
    """
    Class 0 against the rest: scores .8, .4 of its own, .6, .1 of others: 3 of 4 pairs in order. Class 1, the
    rest of the labels: scores .3, .8 of its own, .1, .5 of others: 3 of 4. Class 2 has no label.
    """
    probabilities = np.array([[0.8, 0.1, 0.1], [0.4, 0.5, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]])
    assert macro_auroc(np.array([0, 0, 1, 1]), probabilities) == pytest.approx(75)
    assert macro_auroc(np.array([1, 1, 1, 1]), probabilities) is None


def test_weighted_auroc_is_that_of_scikit_learn():
    found = random_predictions(80)
    weights = bootstrap_weights(80, 20, 1)
    expected = [
        100
        * np.mean(
            [
                roc_auc_score(found.labels == k, found.probabilities[:, k], sample_weight=row)
                for k in range(3)
            ]
        )
        for row in weights
    ]
    values = weighted_macro_auroc(found.labels, found.probabilities, weights, np.arange(80))
    np.testing.assert_allclose(values, expected)
    single = [roc_auc_score(found.labels == k, found.probabilities[:, k]) for k in range(3)]
    value = macro_auroc(found.labels, found.probabilities)
    assert value == pytest.approx(100 * np.mean(single), rel=1e-14)


def test_a_class_that_was_not_drawn_is_left_out_of_the_mean():
    labels, probabilities = np.array([0, 0, 1, 2]), np.eye(3)[[0, 1, 1, 2]] * 0.8 + 0.1
    (value,) = weighted_macro_auroc(labels, probabilities, np.array([[1, 1, 1, 0]]), np.arange(4))
    # Without the only c. Of a: one of two before the b; of b: tied with one a, before the other.
    assert value == pytest.approx(100 * (0.75 + 0.75) / 2)
    (nothing,) = weighted_macro_auroc(labels, probabilities, np.array([[2, 2, 0, 0]]), np.arange(4))
    assert np.isnan(nothing)
