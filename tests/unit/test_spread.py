"""The spread of crossed runs; statistics/crossed.py is tested in test_crossed.py."""

import math

import pytest
from builders import call, failure, write_run, write_sheet
from scipy.stats import chi2

from fewlabels.core.files import read_csv
from fewlabels.core.run_sheet import Run

#: Images of ten that are right with each pair of subset and initialisation: the values of test_crossed.
RIGHT = {"1": 1, "1x2": 2, "2x1": 5, "2": 8}


def write(folder, replicate: str, right: int) -> None:
    labels = "ab" * 5
    answers = labels[:right] + "".join("ba"["ab".index(label)] for label in labels[right:])
    write_run(folder, f"replicate{replicate}/one_cells_1.csv", labels, answers if right else "")


def sheet(folder, pairs):
    """Replicates 1 to 3, and the crossed runs of these pairs of seeds."""
    runs = [Run("one", "cells", "1", *pair, tabled=False, crossed=True) for pair in pairs]
    return write_sheet(folder / "runs.csv", ["one"], ["1"], [1, 2, 3], more=runs)


@pytest.fixture
def options(tmp_path):
    for replicate, right in RIGHT.items():
        write(tmp_path, replicate, right)
    return {
        "results": tmp_path,
        "runs": sheet(tmp_path, [(1, 1), (2, 2), (1, 2), (2, 1)]),
        "spread": tmp_path / "spread.csv",
    }


def test_standard_deviations_in_points(options):
    assert call("spread", **options) == 0
    rows = read_csv(options["spread"])
    assert [row["metric"] for row in rows] == ["accuracy", "macro_f1"]
    found = [float(rows[0][key]) for key in ("mean", "sd_subset", "sd_initialisation", "sd_rest")]
    assert found == pytest.approx([40, 10 * math.sqrt(12), 10 * math.sqrt(1.5), 10], rel=1e-6)
    # F tests of 25 and 4 with one degree of freedom each.
    tests = [float(rows[0][key]) for key in ("p_subset", "p_initialisation")]
    by_hand = [1 - 2 / math.pi * math.atan(root) for root in (5, 2)]
    assert tests == pytest.approx(by_hand, rel=1e-6)


def test_upper_limits_have_the_level_asked_for(options):
    def limits(**more) -> list[float]:
        assert call("spread", **options, **more) == 0
        row = read_csv(options["spread"])[0]
        names = ("sd_subset_upper", "sd_initialisation_upper", "sd_rest_upper")
        return [float(row[name]) for name in names]

    by_default, wide, narrow = limits(), limits(alpha=0.05), limits(alpha=0.2)
    assert by_default == wide
    assert all(one > other for one, other in zip(wide, narrow, strict=True))
    assert narrow[2] == pytest.approx(10 / math.sqrt(chi2.ppf(0.2, 1)), rel=1e-6)
    assert narrow[0] > narrow[1] > 10 * math.sqrt(1.5)


def test_a_diverged_run_leaves_no_value(options, tmp_path):
    write(tmp_path, "1x2", 0)
    assert call("spread", **options) == 0
    rows = read_csv(options["spread"])
    assert {(row["mean"], row["state"]) for row in rows} == {("", "1 of 4 diverged")}


@pytest.mark.parametrize("pairs", [[], [(1, 1)]])
def test_off(options, tmp_path, pairs):
    sheet(tmp_path, pairs)
    assert call("spread", **options) == 0
    assert read_csv(options["spread"]) == []


def test_a_pair_of_seeds_without_a_run_is_one_line(options, tmp_path, capsys):
    sheet(tmp_path, [(1, 1), (2, 2), (2, 1)])
    line = failure(capsys, "spread", **options)
    assert "one at 1 % has no crossed run of subset seed 1 and initialisation seed 2" in line
    assert not options["spread"].exists()
