"""The run sheet from what the config makes of it."""

import json

import pytest
from builders import call, failure

from fewlabels.core.run_sheet import Run, read_run_sheet

FIRST = {
    **{"arm": "resnet", "target": "cells", "fraction": "10"},
    **{"subset_seed": 1, "initialisation_seed": 1},
}


def options(tmp_path, *entries):
    return {"runs": json.dumps(entries), "sheet": tmp_path / "runs.csv"}


def test_runs_keep_their_order_and_fields(tmp_path):
    more = {"split": "grouped", "baseline": "resnet", "tabled": False, "crossed": True}
    entries = [FIRST | {"subset_seed": 3}, FIRST, FIRST | {"arm": "other"} | more]
    assert call("list_runs", **options(tmp_path, *entries)) == 0
    assert read_run_sheet(tmp_path / "runs.csv") == [
        Run("resnet", "cells", "10", 3, 1),
        Run("resnet", "cells", "10", 1, 1),
        Run("other", "cells", "10", 1, 1, "grouped", "resnet", False, True),
    ]


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([], "--runs is empty"),
        ([FIRST | {"fractoin": "1"}], "unknown field 'fractoin': did you mean 'fraction'?"),
        ([{key: FIRST[key] for key in FIRST if key != "target"}], "entry '0.target'"),
        ([FIRST, FIRST | {"fraction": 10}], "entry '1.fraction'"),
        ([FIRST | {"subset_seed": "x"}], "entry '0.subset_seed'"),
        ([3], "entry '0'"),
        (
            [FIRST, FIRST | {"baseline": "x"}],
            "2 runs would write models/replicate1/resnet_cells_10.pt",
        ),
    ],
)
def test_what_is_no_list_of_runs_is_one_line(tmp_path, capsys, entries, words):
    assert words in failure(capsys, "list_runs", **options(tmp_path, *entries))
    assert not (tmp_path / "runs.csv").exists()


def test_broken_json_is_one_line(tmp_path, capsys):
    line = failure(capsys, "list_runs", runs="[{", sheet=tmp_path / "runs.csv")
    assert "--runs is no JSON" in line
