"""Verdicts of checks, and the step that heeds them."""

import os

import pytest
from builders import call, failure

from fewlabels.core.errors import UserError
from fewlabels.core.verdict import read_verdict, write_verdict
from fewlabels.workflow.heeded import put_back_heeded


def test_a_verdict_is_read_as_it_was_written(tmp_path):
    write_verdict(tmp_path / "go", None)
    write_verdict(tmp_path / "stop", "wbc: a.jpg\nis broken:  replace it")
    assert read_verdict(tmp_path / "go") is None
    assert read_verdict(tmp_path / "stop") == "wbc: a.jpg is broken: replace it"


@pytest.mark.parametrize("text", ["", "stopped", "go on"])
def test_a_file_that_is_no_verdict_lets_nothing_pass(tmp_path, capsys, text):
    (tmp_path / "verdict.txt").write_text(text)
    options = {"verdict": tmp_path / "verdict.txt", "heeded": tmp_path / "heeded.txt"}
    assert "holds no verdict: delete it" in failure(capsys, "heed_verdict", **options)
    with pytest.raises(UserError, match="does not exist"):
        read_verdict(tmp_path / "none.txt")


def test_a_verdict_that_stops_is_told_in_one_line(tmp_path, capsys):
    options = {"verdict": tmp_path / "verdict.txt", "heeded": tmp_path / "heeded.txt"}
    write_verdict(tmp_path / "verdict.txt", "wbc: remove a.jpg")
    assert failure(capsys, "heed_verdict", **options) == "error: wbc: remove a.jpg"
    assert not (tmp_path / "heeded.txt").exists()
    write_verdict(tmp_path / "verdict.txt", None)
    assert call("heed_verdict", **options) == 0
    assert (tmp_path / "heeded.txt").exists()


def test_files_that_verdicts_were_heeded_by_are_put_back_older_than_the_verdict(tmp_path):
    for place in ("leakage", "images/states/wbc_1", "images/states/wbc_2"):
        write_verdict(tmp_path / place / "verdict.txt", None)
    kept = tmp_path / "leakage/heeded.txt"
    kept.write_text("go\n")
    put_back_heeded(tmp_path)
    put_back_heeded(tmp_path / "none")
    assert kept.read_text() == "go\n"
    for place in ("images/states/wbc_1", "images/states/wbc_2"):
        heeded = tmp_path / place / "heeded.txt"
        assert os.path.getmtime(heeded) < os.path.getmtime(tmp_path / place / "verdict.txt") - 1e6
    assert not (tmp_path / "networks").exists()
