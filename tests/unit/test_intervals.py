"""Intervals of single runs: published values, and what the bootstrap must do."""

import numpy as np
import pytest
from builders import predictions_of

from wbc.intervals import bootstrap_intervals, bootstrap_weights, wilson_interval
from wbc.metrics import HEADLINE, confusion_by_unit
from wbc.predictions import units_of


@pytest.mark.parametrize(
    ("right", "images", "low", "high"),
    [
        # 97.90, 80.00 % of the 1,728 images and 92.13 % of 216.
        (1692, 1728, 97.1, 98.5),
        (1382, 1728, 78.0, 81.8),
        (199, 216, 87.8, 95.0),
        # Newcombe 1998 (Stat Med 17:857), table I: 81 of 263, and 0 of 20.
        (81, 263, 25.53, 36.62),
        (0, 20, 0, 16.11),
    ],
)
def test_wilson(right, images, low, high):
    places = 2 if images in (263, 20) else 1
    found = wilson_interval(right, images, 0.05)
    assert [round(value, places) for value in found] == [low, high]


def test_every_resample_has_as_many_units():
    weights = bootstrap_weights(30, 200, 1)
    assert weights.shape == (200, 30)
    assert set(weights.sum(1)) == {30}
    assert np.array_equal(weights, np.random.default_rng(1).multinomial(30, [1 / 30] * 30, 200))


def matrices(groups: int, size: int, within: bool) -> np.ndarray:
    """Two classes, 3 of 4 images right: the wrong ones spread over all groups, or whole groups of them."""
    labels = "ab" * (groups * size // 2)
    wrong = [(n % 4 == 0) if not within else (n // size) % 4 == 0 for n in range(groups * size)]
    answers = "".join(
        "ba"["ab".index(label)] if bad else label for label, bad in zip(labels, wrong, strict=True)
    )
    predictions = predictions_of(labels, answers)
    groups_of_ids = {name: f"{int(name) // size}" for name in predictions.ids}
    return confusion_by_unit(predictions, units_of(predictions.ids, groups_of_ids))


def test_bootstrap_widens_where_groups_fail_together():
    spread = {}
    for within in (False, True):
        found = bootstrap_intervals(matrices(40, 8, within), 2000, 0, 0.05)
        assert set(found) == set(HEADLINE)
        low, high = found["balanced_accuracy"]
        assert low <= 75 <= high
        spread[within] = high - low
    # Forty groups that are right or wrong as a whole: 75 +- 1.96 sqrt(.75 x .25 / 40) = +- 13.4 points.
    assert spread[True] == pytest.approx(2 * 13.4, rel=0.1)
    assert spread[False] < 1


def test_bootstrap_is_seeded():
    confusion = matrices(40, 8, True)
    first, again, other = (bootstrap_intervals(confusion, 200, seed, 0.05) for seed in (3, 3, 4))
    assert first == again != other
