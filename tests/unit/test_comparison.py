"""Verdicts: exact tests, Holm, degenerate cases, and error rates in simulated tables."""

from unittest.mock import patch

import numpy as np
import pytest
from builders import predictions_of
from statsmodels.stats.multitest import multipletests

from fewlabels.statistics.comparison import (
    BETTER,
    UNDECIDED,
    WORSE,
    Comparison,
    compare,
    decide,
    difference_rows,
    mcnemar_values,
    obstacle,
)
from fewlabels.statistics.evaluation import Scored, score
from fewlabels.statistics.variance_components import two_way


def run(right: str) -> Scored:
    """A run on images of the classes a and b in turn, right where ``right`` says 1."""
    labels = "".join("ab"[place % 2] for place in range(len(right)))
    answers = "".join(
        label if hit == "1" else "ba"["ab".index(label)]
        for label, hit in zip(labels, right, strict=True)
    )
    return score(predictions_of(labels, answers), {})


def decided(arms: list[tuple[list[Scored], list[Scored]]], margin: float = 1.0) -> list[dict]:
    comparisons = [compare(arm, baseline, "accuracy") for arm, baseline in arms]
    decide(comparisons, 0.05, margin)
    return [item.row for item in comparisons]


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [
        # 2 x (1/2)^6; the others from tables of the binomial distribution.
        (6, 0, 0.03125),
        (0, 6, 0.03125),
        (26, 12, 0.0336),
        (10, 5, 0.3018),
        (0, 0, 1.0),
        (3, 3, 1.0),
    ],
)
def test_exact_mcnemar(gained, lost, p):
    both = "1" * 20
    found = mcnemar_values(
        run("1" * gained + "0" * lost + both), run("0" * gained + "1" * lost + both)
    )
    assert (found["only_arm"], found["only_baseline"]) == (gained, lost)
    assert found["p_mcnemar"] == pytest.approx(p, abs=5e-5)


def test_holm_by_hand():
    """.01, .02, .03, .04 by Holm: 4 x .01, 3 x .02, then no less than those: .06, .06."""
    adjusted = multipletests([0.01, 0.04, 0.03, 0.02], method="holm")[1]
    assert adjusted == pytest.approx([0.04, 0.06, 0.06, 0.06])


def test_a_clear_difference_and_its_sign():
    generator = np.random.default_rng(0)

    def runs(share: float) -> list[Scored]:
        return [run("".join(map(str, map(int, generator.random(200) < share)))) for _ in range(4)]

    good, bad = runs(0.9), runs(0.5)
    better, worse = decided([(good, bad), (bad, good)])
    assert (better["verdict"], worse["verdict"]) == (BETTER, WORSE)
    assert better["difference"] == pytest.approx(40, abs=6)
    assert better["low"] == pytest.approx(-worse["high"])
    assert better["equivalent"] == "false"
    assert "needed_images" not in better


def test_equal_runs_are_equivalent_given_enough_images():
    many = [run("1" * 500)] * 3
    (row,) = decided([(many, many)])
    assert (row["verdict"], row["difference"]) == ("equivalent within 1.0", 0)
    few = [run("1" * 20)] * 3
    (row,) = decided([(few, few)])
    assert row["verdict"] == UNDECIDED
    assert "too few images" in row["state"]


def test_a_small_sure_difference_is_both():
    arm, baseline = [run("1" * 2000)] * 3, [run("0" * 10 + "1" * 1990)] * 3
    (row,) = decided([(arm, baseline)])
    assert (row["verdict"], row["equivalent"]) == (BETTER, "true")


def test_undecided_says_what_is_needed():
    arm, baseline = [run("1" * 3 + "0" * 2 + "1" * 95)], [run("0" * 3 + "1" * 2 + "1" * 95)]
    (row,) = decided([(arm, baseline)])
    assert row["verdict"] == UNDECIDED
    # d = 1 = the margin, so that only a difference can be shown. Variance of an image's difference in points:
    # (5 x 100^2 - 100 x 1^2) / 99 = 504.04; t(.975) with 1938 degrees of freedom 1.9612: 504.04 x 1.9612^2 = 1938.7.
    assert row["needed_images"] == 1939
    assert row["needed_replicates"] is None
    assert "one replicate" in row["state"]


def test_runs_that_cannot_be_compared():
    one, other = run("1" * 30), run("1" * 31)
    assert obstacle([one, one], [one, one]) == ""
    assert obstacle([one, None], [one, one]) == "1 of 2 diverged"
    assert obstacle([one, one], [None, None]) == "2 of 2 diverged of the baseline"
    assert "test images differ" in obstacle([one], [other])
    row = {"state": "1 of 2 diverged"}
    decide([Comparison(row)], 0.05, 1.0)
    assert row == {"state": "1 of 2 diverged"}


def test_rows_of_replicates():
    arm, baseline = [run("1111"), run("1110")], [run("1100"), run("1111")]
    rows = difference_rows(arm, baseline, ["1", "7"], "accuracy")
    assert [(row["replicate"], row["difference"]) for row in rows] == [("1", 50), ("7", -25)]
    assert [row["only_arm"] for row in rows] == [2, 0]
    assert "p_mcnemar" not in difference_rows(arm, baseline, ["1", "7"], "macro_f1")[0]


