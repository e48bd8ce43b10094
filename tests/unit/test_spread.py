"""The spread of crossed runs."""

import math

import pytest
from builders import call, write_run

from fewlabels.core.files import read_csv

#: Images of ten that are right with each pair of subset and initialisation: the values of test_random_effects.
RIGHT = {"1": 1, "1x2": 2, "2x1": 5, "2": 8}


def write(folder, replicate: str, right: int) -> None:
    labels = "ab" * 5
    answers = labels[:right] + "".join("ba"["ab".index(label)] for label in labels[right:])
    write_run(folder, f"replicate{replicate}/one_wbc_1.csv", labels, answers if right else "")


@pytest.fixture
def options(tmp_path):
    for replicate, right in RIGHT.items():
        write(tmp_path, replicate, right)
    return {
        **{"results": tmp_path, "arms": ["one"], "fractions": ["1"], "replicates": ["1", "2"]},
        "spread": tmp_path / "spread.csv",
    }


def test_standard_deviations_in_points(options):
    assert call("spread", **options) == 0
    rows = read_csv(options["spread"])
    assert [row["metric"] for row in rows] == ["accuracy", "macro_f1"]
    found = [float(rows[0][key]) for key in ("mean", "sd_subset", "sd_initialisation", "sd_rest")]
    assert found == pytest.approx([40, 10 * math.sqrt(12), 10 * math.sqrt(1.5), 10], rel=1e-6)


def test_a_diverged_run_leaves_no_value(options, tmp_path):
    write(tmp_path, "1x2", 0)
    assert call("spread", **options) == 0
    rows = read_csv(options["spread"])
    assert {(row["mean"], row["state"]) for row in rows} == {("", "1 of 4 diverged")}


@pytest.mark.parametrize("seeds", [[], ["1"]])
def test_off(options, seeds):
    assert call("spread", **options | {"replicates": seeds}) == 0
    assert read_csv(options["spread"]) == []
