"""The table of label efficiency: from the files of runs to gains, ratios, and the reasons why there are none."""

import math
from pathlib import Path

import pytest
from builders import call, failure, write_index, write_run, write_sheet

from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.run_sheet import Run
from fewlabels.statistics import efficiency_rows
from fewlabels.statistics.label_efficiency import gain

#: Fraction -> labels.
LABELS = {"100": 1000, "10": 100, "1": 10}
#: Arm -> fraction -> of 100 test images, how many are classified rightly, at each seed.
RIGHT = {
    "base": {"100": (80, 80, 80), "10": (70, 70, 70), "1": (60, 60, 60)},
    "good": {"100": (84, 85, 86), "10": (74, 75, 76), "1": (64, 65, 66)},
    "same": {"100": (80, 80, 80), "10": (70, 70, 70), "1": (60, 60, 60)},
}
TRUTH = "ab" * 50
SEEDS = (1, 2, 3)


def answers(right: int, truth: str = TRUTH) -> str:
    """The first ones right, the others wrong."""
    swap = {"a": "b", "b": "a"}
    return "".join(c if place < right else swap[c] for place, c in enumerate(truth))


def write_labels(path: Path, labels: dict[str, dict[str, int]], same: tuple[str, ...] = ()) -> Path:
    """Arm -> fraction -> labels; the fractions ``same`` have the same training images."""
    columns = ["arm", "fraction", "replicate", "labels", "subset"]
    rows = [
        {"arm": arm, "fraction": fraction, "replicate": seed, "labels": count}
        | {"subset": f"{'same' if fraction in same else fraction} of {seed}"}
        for arm, counts in labels.items()
        for fraction, count in counts.items()
        for seed in SEEDS
    ]
    write_csv(path, columns, rows)
    return path


def write_runs(folder: Path, right: dict, test_set: str = "", truth: str = TRUTH) -> None:
    for arm, fractions in right.items():
        for fraction, counts in fractions.items():
            for seed, count in zip(SEEDS, counts, strict=True):
                name = f"replicate{seed}/{arm}_cells_{fraction}{test_set}.csv"
                write_run(folder, name, truth, answers(count, truth))


@pytest.fixture
def options(tmp_path: Path) -> dict:
    """A baseline, an arm that is 5 points better everywhere, and one that is the baseline's equal."""
    write_runs(tmp_path, RIGHT)
    return {
        "results": tmp_path,
        "index": write_index(tmp_path / "index.csv", "ab", TRUTH),
        "runs": sheet(tmp_path, list(RIGHT)),
        "labels": write_labels(tmp_path / "labels.csv", dict.fromkeys(RIGHT, LABELS)),
        "efficiency": tmp_path / "label_efficiency.csv",
    }


def sheet(folder: Path, arms: list[str], fractions=tuple(LABELS), seeds=SEEDS) -> Path:
    of = {arm: "base" for arm in arms if arm != "base"}
    return write_sheet(folder / "runs.csv", arms, fractions, seeds, of)


def rows_of(options, **wanted) -> list[dict[str, str]]:
    assert call("label_efficiency", **options) == 0
    rows = read_csv(options["efficiency"])
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def test_rows_and_their_order(options):
    rows = rows_of(options)
    assert [(row["arm"], row["fraction"]) for row in rows] == [
        (arm, fraction) for arm in ("good", "same") for fraction in ("", "100", "10", "1")
    ]
    places = {(row["baseline"], row["test_set"], row["metric"]) for row in rows}
    assert places == {("base", "test", "accuracy")}
    assert {row["state"] for row in rows} == {""}


def test_values(options):
    pooled, all_labels, ten, one = rows_of(options, arm="good")
    assert [float(row["value"]) for row in (all_labels, ten, one)] == [85, 75, 65]
    assert [float(row["labels"]) for row in (all_labels, ten, one)] == [1000, 100, 10]
    assert pooled["value"] == pooled["labels"] == ""
    assert [float(row["difference"]) for row in (pooled, ten)] == [5, 5]
    assert 0 < float(pooled["low"]) < 5 < float(pooled["high"])
    half_a_decade = pytest.approx(math.sqrt(10), rel=1e-4)
    assert [float(row["ratio"]) for row in (pooled, ten, one)] == [half_a_decade] * 3
    assert (float(all_labels["ratio"]), all_labels["ratio_bound"]) == (1, ">=")
    assert pooled["ratio_bound"] == ten["ratio_low_bound"] == ""
    assert float(ten["ratio_low"]) < math.sqrt(10) < float(ten["ratio_high"])


