"""Comparisons: which arm with which, on which images, and the table they make."""

from pathlib import Path

import numpy as np
import pytest
from builders import call, failure, write_index, write_run, write_sheet
from scipy.stats import nct, t

from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.run_sheet import Run

GOOD, BAD = "ab" * 60, "ba" * 10 + "ab" * 50


def sheet(folder: Path, arms: list[str], fractions=("100", "1"), **baselines: str) -> Path:
    """A run sheet of three replicates; every arm's baseline is ``base``, unless said otherwise."""
    of = {arm: "base" for arm in arms if arm != "base"} | baselines
    return write_sheet(folder / "runs.csv", arms, fractions, [1, 2, 3], of)


def write_labels(path: Path, labels: dict[str, int], same: str = "") -> Path:
    """What each run trains on: fraction -> number of images; those of ``same`` are those of 1 %."""
    columns = ["arm", "fraction", "replicate", "labels", "subset"]
    write_csv(
        path,
        columns,
        (
            dict(zip(columns, (arm, fraction, seed, count, hash_of), strict=True))
            for arm in ("base", "bad", "mad", "baseGrouped", "badGrouped")
            for fraction, count in labels.items()
            for seed in (1, 2, 3)
            for hash_of in [f"{'1' if fraction == same else fraction} of {seed}"]
        ),
    )
    return path


@pytest.fixture
def options(tmp_path: Path) -> dict:
    """A baseline, an arm that is worse, one that diverged once, and one of another split."""
    for replicate in ("1", "2", "3"):
        for fraction in ("100", "1"):
            for arm, predicted in (("base", GOOD), ("bad", BAD), ("mad", GOOD)):
                name = f"replicate{replicate}/{arm}_cells_{fraction}.csv"
                write_run(tmp_path, name, GOOD, predicted)
            for arm in ("baseGrouped", "badGrouped"):
                name = f"replicate{replicate}/{arm}_cells_{fraction}.csv"
                write_run(tmp_path, name, "ab" * 20, "ab" * 20)
    write_run(tmp_path, "replicate2/mad_cells_1.csv", GOOD, "")
    return {
        "results": tmp_path,
        "index": write_index(tmp_path / "index.csv", "ab", GOOD),
        "runs": sheet(tmp_path, ["base", "bad", "mad"]),
        "labels": write_labels(tmp_path / "labels.csv", {"100": 2, "1": 1}),
        "comparisons": tmp_path / "comparisons.csv",
    }


def rows_of(options, **wanted) -> list[dict[str, str]]:
    assert call("compare", **options) == 0
    rows = read_csv(options["comparisons"])
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


METRICS = ["accuracy", "macro_f1", "balanced_accuracy", "mcc", "nll", "brier"]


def test_one_row_per_arm_fraction_and_metric_and_those_of_replicates(options):
    rows = rows_of(options)
    assert list(dict.fromkeys(row["metric"] for row in rows)) == METRICS
    assert len([row for row in rows if row["replicate"] == "mean"]) == 2 * 2 * 6
    assert len([row for row in rows if row["replicate"] != "mean"]) == 2 * 2 * 6 * 3
    assert {row["baseline"] for row in rows} == {"base"}


def test_values(options):
    rows = rows_of(options, arm="bad", metric="accuracy", fraction="1")
    mean, *replicates = rows
    # 20 of 120 images lost.
    assert float(mean["difference"]) == pytest.approx(-100 / 6, rel=1e-5)
    assert (mean["verdict"], mean["equivalent"]) == ("worse", "false")
    assert (mean["replicates"], mean["units"], mean["images"]) == ("3", "120", "120")
    assert float(mean["effective_units"]) == 120
    # Equal replicates: images alone, 20 losses of 100 and 100 of 0; three tests: two of `bad`, one of `mad`.
    losses = np.array([-100.0] * 20 + [0.0] * 100)
    error = losses.std(ddof=1) / np.sqrt(120)
    assert float(mean["error"]) == pytest.approx(error, rel=1e-5)
    assert float(mean["critical"]) == pytest.approx(t.ppf(0.975, 119), rel=1e-5)
    half = t.ppf(0.975, 119) * error
    assert float(mean["low"]) == pytest.approx(-100 / 6 - half, rel=1e-5)
    p = 2 * t.sf(100 / 6 / error, 119)
    assert float(mean["p_difference"]) == pytest.approx(p, rel=1e-4)
    assert float(mean["p_difference_holm"]) == pytest.approx(3 * p, rel=1e-4)
    found = float(mean["detectable"])
    assert nct.sf(t.ppf(1 - 0.05 / 6, 119), 119, found / error) == pytest.approx(0.8, abs=1e-4)
    assert float(mean["detectable_low"]) < found < float(mean["detectable_high"])
    assert [row["only_baseline"] for row in replicates] == ["20"] * 3
    # 20 : 0, exactly.
    assert float(replicates[0]["p_mcnemar"]) == pytest.approx(2 / 2**20, rel=1e-5)


