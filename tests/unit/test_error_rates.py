"""Verdicts and intervals in simulated experiments with known truth, by the code that the workflow runs.

Fixed seeds; `benchmarks/error_rates.py` measures the same with more tables, for docs/statistics.md.
"""

from dataclasses import replace
from functools import cache
from unittest.mock import patch

import error_rates
import numpy as np
import pytest
from error_rates import ALPHA, by_hillis, tables_of
from simulated_runs import (
    Setting,
    drawn,
    experiments,
    scored_runs,
    unit_pseudovalues,
    with_slides,
)

from fewlabels.statistics.comparison import compare
from fewlabels.statistics.evaluation import score
from fewlabels.statistics.predictions import Predictions, units_of
from fewlabels.statistics.variance_components import pseudovalues

SETTINGS = {
    "two replicates": Setting(replicates=2, images=200, replicate=3.0),
    "replicates": Setting(replicates=3, images=300, replicate=3.0),
    "images": Setting(replicates=5, images=200, replicate=0.5, arm_image=0.3),
    "ten slides": with_slides(0, images=400, slides=(40,) * 10),
    "slides beside images": with_slides(0, images=300, slides=(60,) * 4),
    "near 100 %": Setting(replicates=5, images=300, level=99.0, replicate=0.3, subset=0.2),
}
TABLES = 250


def most(per_cent: float, tables: int = TABLES) -> float:
    """So many per cent and three standard errors of simulation."""
    return per_cent + 3 * (per_cent * (100 - per_cent) / tables) ** 0.5


@cache
def equal_arms(name: str) -> list:
    return tables_of(SETTINGS[name], TABLES, seed=3)


# --------------------------------------------------------------------------------------------------- the generator
@pytest.mark.parametrize("name", SETTINGS)
def test_the_truth_is_known(name):
    setting = replace(SETTINGS[name], difference=-4.0, images=SETTINGS[name].images)
    right = 100 * drawn(setting, 150, seed=1).mean((2, 3, 4))
    for arm, expected in enumerate((setting.level, setting.level - 4)):
        error = right[:, arm].std(ddof=1) / 150**0.5
        assert abs(right[:, arm].mean() - expected) < 4 * error
        assert error < 0.5


def test_the_spread_of_replicates_is_in_points():
    setting = Setting(
        replicates=4, images=4000, level=70.0, replicate=2.0, subset=3.0, image=0.1, arm_image=0.0
    )
    right = 100 * drawn(setting, 100, seed=2).mean(-1)
    # Of 4,000 images 0.7 points are the images' own.
    spread = right.var(2, ddof=1).mean()
    assert spread == pytest.approx(2**2 + 3**2 + 0.7**2, rel=0.1)
    apart = (right[:, 1] - right[:, 0]).var(2, ddof=1).mean()
    assert apart == pytest.approx(2 * (2**2 + 0.7**2), rel=0.1)


def test_images_of_a_slide_resemble_each_other():
    setting = Setting(images=40, slides=(20, 20), level=50.0, slide=0.3, image=0.0, arm_image=0.0)
    right = drawn(setting, 400, seed=3)[:, 0, 0, 0].astype(float)
    within = np.mean(
        [np.corrcoef(right[:, 0], right[:, 7])[0, 1], np.corrcoef(right[:, 25], right[:, 33])[0, 1]]
    )
    across = np.corrcoef(right[:, 0], right[:, 33])[0, 1]
    assert within > 0.1
    assert abs(across) < 0.15
    assert within > across + 0.05


def test_more_than_all_of_the_variance():
    with pytest.raises(ValueError, match=r"effects of 1\.1"):
        drawn(Setting(image=0.6, arm_image=0.5, replicate=0.0, subset=0.0), 1, seed=0)
    with pytest.raises(ValueError, match="right on more"):
        drawn(Setting(level=98.0, difference=3.0), 1, seed=0)