def test_pooled_tests_are_adjusted_over_the_arms_of_a_test_set(options, tmp_path):
    pooled = rows_of(options, fraction="")
    p, adjusted = ([float(row[key]) for row in pooled] for key in ("p", "p_holm"))
    assert p[0] < 0.05
    assert adjusted == pytest.approx([2 * p[0], 1], rel=1e-4)
    assert all(row["p"] == "" for row in rows_of(options, fraction="10"))
    # A second test set is a family of its own; there good is worse, on images of other labels.
    other = "ba" * 30
    lower = {arm: dict.fromkeys(LABELS, (30, 31, 32)) for arm in ("good",)}
    write_runs(tmp_path, {"base": RIGHT["base"], "same": RIGHT["same"]} | lower, "_on_LISC", other)
    index = write_index(tmp_path / "lisc.csv", "ab", other)
    both = options | {"external": ["LISC"], "external-indexes": [index]}
    rows = rows_of(both, fraction="")
    assert [row["test_set"] for row in rows] == ["test", "test", "LISC", "LISC"]
    assert [row["p_holm"] for row in rows[:2]] == [row["p_holm"] for row in pooled]
    assert float(rows[2]["difference"]) < 0
    assert float(rows[2]["p_holm"]) == pytest.approx(2 * float(rows[2]["p"]), rel=1e-4)


def test_adjusted_as_holm_does_it(options, tmp_path):
    """Three times the least p value, twice the next, and no value below the one before it."""
    arms = {"base": RIGHT["base"], "good": RIGHT["good"]}
    for arm, more in (("fair", (5, -1, 2)), ("fairer", (5, 0, 2))):
        of = RIGHT["base"].items()
        arms[arm] = {f: tuple(n + m for n, m in zip(counts, more, strict=True)) for f, counts in of}
    write_runs(tmp_path, arms)
    labels = write_labels(tmp_path / "labels.csv", dict.fromkeys(arms, LABELS))
    sheet(tmp_path, list(arms))
    good, fair, fairer = rows_of(options | {"labels": labels}, fraction="")
    p = {
        name: float(row["p"]) for name, row in (("good", good), ("fair", fair), ("fairer", fairer))
    }
    assert 3 * p["good"] < p["fairer"] < p["fair"] < 2 * p["fairer"] < 1
    assert float(good["p_holm"]) == pytest.approx(3 * p["good"], rel=1e-4)
    assert float(fairer["p_holm"]) == pytest.approx(2 * p["fairer"], rel=1e-4)
    assert float(fair["p_holm"]) == pytest.approx(2 * p["fairer"], rel=1e-4)


def test_alpha_is_heeded(options):
    wide, narrow = (rows_of(options | {"alpha": alpha}, arm="good")[0] for alpha in (0.01, 0.3))
    for low, high in (("low", "high"), ("ratio_low", "ratio_high")):
        assert float(wide[low]) < float(narrow[low]) < float(narrow[high]) < float(wide[high])


def test_the_primary_metric_is_the_curve(options):
    rows = rows_of(options | {"primary": "mcc"}, arm="good", fraction="10")
    assert [row["metric"] for row in rows] == ["mcc"]
    assert float(rows[0]["value"]) == pytest.approx(50, abs=0.1)


def without_numbers(row, *kept) -> bool:
    columns = {"difference", "low", "high", "p", "p_holm", "ratio", "ratio_low", "ratio_high"}
    return all(row[key] == "" for key in columns - set(kept))


def test_a_diverged_run_leaves_no_curve(options, tmp_path):
    write_run(tmp_path, "replicate2/good_cells_10.csv", TRUTH, "")
    pooled, all_labels, ten, _ = rows_of(options, arm="good")
    assert pooled["state"] == "10 %: 1 of 3 diverged"
    assert (ten["state"], ten["value"]) == ("1 of 3 diverged", "")
    assert all_labels["state"] == "no ratio: 10 %: 1 of 3 diverged"
    assert (without_numbers(pooled), without_numbers(ten), all_labels["value"]) == (
        True,
        True,
        "85",
    )
    (same,) = rows_of(options, arm="same", fraction="")
    # The only test that is left.
    assert (same["p"], same["p_holm"]) == ("1", "1")


