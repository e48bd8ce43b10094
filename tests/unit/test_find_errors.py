"""Which test images are shown: the surest mistakes, doubtful labels, and what most runs get wrong."""

import pytest
from builders import call, write_run, write_sheet

from fewlabels.core.files import read_csv
from fewlabels.statistics.shown_errors import largest_fraction


def found(folder, **options):
    files = {"errors": folder / "errors.csv", "label_errors": folder / "labels.csv"}
    assert call("find_errors", results=folder, runs=folder / "runs.csv", **files, **options) == 0
    return read_csv(files["errors"]), read_csv(files["label_errors"])


def of_reason(rows, reason, **cell):
    chosen = [row for row in rows if row["reason"] == reason]
    return [row for row in chosen if all(row[key] == value for key, value in cell.items())]


@pytest.fixture
def results(tmp_path):
    """Two arms at 100 and 10 %, two replicates each, of six images. Image 002 is wrong in every run at 100 %, surest of
    all; 003 in three of the four; 004 in one."""
    write_sheet(tmp_path / "runs.csv", ["one", "two"], ["100", "10"], [1, 2])
    truth = "aaabbb"
    for arm, replicate, guesses, probability in [
        *(("one", 1, "aababb", 0.9), ("one", 2, "aababb", 0.8)),
        *(("two", 1, "aababb", 0.9), ("two", 2, "aabbab", 0.95)),
    ]:
        write_run(
            tmp_path, f"replicate{replicate}/{arm}_cells_100.csv", truth, guesses, (), probability
        )
        write_run(tmp_path, f"replicate{replicate}/{arm}_cells_10.csv", truth, "bbbaaa", (), 0.6)
    return tmp_path


def test_the_surest_mistakes_of_each_arm_and_fraction(results):
    shown, _ = found(results)
    cells = {(row["arm"], row["fraction"]) for row in of_reason(shown, "mistake")}
    assert cells == {(arm, fraction) for arm in ("one", "two") for fraction in ("100", "10")}
    first, second = of_reason(shown, "mistake", arm="one", fraction="100")
    assert (first["id"], second["id"]) == ("002", "003")
    assert (first["label"], first["predicted"]) == ("a", "b")
    assert float(first["probability"]) == pytest.approx(0.85)
    assert float(first["label_probability"]) == pytest.approx(0.15)
    assert (first["rank"], first["wrong"], first["runs"]) == ("1", "2", "2")
    assert first["explained_replicate"] == "1"
    # One of the other two runs is wrong about 003, the other, which is surer, about 004.
    third = of_reason(shown, "mistake", arm="two", fraction="100")
    assert [(row["id"], row["wrong"]) for row in third] == [("002", "2"), ("004", "1")]
    assert third[1]["explained_replicate"] == "2"


def test_mistakes_are_bounded_by_cell_and_in_all(results):
    assert len(of_reason(found(results, mistakes=3)[0], "mistake", fraction="10")) == 2 * 3
    assert len(of_reason(found(results, most=8)[0], "mistake", fraction="10")) == 2 * 2
    surest = of_reason(found(results, mistakes=1)[0], "mistake", fraction="100")
    assert [row["id"] for row in surest] == ["002", "002"]


def test_doubtful_labels_and_hard_images_are_of_the_runs_with_the_most_labels(results):
    shown, ranked = found(results)
    doubts, hard = of_reason(shown, "doubtful_label"), of_reason(shown, "hard")
    assert [row["id"] for row in doubts] == ["002", "003"]
    assert [(row["wrong"], row["runs"]) for row in doubts] == [("4", "4"), ("3", "4")]
    assert not hard, "an image is shown once"
    assert [row["id"] for row in ranked[:2]] == ["002", "003"]
    assert [row["doubtful"] for row in ranked] == ["1", "1", "0", "0", "0", "0"]
    assert [row["rank"] for row in ranked] == ["1", "2", "3", "4", "5", "6"]


def test_what_most_runs_get_wrong_without_being_sure_of_it(tmp_path):
    """All three runs are wrong about 003, but less sure of class a than they are of images that are a."""
    write_sheet(tmp_path / "runs.csv", ["one"], ["100"], [1, 2, 3])
    for replicate in (1, 2, 3):
        name = f"predictions/replicate{replicate}/one_cells_100.csv"
        sure = ["0.9,0.1"] * 3 + ["0.6,0.4"] + ["0.1,0.9"] * 2
        answers = zip("aaabbb", "aaaabb", sure, strict=True)
        lines = [f"00{n},{label},{guess},{p}" for n, (label, guess, p) in enumerate(answers)]
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("\n".join(["id,label,predicted,p_a,p_b", *lines, ""]))
    shown, ranked = found(tmp_path)
    assert [row["id"] for row in of_reason(shown, "hard")] == ["003"]
    assert not of_reason(shown, "doubtful_label")
    assert [row["doubtful"] for row in ranked] == ["0"] * 6


def test_external_sets_stand_apart(results):
    for replicate in (1, 2):
        for arm in ("one", "two"):
            for fraction in ("100", "10"):
                name = f"replicate{replicate}/{arm}_cells_{fraction}_on_Elsewhere.csv"
                write_run(results, name, "ab", "bb", (), 0.7)
    shown, ranked = found(results, external=["Elsewhere"])
    there = of_reason(shown, "mistake", test_set="Elsewhere")
    assert len(there) == 4
    assert {row["id"] for row in there} == {"000"}
    assert [row["test_set"] for row in ranked] == ["test"] * 6 + ["Elsewhere"] * 2


def test_a_run_that_diverged_has_no_say(results):
    write_run(results, "replicate1/one_cells_100.csv", "aaabbb", "")
    shown, _ = found(results)
    first = of_reason(shown, "mistake", arm="one", fraction="100")[0]
    assert (first["runs"], first["explained_replicate"]) == ("1", "2")
    assert float(first["probability"]) == pytest.approx(0.8)


def test_the_largest_fraction_of_each_arm(tmp_path):
    from fewlabels.core.run_sheet import Run

    runs = [Run(arm, "cells", f, 1, 1) for arm, f in [("a", "5perclass"), ("a", "10"), ("b", "1")]]
    assert largest_fraction(runs) == runs[1:]
