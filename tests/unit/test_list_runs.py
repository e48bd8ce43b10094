"""The run sheet from the grid that the config makes of it."""

import json

import pytest
from builders import call, failure

from fewlabels.core.run_sheet import Run, read_run_sheet

GRID = {
    "target": "cells",
    "arms": [{"name": "resnet"}, {"name": "otherGrouped", "split": "grouped", "baseline": "one"}],
    "fractions": ["100", "0.5"],
    "replicates": [3, 1, 2],
    "crossed_fractions": ["0.5"],
    "crossed_replicates": [3, 1],
}


def options(tmp_path, **changes):
    return {"grid": json.dumps(GRID | changes), "sheet": tmp_path / "runs.csv"}


def test_every_arm_meets_every_fraction_and_seed_in_their_order(tmp_path):
    assert call("list_runs", **options(tmp_path)) == 0
    runs = read_run_sheet(tmp_path / "runs.csv")
    other = {"split": "grouped", "baseline": "one"}
    assert [run for run in runs if run.tabled] == [
        Run("resnet", "cells", "100", 3, 3),
        Run("resnet", "cells", "100", 1, 1),
        Run("resnet", "cells", "100", 2, 2),
        Run("resnet", "cells", "0.5", 3, 3, crossed=True),
        Run("resnet", "cells", "0.5", 1, 1, crossed=True),
        Run("resnet", "cells", "0.5", 2, 2),
        Run("otherGrouped", "cells", "100", 3, 3, **other),
        Run("otherGrouped", "cells", "100", 1, 1, **other),
        Run("otherGrouped", "cells", "100", 2, 2, **other),
        Run("otherGrouped", "cells", "0.5", 3, 3, **other, crossed=True),
        Run("otherGrouped", "cells", "0.5", 1, 1, **other, crossed=True),
        Run("otherGrouped", "cells", "0.5", 2, 2, **other),
    ]


def test_pairs_of_seeds_are_crossed_both_ways_and_stand_in_no_table(tmp_path):
    assert call("list_runs", **options(tmp_path, arms=[{"name": "resnet"}])) == 0
    runs = read_run_sheet(tmp_path / "runs.csv")
    pairs = {"tabled": False, "crossed": True}
    assert [run for run in runs if not run.tabled] == [
        Run("resnet", "cells", "0.5", 3, 1, **pairs),
        Run("resnet", "cells", "0.5", 1, 3, **pairs),
    ]


def test_the_sheet_of_thousands_of_runs_fits_a_command(tmp_path):
    """Linux gives a single argument, such as the text of `sh -c`, 128 KiB."""
    asked = options(tmp_path, replicates=list(range(2500)), crossed_replicates=[])
    assert len(asked["grid"]) < 32 * 1024
    assert call("list_runs", **asked) == 0
    assert len(read_run_sheet(tmp_path / "runs.csv")) == 2 * 2 * 2500


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": []}, "key 'arms' is []"),
        ({"arms": [{"name": "resnet", "splti": "x"}]}, "unknown key 'splti' in key 'arms.0'"),
        (
            {"fractoins": ["1"]},
            "unknown key 'fractoins' in the top level: did you mean 'fractions'?",
        ),
        ({"replicates": ["x"]}, "key 'replicates.0' is 'x'"),
    ],
)
def test_what_is_no_grid_is_refused(tmp_path, capsys, changes, words):
    with pytest.raises(SystemExit) as stop:
        call("list_runs", **options(tmp_path, **changes))
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


def test_two_runs_with_the_same_files_are_refused(tmp_path, capsys):
    line = failure(capsys, "list_runs", **options(tmp_path, fractions=["10", "10"]))
    assert "2 runs would write models/replicate3/resnet_cells_10.pt" in line
    assert not (tmp_path / "runs.csv").exists()
