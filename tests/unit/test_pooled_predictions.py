"""Several runs on one test set, by image."""

import numpy as np
import pytest

from fewlabels.core.errors import UserError
from fewlabels.statistics.pooled_predictions import NOT_TESTED, pool
from fewlabels.statistics.predictions import Predictions

NO_IMAGES = np.zeros(0, dtype=np.int64)
DIVERGED = Predictions((), NO_IMAGES, NO_IMAGES, None, ("a", "b"))


def run(*rows: tuple[str, int, float], classes: tuple[str, ...] = ("a", "b")) -> Predictions:
    """Rows of id, label, probability of the second of two classes."""
    ids, labels, second = zip(*rows, strict=True)
    values = np.array([[1 - p, p] for p in second])
    return Predictions(ids, np.array(labels), values.argmax(1), values, classes)


def test_means_answers_and_counts():
    found = pool([run(("x", 0, 0.9), ("y", 1, 0.6)), run(("x", 0, 0.7), ("y", 1, 0.2))])
    assert found.ids == ("x", "y")
    assert found.labels.tolist() == [0, 1]
    np.testing.assert_allclose(found.mean, [[0.2, 0.8], [0.6, 0.4]])
    assert found.predicted.tolist() == [1, 0]
    assert found.answers.tolist() == [[1, 1], [1, 0]]
    assert found.wrong.tolist() == [2, 1]
    assert found.tested.tolist() == [2, 2]


def test_an_image_counts_with_the_runs_that_were_tested_on_it():
    found = pool([run(("y", 1, 0.6)), DIVERGED, run(("x", 0, 0.7), ("y", 1, 0.8))])
    assert found.ids == ("x", "y")
    np.testing.assert_allclose(found.mean[:, 1], [0.7, 0.7])
    assert found.answers.tolist() == [[NOT_TESTED, 1], [NOT_TESTED, NOT_TESTED], [1, 1]]
    assert found.tested.tolist() == [1, 2]
    assert found.wrong.tolist() == [1, 0]
    assert found.first_to_say(0, 1) == 2
    assert found.first_to_say(1, 1) == 0
    assert found.first_to_say(1, 0) is None


def test_without_predictions_there_is_nothing():
    assert pool([DIVERGED]) is None
    assert pool([]) is None


def test_other_classes_are_one_line():
    with pytest.raises(UserError, match="predictions of the classes b, c and of a, b"):
        pool([run(("x", 0, 0.9)), run(("x", 0, 0.9), classes=("b", "c"))])