def test_a_diverged_baseline_leaves_no_curve(options, tmp_path):
    write_run(tmp_path, "replicate3/base_cells_1.csv", TRUTH, "")
    pooled = rows_of(options, fraction="")
    assert {row["state"] for row in pooled} == {"1 %: 1 of 3 diverged of the baseline"}
    assert all(without_numbers(row) for row in pooled)


def test_one_replicate_has_no_interval_and_no_test(options, tmp_path):
    sheet(tmp_path, ["base", "good"], seeds=[2])
    for row in rows_of(options):
        assert row["state"] == "one replicate: how far replicates spread is not known"
        assert without_numbers(row, "difference", "ratio")
        assert float(row["difference"]) == 5


def test_two_replicates_are_warned_of(options, tmp_path):
    sheet(tmp_path, ["base", "good"], seeds=[1, 3])
    (pooled,) = rows_of(options, fraction="")
    assert pooled["state"] == "two replicates: how far replicates spread is hardly known"
    assert pooled["p_holm"]


def test_few_slides_have_no_interval_and_no_test(options):
    write_index(options["index"], "ab", TRUTH, [f"s{n % 4}" for n in range(100)])
    (pooled,) = rows_of(options, arm="good", fraction="")
    assert pooled["state"] == "test images of only 4.0 effective slides"
    assert without_numbers(pooled, "difference", "ratio")
    write_index(options["index"], "ab", TRUTH, [f"s{n % 20}" for n in range(100)])
    (pooled,) = rows_of(options, arm="good", fraction="")
    assert pooled["state"] == ""
    assert pooled["p"]


def test_slides_of_unequal_size_are_worth_fewer(options, monkeypatch):
    """One of 31 images and 69 of one: 100^2 / (31^2 + 69)."""
    slides = [f"s{max(n - 30, 0)}" for n in range(100)]
    write_index(options["index"], "ab", TRUTH, slides)
    seen = []
    monkeypatch.setattr(efficiency_rows, "gain", lambda curves: seen.append(curves) or gain(curves))
    rows_of(options)
    assert [curves.effective_units for curves in seen] == pytest.approx([10000 / 1030] * 2)
    assert seen[0].arm_data.shape == (3, 3, 70)


def test_one_fraction_is_no_curve(options, tmp_path):
    sheet(tmp_path, ["base", "good"], ["10"])
    pooled, ten = rows_of(options)
    assert pooled["state"] == "one number of labels: no curve"
    assert (ten["value"], ten["state"]) == ("75", "no ratio: one number of labels: no curve")
    assert without_numbers(pooled)


def test_fractions_with_the_same_training_images_count_once(options, tmp_path):
    """1 % has the images of 10 %: the curve goes from 100 to 1000 labels."""
    labels = dict.fromkeys(RIGHT, LABELS | {"1": 100})
    same = options | {"labels": write_labels(tmp_path / "same.csv", labels, ("10", "1"))}
    write_runs(tmp_path, {"good": {"1": (0, 0, 0)}})
    pooled, _, ten, one = rows_of(same, arm="good")
    assert (float(pooled["difference"]), pooled["state"]) == (5, "")
    assert (ten["state"], one["state"]) == ("", "same training images as 10 %: counted once")
    assert without_numbers(one)


def test_other_pools_of_training_images(options, tmp_path):
    """At 1,000 of 1,000 labels nothing is known of other pools; of 4,000 the intervals are wider."""
    any_pool = options | {"training-pool": "any"}
    (this,) = rows_of(options, arm="good", fraction="")
    write_index(options["index"], "ab" * 500, TRUTH)
    (pooled,) = rows_of(any_pool, arm="good", fraction="")
    assert pooled["state"] == "all training images are used: other pools of them are not covered"
    assert without_numbers(pooled, "difference", "ratio")
    write_index(options["index"], "ab" * 2000, TRUTH)
    (pooled,) = rows_of(any_pool, arm="good", fraction="")
    assert float(pooled["high"]) > float(this["high"])