def test_verdicts_are_on_the_primary_metric_alone(options):
    decided = ("p_difference_holm", "equivalent", "verdict", "detectable")
    for primary in ("accuracy", "mcc"):
        rows = rows_of(options | {"primary": primary}, arm="bad", replicate="mean", fraction="1")
        for row in rows:
            assert all(bool(row[key]) == (row["metric"] == primary) for key in decided)
            assert row["low"] and row["high"] and row["p_difference"]


def test_likelihood_and_brier_score_are_as_they_are(options):
    """p is .8 for the answer and .2 for the other class: 20 of 120 images lose ln .8 - ln .2, and 2 x (.64 - .04)."""
    (nll,) = rows_of(options, arm="bad", metric="nll", fraction="1", replicate="mean")
    assert float(nll["difference"]) == pytest.approx(np.log(4) / 6, rel=1e-5)
    (brier,) = rows_of(options, arm="bad", metric="brier", fraction="1", replicate="mean")
    assert float(brier["difference"]) == pytest.approx(1.2 / 6, rel=1e-5)


def test_alpha_and_margin_are_heeded(options):
    """100 / 6 points, whose adjusted p value is some 1e-4; within 30 points, at most, with a chance of about 1e-4."""
    (row,) = rows_of(options, arm="bad", metric="accuracy", fraction="1", replicate="mean")
    p = float(row["p_difference_holm"])
    assert 1e-6 < p < 0.01
    strict = options | {"alpha": p / 2, "margin": 17}
    (row,) = rows_of(strict, arm="bad", metric="accuracy", fraction="1", replicate="mean")
    assert (row["verdict"], row["equivalent"]) == ("undecided", "false")
    strict |= {"margin": 60}
    (row,) = rows_of(strict, arm="bad", metric="accuracy", fraction="1", replicate="mean")
    assert (row["verdict"], row["equivalent"]) == ("equivalent within 60.0", "true")


def test_fractions_with_the_same_training_images_count_once(options, tmp_path):
    """As when 1 and 10 % of few images are the same: the family of `bad` has two tests, not three."""
    for replicate in ("1", "2", "3"):
        for arm, predicted in (("base", GOOD), ("bad", BAD)):
            write_run(tmp_path, f"replicate{replicate}/{arm}_cells_10.csv", GOOD, predicted)
    sheet(tmp_path, ["base", "bad"], ("100", "10", "1"))
    counts = {"100": 2, "10": 1, "1": 1}
    apart = options | {"labels": write_labels(tmp_path / "apart.csv", counts)}
    same = options | {"labels": write_labels(tmp_path / "same.csv", counts, same="10")}
    for chosen, tests in ((apart, 3), (same, 2)):
        rows = rows_of(chosen, arm="bad", metric="accuracy", replicate="mean")
        for row in rows:
            assert float(row["p_difference_holm"]) == pytest.approx(
                tests * float(row["p_difference"]), rel=1e-4
            )
        told = [row["fraction"] for row in rows if row["state"]]
        assert told == ([] if tests == 3 else ["1"])
    assert rows[2]["state"] == "same training images as 10 %: counted once"
    assert rows[2]["verdict"] == rows[1]["verdict"] == "worse"


def test_results_for_any_pool_of_training_images(options, tmp_path):
    """Of 4 training images 1 is drawn: MS_R counts 1 + 3 (1/4) / (3/4) = 2 times; at 4 of 4 nothing can be told."""
    for replicate in ("1", "2", "3"):
        # Replicates that differ.
        answers = BAD if replicate == "1" else GOOD
        write_run(tmp_path, f"replicate{replicate}/bad_cells_1.csv", GOOD, answers)
    write_index(options["index"], "abab", GOOD)
    options["labels"] = write_labels(tmp_path / "labels.csv", {"100": 4, "1": 1})
    found = {}
    for pool in ("this", "any"):
        rows = rows_of(
            options | {"training_pool": pool}, arm="bad", metric="accuracy", replicate="mean"
        )
        found[pool] = {row["fraction"]: row for row in rows}
    data = np.zeros((3, 120))
    data[0, :20] = -100
    ms_r, ms_g = 120 * data.mean(1).var(ddof=1), 3 * data.mean(0).var(ddof=1)
    rest = data - data.mean(0) - data.mean(1, keepdims=True) + data.mean()
    ms_rg = (rest**2).sum() / (2 * 119)
    for pool, times in (("this", 1), ("any", 2)):
        error = np.sqrt((times * ms_r + max(ms_g - ms_rg, 0)) / 360)
        assert float(found[pool]["1"]["error"]) == pytest.approx(error, rel=1e-5)
    whole = found["any"]["100"]
    assert (whole["verdict"], whole["low"], whole["error"]) == ("no verdict", "", "")
    assert "other pools" in whole["state"]
    assert found["this"]["100"]["verdict"] == "worse"


