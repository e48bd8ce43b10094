"""Verdicts: exact tests, Holm, degenerate cases. Error rates: test_error_rates.py."""

import numpy as np
import pytest
from builders import predictions_of
from scipy.stats import norm

from fewlabels.statistics.comparison import (
    BETTER,
    NO_VERDICT,
    UNDECIDED,
    WORSE,
    Comparison,
    compare,
    decide,
    difference_rows,
    mcnemar_values,
    measure,
    obstacle,
)
from fewlabels.statistics.evaluation import Scored, score
from fewlabels.statistics.variance_components import Estimate


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


def family(
    *found: tuple[float, float], obstacles: dict[int, str] | None = None
) -> list[Comparison]:
    """Comparisons with these differences and standard errors, of so many units that t is normal."""
    return [
        Comparison(
            {"state": "", "fraction": f"{place}"},
            Estimate(difference, error, 5, 10**7, 10**7, 0.0),
            (obstacles or {}).get(place, ""),
        )
        for place, (difference, error) in enumerate(found)
    ]


def with_p(*values: float) -> list[Comparison]:
    """Comparisons whose test of no difference has these p values, of differences above 0."""
    return family(*((float(norm.isf(p / 2)), 1.0) for p in values))


def test_holm_by_hand():
    """.01, .02, .03, .04 by Holm: 4 x .01, 3 x .02, then no less than those: .06, .06."""
    found = with_p(0.01, 0.04, 0.03, 0.02)
    decide(found, 0.05, 1.0)
    adjusted = [item.row["p_difference_holm"] for item in found]
    assert adjusted == pytest.approx([0.04, 0.06, 0.06, 0.06], rel=1e-4)
    assert [item.row["verdict"] for item in found] == [BETTER, UNDECIDED, UNDECIDED, UNDECIDED]


@pytest.mark.parametrize(
    ("alpha", "better"),
    [
        # Adjusted by Holm: .012, .036, .0396, .0396. Bonferroni: .012, .048, .0792, .132; Hochberg: .012, .033, .033,
        # .033; unadjusted: .003, .012, .0198, .033.
        (0.05, 4),
        (0.038, 2),
        (0.035, 1),
        (0.0125, 1),
        (0.0115, 0),
    ],
)
def test_decisions_that_tell_holm_from_its_neighbours(alpha, better):
    found = with_p(0.0198, 0.003, 0.033, 0.012)
    decide(found, alpha, 1.0)
    assert sum(item.row["verdict"] == BETTER for item in found) == better


def test_equivalence_is_adjusted_by_itself():
    """Errors 1, differences 0: margins of 2.5 give .0062 each, x 3; a difference that is sure changes nothing there."""
    found = family((0.0, 1.0), (0.0, 1.0), (9.0, 1.0))
    decide(found, 0.05, 2.5)
    assert [item.row["verdict"] for item in found] == ["equivalent within 2.5"] * 2 + [BETTER]
    p = norm.sf(2.5)
    assert found[0].row["p_equivalence"] == pytest.approx(p, rel=1e-4)
    assert found[0].row["p_equivalence_holm"] == pytest.approx(3 * p, rel=1e-4)
    # 3 x .0062 = .0186, and .05 / 3 < .0186.
    for alpha, same in ((0.019, "true"), (0.018, "false")):
        found = family((0.0, 1.0), (0.0, 1.0), (9.0, 1.0))
        decide(found, alpha, 2.5)
        assert found[0].row["equivalent"] == same
    found = family((0.0, 1.0), (0.0, 1.0), (9.0, 1.0))
    decide(found, 0.05, 1.5)
    assert found[0].row["verdict"] == UNDECIDED


def test_what_can_have_no_verdict_is_not_of_the_family():
    """Two tests, not three: .02 and .03 become .04 and .04."""
    found = with_p(0.02, 1e-9, 0.03)
    found[1].obstacle = "one replicate: ..."
    decide(found, 0.05, 1.0)
    assert [item.row["verdict"] for item in found] == [BETTER, NO_VERDICT, BETTER]
    assert found[0].row["p_difference_holm"] == pytest.approx(0.04, rel=1e-4)
    assert "p_difference_holm" not in found[1].row
    assert found[1].row["state"] == "one replicate: ..."
    assert found[1].row["low"] < found[1].row["difference"] < found[1].row["high"]


def test_the_same_training_images_count_once():
    found = with_p(0.02, 0.02, 0.03)
    found[1].same_as = found[0]
    decide(found, 0.05, 1.0)
    adjusted = [item.row["p_difference_holm"] for item in found]
    assert adjusted == pytest.approx([0.04, 0.04, 0.04], rel=1e-4)
    assert [item.row["verdict"] for item in found] == [BETTER] * 3
    assert found[1].row["state"] == "same training images as 0 %: counted once"


def test_what_was_detectable_is_that_of_holms_first_step():
    """Four tests at .05: .0125 two-sided, z 2.498; a power of 80 %: z .842; errors of 2."""
    found = family((0.5, 2.0), (0.5, 2.0), (0.5, 2.0), (0.5, 2.0))
    decide(found, 0.05, 1.0)
    assert found[0].row["detectable"] == pytest.approx(2 * (2.4977 + 0.8416), rel=1e-4)


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
    assert better["detectable"] == pytest.approx(worse["detectable"])