def test_curves_that_do_not_belong_together(options, tmp_path):
    more = [Run("good", "cells", "100", seed, seed, baseline="base") for seed in (3, 2, 1)]
    write_sheet(tmp_path / "runs.csv", ["base"], ["100", "10"], SEEDS, more=more)
    (pooled,) = rows_of(options, fraction="")
    assert pooled["state"] == "100 %: seeds differ: not compared"
    more = [Run("good", "cells", f, seed, seed, baseline="base") for f in "1" for seed in SEEDS]
    write_sheet(tmp_path / "runs.csv", ["base"], ["100", "10"], SEEDS, more=more)
    (pooled,) = rows_of(options, fraction="")
    assert pooled["state"] == "1 %: the baseline has no such runs"
    sheet(tmp_path, ["base", "good"])
    counts = {"base": LABELS, "good": LABELS | {"10": 99}}
    other = options | {"labels": write_labels(tmp_path / "other.csv", counts)}
    (pooled,) = rows_of(other, fraction="")
    assert pooled["state"] == "10 %: the baseline was trained on other numbers of labels"


def test_other_test_images(options, tmp_path):
    write_runs(tmp_path, {"good": RIGHT["good"]}, truth="ab" * 40)
    (pooled,) = rows_of(options, arm="good", fraction="")
    assert pooled["state"] == "100 %: test images differ: not compared"
    one = {"1": RIGHT["good"]["1"]}
    write_runs(tmp_path, {"good": RIGHT["good"]})
    write_runs(tmp_path, {"good": one, "base": one}, truth="ab" * 40)
    (pooled,) = rows_of(options, arm="good", fraction="")
    assert pooled["state"] == "test images differ between fractions: no curve"


def test_replicates_are_paired_by_their_seeds(options, tmp_path):
    """Arm and baseline spread alike over seeds: their differences do not."""
    spread = {
        "base": dict.fromkeys(LABELS, (55, 60, 65)),
        "good": dict.fromkeys(LABELS, (60, 65, 70)),
    }
    write_runs(tmp_path, spread)
    (paired,) = rows_of(options, arm="good", fraction="")
    write_runs(tmp_path, {"good": dict.fromkeys(LABELS, (70, 65, 60))})
    (crossed,) = rows_of(options, arm="good", fraction="")
    assert paired["difference"] == crossed["difference"]
    assert float(paired["high"]) < float(crossed["high"])
    assert float(paired["p"]) < 0.05 < float(crossed["p"])


def test_without_arms_to_compare_there_is_only_a_header(options, tmp_path):
    sheet(tmp_path, ["base"])
    assert rows_of(options) == []


def test_labels_that_are_missing_are_one_line(options, tmp_path, capsys):
    wrong = options | {"labels": write_labels(tmp_path / "wrong.csv", {"base": LABELS})}
    line = failure(capsys, "label_efficiency", **wrong)
    assert "--labels has no row of good at 100 %" in line


def test_labels_are_means_over_replicates(options):
    """At 10 % 100, 100 and 400 images, 200 in the mean: half of ln 1000 - ln 200 brings the baseline from 70 to 75."""
    rows = read_csv(options["labels"])
    for row in rows:
        if (row["fraction"], row["replicate"]) == ("10", "3"):
            row["labels"] = "400"
    write_csv(options["labels"], list(rows[0]), rows)
    (ten,) = rows_of(options, arm="good", fraction="10")
    assert float(ten["labels"]) == 200
    assert float(ten["ratio"]) == pytest.approx(math.sqrt(1000 / 200), rel=1e-4)


def test_differences_are_those_of_comparisons(options, tmp_path):
    """Also where slides are of unequal size: 30 images and five times 14, worth 5.3 equal ones."""
    slides = ["big"] * 30 + [f"s{n % 5}" for n in range(70)]
    write_index(options["index"], "ab", TRUTH, slides)
    mine = {row["fraction"]: row for row in rows_of(options, arm="good") if row["fraction"]}
    others = {key: value for key, value in options.items() if key != "efficiency"}
    assert call("compare", **others, comparisons=tmp_path / "comparisons.csv") == 0
    compared = [
        row
        for row in read_csv(tmp_path / "comparisons.csv")
        if (row["arm"], row["metric"], row["replicate"]) == ("good", "accuracy", "mean")
    ]
    assert {row["fraction"] for row in compared} == set(mine)
    for row in compared:
        assert row["effective_units"].startswith("5.3")
        found = [mine[row["fraction"]][key] for key in ("difference", "low", "high")]
        assert found == [row[key] for key in ("difference", "low", "high")]
        assert float(row["low"]) < float(row["difference"])