def test_one_image_with_two_labels_is_refused(options, tmp_path, capsys):
    write_run(tmp_path, "replicate3/bad_cells_1.csv", "b" + GOOD[1:], GOOD)
    line = failure(capsys, "compare", **options)
    assert "image 000 is a in" in line and "b in predictions/replicate3/bad_cells_1.csv" in line


def test_a_table_of_labels_of_other_runs_is_refused(options, tmp_path, capsys):
    options["labels"] = write_labels(tmp_path / "labels.csv", {"100": 2})
    assert "no row of bad at 1 %" in failure(capsys, "compare", **options)


def test_a_diverged_run_leaves_no_verdict(options):
    row, *pairs = rows_of(options, arm="mad", metric="accuracy", fraction="1")
    assert (row["state"], row["verdict"], row["difference"]) == ("1 of 3 diverged", "", "")
    # The pairs that are whole are there, one by one, and the missing one is named.
    assert row["replicates"] == "2"
    assert [pair["state"] for pair in pairs] == ["", "diverged", ""]
    assert [bool(pair["difference"]) for pair in pairs] == [True, False, True]


def test_arms_of_another_split_have_a_baseline_of_their_own(options, tmp_path):
    arms = ["base", "baseGrouped", "badGrouped"]
    sheet(tmp_path, arms, baseGrouped="", badGrouped="baseGrouped")
    rows = rows_of(options, replicate="mean", metric="accuracy")
    assert [(row["arm"], row["baseline"]) for row in rows] == [("badGrouped", "baseGrouped")] * 2
    # Without, there is nothing to compare.
    sheet(tmp_path, arms)
    rows = rows_of(options, replicate="mean", metric="accuracy")
    assert {row["state"] for row in rows} == {"test images differ: not compared"}


@pytest.mark.parametrize("arms", [["bad", "mad"], ["base"], ["bad"]])
def test_without_an_arm_and_its_baseline_there_is_only_a_header(options, tmp_path, arms):
    sheet(tmp_path, arms)
    assert rows_of(options) == []


def test_runs_of_other_seeds_are_no_pairs(options, tmp_path):
    bad = [Run("bad", "cells", "1", seed, seed, baseline="base") for seed in (2, 1, 3)]
    write_sheet(tmp_path / "runs.csv", ["base"], ["1"], [1, 2, 3], more=bad)
    rows = rows_of(options)
    assert [(row["replicate"], row["state"]) for row in rows] == [
        ("mean", "seeds differ: not compared")
    ] * len(METRICS)


def test_one_fraction_and_one_replicate(options, tmp_path):
    write_sheet(tmp_path / "runs.csv", ["base", "bad"], ["1"], [2], {"bad": "base"})
    mean, replicate = rows_of(options, metric="accuracy")
    assert (mean["replicate"], mean["replicates"]) == ("mean", "1")
    assert (mean["verdict"], mean["p_difference_holm"]) == ("no verdict", "")
    assert "one replicate" in mean["state"]
    assert (replicate["replicate"], replicate["only_baseline"]) == ("2", "20")


def test_two_replicates_come_with_a_warning(options, tmp_path):
    write_sheet(tmp_path / "runs.csv", ["base", "bad"], ["1"], [1, 2], {"bad": "base"})
    (mean,) = rows_of(options, metric="accuracy", replicate="mean")
    assert mean["verdict"] in ("worse", "undecided")
    assert mean["state"].startswith("two replicates")


@pytest.mark.parametrize("slides", [30, 19, 6])
def test_slides_are_the_units(options, slides):
    write_index(options["index"], "ab", GOOD, [f"s{n % slides}" for n in range(120)])
    rows = rows_of(options, arm="bad", replicate="mean", metric="accuracy")
    assert {row["units"] for row in rows} == {str(slides)}
    # 120 images over 19 slides: six have 7 images, thirteen 6.
    effective = 120**2 / (6 * 49 + 13 * 36) if slides == 19 else slides
    for row in rows:
        assert float(row["effective_units"]) == pytest.approx(effective, rel=1e-5)
    assert {row["verdict"] for row in rows} <= {"worse", "undecided"}


