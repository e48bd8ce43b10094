"""What the audit found, judged by the config: an error is one line, the findings stay."""

import pytest
from builders import call, failure

from fewlabels.audit.leakage import COLUMNS, KINDS
from fewlabels.core.files import read_csv, write_csv

WARN = dict.fromkeys(KINDS, "warn")


def finding(kind, first_split="train", second_split="test", **values):
    row = {
        "kind": kind,
        "first_dataset": "wbc",
        "first_split": first_split,
        "second_dataset": "wbc",
        "second_split": second_split,
    }
    if kind in ("slide", "field"):
        return row | {"group": "s1", "first_images": 3, "second_images": 2} | values
    return row | {"first_id": "train/a/1.jpg", "second_id": "val/a/2.jpg", "distance": 0} | values


@pytest.fixture
def options(tmp_path):
    def write(rows, **policy):
        write_csv(tmp_path / "pairs.csv", COLUMNS, rows)
        return {
            "pairs": tmp_path / "pairs.csv",
            "policy": WARN | policy,
            "output": tmp_path / "check.csv",
        }

    return write


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("bytes", "wbc test: val/a/2.jpg is the same file as wbc train: train/a/1.jpg: remove one"),
        ("pixels", "val/a/2.jpg is the same pixels as wbc train: train/a/1.jpg"),
        ("near_duplicates", "val/a/2.jpg is a near duplicate of wbc train: train/a/1.jpg"),
        ("slide", "same slide in wbc test and wbc train: s1: keep its images in one"),
        ("field", "same microscope field in wbc test and wbc train: s1"),
    ],
)
def test_every_kind_stops_with_one_line_or_passes(options, tmp_path, capsys, kind, words):
    line = failure(capsys, "check_leakage", **options([finding(kind)], **{kind: "error"}))
    assert words in line
    assert f"or set leakage.{kind} to warn; see {tmp_path}/pairs.csv" in line
    assert not (tmp_path / "check.csv").exists()
    for policy, logged in (("warn", True), ("ignore", False)):
        assert call("check_leakage", **options([finding(kind)], **{kind: policy})) == 0
        [row] = read_csv(tmp_path / "check.csv")
        assert (row["kind"], row["count"], row["consequence"]) == (kind, "1", policy)
        assert (
            f"warning: {KINDS[kind]}: 1 in wbc train and wbc test" in capsys.readouterr().err
        ) == logged


def test_several_errors_are_counted(options, capsys):
    rows = [finding("slide"), finding("bytes"), finding("bytes")]
    line = failure(capsys, "check_leakage", **options(rows, bytes="error"))
    assert "(1 more)" in line
    assert line.startswith("error: leakage: wbc test: val/a/2.jpg")


def test_a_copy_within_one_split_never_stops(options, tmp_path):
    rows = [finding("bytes", "train", "train")]
    assert call("check_leakage", **options(rows, bytes="error")) == 0
    assert [row["consequence"] for row in read_csv(tmp_path / "check.csv")] == ["warn"]


def test_nothing_found_is_an_empty_table(options, tmp_path):
    assert call("check_leakage", **options([], bytes="error")) == 0
    assert read_csv(tmp_path / "check.csv") == []
