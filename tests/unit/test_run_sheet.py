"""The run sheet: what is written is read, and paths come from runs alone."""

import pytest

from fewlabels.core.errors import UserError
from fewlabels.core.run_sheet import (
    OWN_TEST_SET,
    Run,
    cells,
    crossed,
    fraction_of,
    in_order,
    read_run_sheet,
    run_pattern,
    runs_of_arm,
    seeds_label,
    tabled,
    write_run_sheet,
)

ONE = Run("one", "cells", "0.5", 1, 1, crossed=True)
CROSSED = Run("one", "cells", "0.5", 1, 2, tabled=False, crossed=True)
OTHER = Run("otherGrouped", "cells", "100", 3, 3, "grouped", "oneGrouped")
RUNS = [OTHER, ONE, CROSSED]
FEW = Run("one", "cells_5", "12perclass", 1, 1)


def test_what_is_written_is_read(tmp_path):
    write_run_sheet(tmp_path / "runs.csv", RUNS)
    assert read_run_sheet(tmp_path / "runs.csv") == RUNS
    assert (tmp_path / "runs.csv").read_text().splitlines() == [
        "arm,target,fraction,subset_seed,initialisation_seed,split,baseline,tabled,crossed",
        "otherGrouped,cells,100,3,3,grouped,oneGrouped,1,0",
        "one,cells,0.5,1,1,given,,1,1",
        "one,cells,0.5,1,2,given,,0,1",
    ]


@pytest.mark.parametrize("text", ["", "arm,target\none,cells\n"])
def test_another_table_is_no_run_sheet(tmp_path, text):
    (tmp_path / "runs.csv").write_text(text)
    with pytest.raises(UserError, match=r"runs\.csv is no run sheet: delete it"):
        read_run_sheet(tmp_path / "runs.csv")


def test_a_missing_sheet_is_named(tmp_path):
    with pytest.raises(UserError, match=r"runs\.csv does not exist"):
        read_run_sheet(tmp_path / "runs.csv")


def test_seeds_are_told_apart_only_where_they_differ():
    assert [seeds_label(1, 2), seeds_label(2, 1), seeds_label(2, 2)] == ["1x2", "2x1", "2"]
    assert CROSSED.replicate == "1x2"


def test_paths():
    assert ONE.path("predictions") == "predictions/replicate1/one_cells_0.5.csv"
    assert CROSSED.path("records", "json") == "records/replicate1x2/one_cells_0.5.json"
    assert ONE.path("predictions", test_set="LISC").endswith("replicate1/one_cells_0.5_on_LISC.csv")
    assert ONE.path("history", test_set=OWN_TEST_SET) == ONE.path("history")
    assert ONE.subset() == "subsets/replicate1/cells_0.5.csv"
    # Crossed, 1x2: of the subset's seed.
    assert CROSSED.subset() == "subsets/replicate1/cells_0.5.csv"
    assert OTHER.subset("_abc") == "subsets/replicate3/cells_100_grouped_abc.csv"
    wildcards = {"replicate": "1x2", "arm": "one", "fraction": "0.5"}
    assert CROSSED.path("a") == f"a/{run_pattern('cells').format(**wildcards)}.csv"


@pytest.mark.parametrize("test_set", [OWN_TEST_SET, "LISC"])
@pytest.mark.parametrize("run", [*RUNS, FEW])
def test_the_fraction_of_a_file(run, test_set):
    path = run.path("x", test_set=test_set)
    assert fraction_of(path.removesuffix(".csv")) == run.fraction


@pytest.mark.parametrize(
    "stem",
    ["resnet_cam16", "cells_grouped", "evaluate", "10", "figure_4b", "a_0perclass", "a_perclass"],
)
def test_other_files_have_no_fraction(stem):
    assert fraction_of(stem) == ""


def test_parts_of_a_sheet():
    assert tabled(RUNS) == [OTHER, ONE]
    assert crossed(RUNS) == [ONE, CROSSED]
    assert in_order(["b", "a", "b"]) == ["b", "a"]
    assert list(cells(RUNS).items()) == [
        (("otherGrouped", "100"), [OTHER]),
        (("one", "0.5"), [ONE, CROSSED]),
    ]
    assert runs_of_arm(RUNS, "one") == [ONE, CROSSED]


def test_an_arm_without_runs_is_refused():
    with pytest.raises(UserError, match="'onee' is not among the runs: did you mean 'one'"):
        runs_of_arm(RUNS, "onee")