# ------------------------------------------------------------------- error rates over simulated experiments
REPLICATES, IMAGES, COMPARISONS, TABLES, ALPHA = 5, 200, 6, 400, 0.05
#: Three standard errors of a share of .05 in so many tables.
TOLERANCE = 3 * np.sqrt(0.05 * 0.95 / TABLES)


def simulate(generator: np.random.Generator, shift: float, tables: int = TABLES) -> np.ndarray:
    """Differences of tables in which subsets, initialisations and images are all redrawn.

    The probability that an arm is right on an image is a sum of effects, drawn anew for every table: of the image, of
    the subset (shared by the arms), of the arm's initialisation, of arm and image, and of ``shift`` for the arm.

    Returns:
        -100, 0 or 100 per image, float (tables, COMPARISONS, REPLICATES, IMAGES).
    """

    def effect(size: float, replicates: int, images: int) -> np.ndarray:
        shape = (tables, COMPARISONS, replicates, images)
        return generator.normal(0, size, shape).astype(np.float32)

    common = effect(0.12, 1, IMAGES) + effect(0.04, REPLICATES, 1)
    right = []
    for extra in (shift, 0.0):
        own = effect(0.02, REPLICATES, 1) + effect(0.2, 1, IMAGES)
        chance = 0.75 + common + own + np.float32(extra)
        right.append(generator.random(chance.shape, dtype=np.float32) < chance)
    return 100 * (right[0].astype(float) - right[1])


def verdicts(tables: np.ndarray, margin: float = 1.0) -> list[list[dict]]:
    """Rows of each table, by the code that the workflow runs."""
    found = []
    # What takes nearly all of the time and plays no part in a verdict: statsmodels collects garbage in every call, and
    # what would be needed for a decision is searched for (its tests are in test_variance_components.py).
    unneeded = patch("fewlabels.statistics.comparison.needed", return_value=(None, None))
    with patch("gc.collect"), unneeded:
        for table in tables:
            family = [Comparison({"state": ""}, two_way(data.mean(1), data)) for data in table]
            decide(family, ALPHA, margin)
            found.append([item.row for item in family])
    return found


def share_of_tables(found: list[list[dict]], key: str, *wanted: str) -> float:
    return float(np.mean([any(row[key] in wanted for row in table) for table in found]))


@pytest.fixture(scope="module")
def equal_tables() -> np.ndarray:
    return simulate(np.random.default_rng(20), 0.0)


@pytest.fixture(scope="module")
def of_equal_arms(equal_tables) -> list[list[dict]]:
    return verdicts(equal_tables)


def test_equal_arms_are_seldom_called_better_or_worse(of_equal_arms, equal_tables):
    ours = share_of_tables(of_equal_arms, "verdict", BETTER, WORSE)
    assert ours <= ALPHA

    # Without the floor of MS_R, as published, on the same tables: more than alpha, and than ours.
    def without_floor(first: float, second: float) -> float:
        return max(first, second) if second == 0 else first

    with patch("fewlabels.statistics.variance_components.max", without_floor, create=True):
        published = share_of_tables(verdicts(equal_tables), "verdict", BETTER, WORSE)
    assert published > max(ALPHA, 2 * ours)


def test_intervals_cover_the_true_difference(of_equal_arms):
    rows = [row for table in of_equal_arms for row in table]
    missed = np.mean([not row["low"] <= 0 <= row["high"] for row in rows])
    # No more than the level says, and not far less: an interval of any width would do that.
    assert 0.01 < missed <= ALPHA + 3 * np.sqrt(0.05 * 0.95 / len(rows))


def test_forgetting_the_images_or_the_replicates_would_be_seen(equal_tables):
    """The simulation tells a wrong analysis: t tests over replicates alone, and over all cells as if independent."""
    means = equal_tables.mean(-1)
    over_replicates = means.mean(-1) / (means.std(-1, ddof=1) / np.sqrt(REPLICATES))
    cells = equal_tables.reshape(*equal_tables.shape[:2], -1)
    over_cells = cells.mean(-1) / (cells.std(-1, ddof=1) / np.sqrt(cells.shape[-1]))
    # t(.975) with 4 degrees of freedom, and z.
    assert np.mean(abs(over_replicates) > 2.776) > 2 * ALPHA
    assert np.mean(abs(over_cells) > 1.96) > 2 * ALPHA


def test_a_difference_of_many_points_is_mostly_found():
    # Somewhat less than 15 points: chances above 1 add nothing.
    found = verdicts(simulate(np.random.default_rng(21), 0.15, 60))
    rows = [row for table in found for row in table]
    assert np.mean([row["verdict"] == BETTER for row in rows]) > 0.6
    assert not any(row["verdict"] == WORSE for row in rows)


def test_a_difference_of_the_margin_is_seldom_called_equivalent(equal_tables):
    """Shifted by the margin, every claim of equivalence is wrong; unshifted, with a wide margin, most are right."""
    wrong = verdicts(equal_tables + 8, 8)
    assert share_of_tables(wrong, "equivalent", "true") <= ALPHA + TOLERANCE
    right = verdicts(equal_tables[:60], 15)
    assert np.mean([row["equivalent"] == "true" for table in right for row in table]) > 0.6