def test_few_effective_slides_give_no_verdict(options):
    """One slide of 60 images, beside 60 images of which none is known: (120)^2 / (60^2 + 60) = 3.93."""
    write_index(options["index"], "ab", GOOD, ["big"] * 60 + [""] * 60)
    rows = rows_of(options, arm="bad", replicate="mean", metric="accuracy")
    assert {row["units"] for row in rows} == {"61"}
    assert {row["verdict"] for row in rows} == {"no verdict"}
    assert {row["state"] for row in rows} == {"test images of only 3.9 effective slides"}
    assert all(row["difference"] and not row["low"] and not row["p_difference"] for row in rows)


def test_a_class_with_few_test_images_speaks_against_means_over_classes(options, tmp_path):
    """8 images of b: what 8 right answers are worth, resampling does not tell. Accuracy needs no class."""
    labels = "b" * 8 + "a" * 112
    for replicate in ("1", "2", "3"):
        for arm, predicted in (("base", labels), ("bad", "b" * 8 + "b" * 20 + "a" * 92)):
            write_run(tmp_path, f"replicate{replicate}/{arm}_cells_1.csv", labels, predicted)
    sheet(tmp_path, ["base", "bad"], ["1"])
    rows = rows_of(options | {"primary": "macro_f1"}, arm="bad", replicate="mean")
    found = {row["metric"]: row for row in rows}
    assert found["macro_f1"]["verdict"] == "no verdict"
    assert found["macro_f1"]["state"] == "no interval: fewer than 10 test images of b"
    for metric in ("macro_f1", "balanced_accuracy", "mcc"):
        assert found[metric]["difference"]
        assert not (found[metric]["low"] or found[metric]["p_difference"])
    for metric in ("accuracy", "nll", "brier"):
        assert found[metric]["low"] and found[metric]["p_difference"]


def test_external_sets_are_families_of_their_own(options, tmp_path):
    """With images, labels and slides of their own: what is of the own test set would be seen."""
    labels = "ab" * 24
    for replicate in ("1", "2", "3"):
        for arm, predicted in (("base", "ba" * 6 + labels[12:]), ("bad", labels)):
            name = f"replicate{replicate}/{arm}_cells_1_on_LISC.csv"
            write_run(tmp_path, name, labels, predicted)
    sheet(tmp_path, ["base", "bad"], ["1"])
    write_index(options["index"], "ab", GOOD, [f"s{n % 10}" for n in range(120)])
    other = write_index(tmp_path / "other.csv", "", labels, [f"s{n % 8}" for n in range(48)])
    rows = rows_of(
        options | {"external": ["LISC"], "external_indexes": [other]},
        metric="accuracy",
        replicate="mean",
    )
    assert [row["test_set"] for row in rows] == ["test", "LISC"]
    assert [(row["units"], row["images"]) for row in rows] == [("10", "120"), ("8", "48")]
    assert [float(row["difference"]) for row in rows] == pytest.approx([-100 / 6, 25], rel=1e-5)
    assert all(row["p_difference"] == row["p_difference_holm"] for row in rows)


def test_an_arm_is_compared_with_its_baseline_at_the_same_fraction(options, tmp_path):
    for replicate in ("1", "2", "3"):
        write_run(tmp_path, f"replicate{replicate}/base_cells_1.csv", GOOD, "ab" * 50 + "ba" * 10)
    rows = rows_of(options, arm="bad", metric="accuracy", replicate="mean")
    # Both lose 20 images at 1 %, the arm alone at 100 %.
    assert [row["fraction"] for row in rows] == ["100", "1"]
    assert [float(row["difference"]) for row in rows] == pytest.approx([-100 / 6, 0], abs=1e-4)


def test_crossed_runs_are_in_no_comparison(options, tmp_path):
    """They stand in the sheet behind the others, some of them with an arm and a fraction of the table."""
    expected = rows_of(options)
    more = [
        Run(arm, "cells", "1", 1, 2, baseline=baseline, tabled=False, crossed=True)
        for arm, baseline in (("base", ""), ("bad", "base"))
    ]
    for arm in ("base", "bad"):
        write_run(tmp_path, f"replicate1x2/{arm}_cells_1.csv", GOOD, "b" * 120)
    of = {"bad": "base", "mad": "base"}
    arms, fractions = ["base", "bad", "mad"], ["100", "1"]
    write_sheet(tmp_path / "runs.csv", arms, fractions, [1, 2, 3], of, more)
    assert rows_of(options) == expected
