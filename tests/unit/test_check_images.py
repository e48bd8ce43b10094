"""Judging problems: the verdict stops with one line, and what warns lets the workflow go on."""

import pytest
from builders import call

from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.verdict import read_verdict
from fewlabels.data.problem_kinds import KINDS

CHOICES = [name for name, kind in KINDS.items() if kind.choice]
FIXED = [name for name, kind in KINDS.items() if not kind.choice]


@pytest.fixture
def judge(tmp_path):
    """Judges problems of these kinds; gives the line of the verdict and the table."""

    def judged(*kinds, **policy):
        rows = [
            {"kind": kind, "path": f"{kind}.png", "detail": "is wrong: mend it", "files": 1}
            for kind in kinds
        ]
        write_csv(tmp_path / "problems.csv", ["kind", "path", "detail", "files"], rows)
        options = {
            "problems": tmp_path / "problems.csv",
            "policy": {name: KINDS[name].default for name in CHOICES} | policy,
        }
        places = {"table": tmp_path / "checked.csv", "verdict": tmp_path / "verdict.txt"}
        assert call("check_images", dataset="wbc", **options, **places) == 0
        return read_verdict(tmp_path / "verdict.txt"), read_csv(tmp_path / "checked.csv")

    return judged


def test_sound_data_pass_with_an_empty_table(judge, tmp_path):
    assert judge() == (None, [])
    assert (tmp_path / "checked.csv").read_text() == "dataset,kind,path,detail,files,consequence\n"


@pytest.mark.parametrize("kind", CHOICES)
def test_a_kind_stops_or_warns_as_the_config_says(judge, capsys, kind):
    line, [row] = judge(kind, **{kind: "stop"})
    assert line == f"wbc: {kind.replace('_', ' ')}: {kind}.png is wrong: mend it"
    assert row["consequence"] == "stop"
    capsys.readouterr()
    line, [row] = judge(kind, **{kind: "warn"})
    assert (line, row["consequence"], row["dataset"]) == (None, "warn", "wbc")
    assert f"warn: wbc: {kind}: {kind}.png is wrong: mend it" in capsys.readouterr().err


@pytest.mark.parametrize("kind", FIXED)
def test_a_kind_without_a_choice_stops_whatever_the_config_says(judge, kind):
    line, [row] = judge(kind, **{kind: "warn"})
    assert line is not None and line.startswith(f"wbc: {kind.replace('_', ' ')}: ")
    assert row["consequence"] == "stop"


def test_the_cause_is_told_before_what_follows_from_it_and_the_rest_is_counted(judge, tmp_path):
    kinds = ["empty_class", "blank_image", "undecodable_image", "unknown_class_folder"]
    line, rows = judge(*kinds, blank_image="warn")
    assert line is not None and line.startswith("wbc: unknown class folder: ")
    assert line.endswith(f" (2 more in {tmp_path / 'checked.csv'})")
    assert [row["kind"] for row in rows] == [
        *("unknown_class_folder", "undecodable_image", "empty_class", "blank_image")
    ]
