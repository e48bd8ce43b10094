"""Comparisons: which arm with which, on which images, and the table they make."""

from pathlib import Path

import pytest
from builders import call, write_index, write_run, write_sheet

from fewlabels.core.files import read_csv
from fewlabels.core.run_sheet import Run

GOOD, BAD = "ab" * 60, "ba" * 10 + "ab" * 50


def sheet(folder: Path, arms: list[str], fractions=("100", "1"), **baselines: str) -> Path:
    """A run sheet of three replicates; every arm's baseline is ``base``, unless said otherwise."""
    of = {arm: "base" for arm in arms if arm != "base"} | baselines
    return write_sheet(folder / "runs.csv", arms, fractions, [1, 2, 3], of)


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
        "comparisons": tmp_path / "comparisons.csv",
    }


def rows_of(options, **wanted) -> list[dict[str, str]]:
    assert call("compare", **options) == 0
    rows = read_csv(options["comparisons"])
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_one_row_per_arm_fraction_and_metric_and_those_of_replicates(options):
    rows = rows_of(options)
    assert len([row for row in rows if row["replicate"] == "mean"]) == 2 * 2 * 2
    # The diverged one has no rows of replicates.
    assert len([row for row in rows if row["replicate"] != "mean"]) == (2 * 2 - 1) * 2 * 3
    assert {row["baseline"] for row in rows} == {"base"}


def test_values(options):
    rows = rows_of(options, arm="bad", metric="accuracy", fraction="1")
    mean, *replicates = rows
    # 20 of 120 images lost.
    assert float(mean["difference"]) == pytest.approx(-100 / 6, rel=1e-5)
    assert (mean["verdict"], mean["equivalent"]) == ("worse", "false")
    assert (mean["replicates"], mean["units"], mean["images"]) == ("3", "120", "120")
    # Three tests: two of `bad`, one of `mad`.
    assert float(mean["p_difference_holm"]) >= 2 * float(mean["p_difference"])
    assert [row["only_baseline"] for row in replicates] == ["20"] * 3
    # 20 : 0, exactly.
    assert float(replicates[0]["p_mcnemar"]) == pytest.approx(2 / 2**20, rel=1e-5)


def test_a_diverged_run_leaves_no_verdict(options):
    (row,) = rows_of(options, arm="mad", metric="accuracy", fraction="1")
    assert (row["state"], row["verdict"], row["difference"]) == ("1 of 3 diverged", "", "")


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
    ] * 2


def test_one_fraction_and_one_replicate(options, tmp_path):
    write_sheet(tmp_path / "runs.csv", ["base", "bad"], ["1"], [2], {"bad": "base"})
    mean, replicate = rows_of(options, metric="accuracy")
    assert (mean["replicate"], mean["replicates"]) == ("mean", "1")
    assert "one replicate" in mean["state"]
    assert (replicate["replicate"], replicate["only_baseline"]) == ("2", "20")


def test_slides_are_the_units_where_there_are_enough(options):
    slides = [f"s{n // 4}" for n in range(120)]
    write_index(options["index"], "ab", GOOD, slides)
    rows = rows_of(options, arm="bad", replicate="mean", metric="accuracy")
    assert {row["units"] for row in rows} == {"30"}
    assert not any("image by image" in row["state"] for row in rows)


def test_external_sets_are_families_of_their_own(options, tmp_path):
    for replicate in ("1", "2", "3"):
        for arm, predicted in (("base", GOOD), ("bad", BAD)):
            name = f"replicate{replicate}/{arm}_cells_1_on_LISC.csv"
            write_run(tmp_path, name, GOOD, predicted)
    sheet(tmp_path, ["base", "bad"], ["1"])
    rows = rows_of(options | {"external": ["LISC"]}, metric="accuracy", replicate="mean")
    assert [row["test_set"] for row in rows] == ["test", "LISC"]
    assert all(row["p_difference"] == row["p_difference_holm"] for row in rows)