def test_equal_runs_are_equivalent_given_enough_images():
    many = [run("1" * 500)] * 3
    (row,) = decided([(many, many)])
    assert (row["verdict"], row["difference"]) == ("equivalent within 1.0", 0)
    few = [run("1" * 20)] * 3
    (row,) = decided([(few, few)])
    assert row["verdict"] == UNDECIDED
    assert row["state"] == "no image tells the two apart"


def test_a_small_sure_difference_is_both():
    arm, baseline = [run("1" * 2000)] * 3, [run("0" * 10 + "1" * 1990)] * 3
    (row,) = decided([(arm, baseline)])
    assert (row["verdict"], row["equivalent"]) == (BETTER, "true")


@pytest.mark.parametrize(
    ("replicates", "words"),
    [(1, "one replicate: how far"), (2, "two replicates: how far"), (3, "")],
)
def test_few_replicates(replicates, words):
    """One gives no verdict, however clear; two come with a warning."""
    arm, baseline = [run("1" * 200)] * replicates, [run("01" * 100)] * replicates
    (row,) = decided([(arm, baseline)])
    assert row["state"].startswith(words) and bool(row["state"]) == bool(words)
    assert row["verdict"] == (NO_VERDICT if replicates == 1 else BETTER)
    assert ("p_difference_holm" in row) == (replicates > 1)
    assert row["low"] < row["difference"] == 50 < row["high"]


@pytest.mark.parametrize(("slides", "verdict"), [(4, NO_VERDICT), (5, BETTER), (20, BETTER)])
def test_slides_are_the_units_however_few(slides, verdict):
    """60 images; 5 effective slides are enough for a verdict where all fail alike."""
    labels = "ab" * 30
    groups = {f"{n:03}": f"s{n % slides}" for n in range(60)}

    def scored(answers: str) -> Scored:
        return score(predictions_of(labels, answers), groups)

    # All wrong but for one image of each slide.
    wrong = labels[:slides] + labels[slides:].translate(str.maketrans("ab", "ba"))
    arm, baseline = [scored(labels)] * 3, [scored(wrong)] * 3
    (row,) = decided([(arm, baseline)])
    assert (row["units"], row["effective_units"]) == (slides, slides)
    assert row["verdict"] == verdict
    if verdict == NO_VERDICT:
        assert row["state"] == "test images of only 4.0 effective slides"


def test_intervals_end_where_differences_do():
    """Two replicates that differ by 40 points: 12.7 errors of some 20 points on either side."""
    arm = [run("1" * 100), run("0" * 40 + "1" * 60)]
    baseline = [run("0" * 40 + "1" * 60)] * 2
    (row,) = decided([(arm, baseline)])
    assert (row["difference"], row["low"], row["high"]) == (20, -100, 100)
    found = compare(arm, baseline, "mcc")
    measure([found], 0.05)
    assert (found.row["low"], found.row["high"]) == (-200, 200)


def test_a_metric_that_a_run_lacks_is_not_compared():
    found = compare([run("1110")] * 3, [run("0111")] * 3, "nll")
    assert (found.row, found.estimate) == ({"state": "no probabilities"}, None)


def test_runs_that_cannot_be_compared():
    one, other = run("1" * 30), run("1" * 31)
    assert obstacle([one, one], [one, one]) == ""
    assert obstacle([one, "diverged"], [one, one]) == "1 of 2 diverged"
    assert obstacle([one, one], ["diverged"] * 2) == "2 of 2 diverged of the baseline"
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


@pytest.mark.parametrize(("alpha", "z"), [(0.05, 1.95996), (0.2, 1.28155)])
def test_intervals_have_the_level_that_is_asked_for(alpha, z):
    """Of one comparison, not of the family."""
    found = family((3.0, 2.0), (0.0, 1.0))
    decide(found, alpha, 1.0)
    row = found[0].row
    assert row["critical"] == pytest.approx(z, rel=1e-4)
    assert (row["low"], row["high"]) == pytest.approx((3 - 2 * z, 3 + 2 * z), rel=1e-4)
    # Two tests, each of them two-sided.
    assert row["detectable"] == pytest.approx(2 * (norm.isf(alpha / 4) + norm.isf(0.2)), rel=1e-3)


def test_slides_of_unequal_size_are_worth_fewer_equal_ones():
    """Six slides of 10, 2, 2, 2, 2, 2 images: 20^2 / (100 + 5 x 4) = 3.3 of equal size."""
    groups = {f"{n:03}": "big" if n < 10 else f"s{n % 5}" for n in range(20)}
    right, wrong = (score(predictions_of("ab" * 10, both * 10), groups) for both in ("ab", "ba"))
    found = compare([right] * 3, [wrong] * 3, "accuracy")
    assert found.estimate.effective_units == pytest.approx(400 / 120)
    assert found.row["effective_units"] == pytest.approx(400 / 120)
    assert (found.row["units"], found.estimate.units) == (6, 6)
    assert found.obstacle == "test images of only 3.3 effective slides"