def test_simulated_runs_are_scored_as_the_workflow_scores_them():
    setting = with_slides(0, images=60, slides=(25, 12, 9), replicates=2, fractions=1)
    (right,) = experiments(setting, 1, seed=4)
    labels = np.arange(60) % 3

    def run(hits: np.ndarray):
        answers = np.where(hits, labels, (labels + 1) % 3)
        return score(
            Predictions(tuple(setting.ids), labels, answers, None, ("a", "b", "c")), setting.groups
        )

    full = [[run(right[arm, 0, place]) for place in range(2)] for arm in range(2)]
    light = scored_runs(right, setting, setting.units)
    for arm in range(2):
        for place in range(2):
            one, other = full[arm][place], light[arm, 0, place]
            assert other.values["accuracy"] == pytest.approx(one.values["accuracy"])
            np.testing.assert_allclose(
                other.pseudovalues["accuracy"], pseudovalues(one.confusion)["accuracy"]
            )
            assert other.units.effective == one.units.effective
    expected, found = (
        compare(arms[1], arms[0], "accuracy").row for arms in (full, light[:, 0].tolist())
    )
    assert found == expected
    assert found["units"] == 3 + 14


def test_pseudovalues_need_no_order_of_units():
    generator = np.random.default_rng(5)
    units = units_of([str(place) for place in range(30)], {str(n): f"s{n % 4}" for n in range(24)})
    right = generator.random((2, 30)) < 0.8
    without = [[hits[units.codes != code].mean() for code in range(units.count)] for hits in right]
    expected = 100 * (
        units.count * right.mean(1, keepdims=True) - (units.count - 1) * np.array(without)
    )
    np.testing.assert_allclose(unit_pseudovalues(right, units), expected)


# ------------------------------------------------------------------------------------------------------- what holds
@pytest.mark.parametrize("name", SETTINGS)
def test_equal_arms_are_seldom_called_better_or_worse(name):
    assert error_rates.false_claims(equal_arms(name)) <= most(5)


@pytest.mark.parametrize("name", SETTINGS)
def test_intervals_of_differences_hold_the_truth(name):
    # The comparisons of a table resemble each other: as if there were two.
    missed = 100 - error_rates.coverage(equal_arms(name), 0.0)
    assert 0.5 < missed <= most(5, 2 * TABLES)


@pytest.mark.parametrize("name", SETTINGS)
def test_intervals_of_means_hold_the_truth(name):
    missed = 100 - error_rates.coverage_of_means(SETTINGS[name], TABLES, seed=6)
    assert 0.5 < missed <= most(5, 2 * TABLES)


@pytest.mark.parametrize("name", ["images", "ten slides"])
def test_a_difference_of_the_margin_is_seldom_called_equivalent(name):
    apart = replace(SETTINGS[name], difference=-error_rates.MARGIN)
    assert error_rates.false_equivalences(tables_of(apart, TABLES, seed=7)) <= most(5)
    # It is no wonder if nothing is: equal arms often are.
    assert error_rates.false_equivalences(equal_arms(name)) > 15


@pytest.mark.parametrize(
    "setting",
    [
        SETTINGS["images"],
        SETTINGS["ten slides"],
        Setting(replicates=4, images=300, level=70.0, replicate=2.0),
    ],
)
def test_the_detectable_difference_is_found_as_often_as_it_says(setting):
    points = error_rates.detectable(tables_of(setting, TABLES, seed=3))
    # Half above, half below, so that the variance is the same.
    apart = replace(
        setting, level=setting.level + points / 2, near=setting.level, difference=-points
    )
    assert 73 < error_rates.share_found(tables_of(apart, TABLES // 2, seed=8)) < 88


# -------------------------------------------------------------------------------------------- what would not hold
def test_degrees_of_freedom_by_hillis_would_be_seen():
    with by_hillis():
        found = tables_of(SETTINGS["replicates"], TABLES, seed=3)
    assert error_rates.false_claims(found) > most(5)


@pytest.mark.parametrize("name", ["ten slides", "slides beside images"])
def test_images_in_place_of_slides_would_be_seen(name):
    images = units_of(SETTINGS[name].ids, {})
    found = tables_of(SETTINGS[name], 100, 3, images)
    assert error_rates.false_claims(found) > most(5, 100)
    assert 100 - error_rates.coverage(found, 0.0) > most(5, 200)


@pytest.mark.parametrize("name", ["replicates", "images"])
def test_tests_that_are_not_adjusted_would_be_seen(name):
    with patch(
        "fewlabels.statistics.comparison.multipletests", lambda p, *_, **__: (None, np.array(p))
    ):
        found = tables_of(SETTINGS[name], TABLES, seed=3)
    assert error_rates.false_claims(found) > most(5)


def test_intervals_by_the_normal_distribution_would_be_seen():
    rows = [item.row for table in equal_arms("replicates") for item in table]
    missed = np.mean([abs(row["difference"]) > 1.96 * row["error"] for row in rows])
    assert 100 * missed > most(100 * ALPHA)
