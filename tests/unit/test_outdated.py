"""Tables that a run will replace, or a check speaks against, are moved away; so are states of images of before."""

import os

import pytest

from fewlabels.workflow.outdated import outdate_all, outdate_tables, remove_states

TABLES = ("report.html", "summary.md", "summary.csv", "comparisons.csv", "provenance.json")


@pytest.fixture
def results(tmp_path):
    for name in (*TABLES, "runs.csv"):
        (tmp_path / name).write_text(name)
    return tmp_path


def names(folder) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_tables_that_the_run_replaces_are_moved(results):
    made = ("report.html", "summary.md", "summary.csv", "provenance.json")
    remade = {results / name for name in (*made, "a.csv")}
    line = outdate_tables(results, remade)
    assert names(results) == {"comparisons.csv", "runs.csv", "outdated"}
    assert names(results / "outdated") == set(made)
    assert line is not None and f"now in {results}/outdated" in line and "summary.md" in line


def test_a_run_that_leaves_the_summary_moves_nothing(results):
    before = names(results)
    assert (
        outdate_tables(results, {results / "provenance.json", results / "comparisons.csv"}) is None
    )
    assert names(results) == before


def test_the_first_run_says_nothing(tmp_path):
    assert outdate_tables(tmp_path, {tmp_path / "summary.md"}) is None
    assert outdate_all(tmp_path) is None
    assert names(tmp_path) == set()


def test_where_a_check_says_stop_all_tables_go(results):
    line = outdate_all(results)
    assert names(results) == {"runs.csv", "outdated"}
    assert line is not None and "not of the present state" in line
    (results / "summary.md").write_text("new")
    outdate_all(results)
    assert (results / "outdated/summary.md").read_text() == "new"


def test_states_go_but_for_the_present_and_what_is_published(tmp_path):
    states = tmp_path / "images/states"
    for name in ("wbc_1", "wbc_2", "wbc_3", "prcc_1", "prcc_2", "wbcs_1"):
        (states / name).mkdir(parents=True)
        (states / name / "images.npy").write_text(name)
    os.symlink("states/wbc_2/images.npy", tmp_path / "images/wbc.npy")
    removed = remove_states(tmp_path, {"wbc": "3", "prcc": "2"})
    assert removed == ["wbc_1"]
    assert names(states) == {"wbc_2", "wbc_3", "prcc_1", "prcc_2", "wbcs_1"}
