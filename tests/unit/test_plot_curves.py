"""The figure of one arm: a panel per fraction, all replicates in it."""

import pytest
from builders import call, colours_in, failure, write_sheet

import plot_curves
from fewlabels.core.files import write_csv
from fewlabels.core.run_sheet import Run

COLUMNS = ["epoch", "steps", "train_loss", "train_accuracy", "test_loss", "test_accuracy"]


@pytest.fixture
def options(tmp_path):
    """Two arms at two fractions, twice; a history's test accuracy tells whose it is."""
    places = [(fraction, seed) for fraction in ("100", "0.5") for seed in (1, 2)]
    for arm, shift in (("one", 0), ("two", 0.5)):
        for number, (fraction, seed) in enumerate(places):
            write_csv(
                tmp_path / f"history/replicate{seed}/{arm}_cells_{fraction}.csv",
                COLUMNS,
                (
                    dict(
                        zip(
                            COLUMNS,
                            [n, 2 * n, 1 / n, 0.5, 1.1 / n, shift + 0.1 * number],
                            strict=True,
                        )
                    )
                    for n in (1, 2, 3)
                ),
            )
    crossed = Run("one", "cells", "0.5", 1, 2, tabled=False, crossed=True)
    return {
        "results": tmp_path,
        "runs": write_sheet(
            tmp_path / "runs.csv", ["one", "two"], ["100", "0.5"], [1, 2], more=[crossed]
        ),
        "arm": "one",
        "title": "a title",
        "figure": tmp_path / "figure.png",
    }


def drawn(options, monkeypatch) -> list[tuple]:
    calls = []
    monkeypatch.setattr(plot_curves, "training_curves", lambda *given: calls.append(given))
    assert call("plot_curves", **options) == 0
    return calls


def test_the_figure(options):
    assert call("plot_curves", **options) == 0
    assert colours_in(options["figure"]) > 10


def test_histories_of_the_arm_are_sorted_into_panels(options, monkeypatch):
    [(path, title, panels)] = drawn(options, monkeypatch)
    assert (path, title) == (str(options["figure"]), "a title")
    assert [name for name, _ in panels] == ["100 % of labels", "0.5 % of labels"]
    accuracies = [[rows[0]["test_accuracy"] for rows in replicates] for _, replicates in panels]
    assert accuracies == [["0", "0.1"], ["0.2", "0.3"]]


def test_one_run_is_one_panel(options, monkeypatch):
    write_sheet(options["runs"], ["one"], ["0.5"], [2])
    [(_, _, [(name, [history])])] = drawn(options, monkeypatch)
    assert (name, history[0]["test_accuracy"]) == ("0.5 % of labels", "0.3")


def test_a_missing_history_is_one_line(options, tmp_path, capsys):
    (tmp_path / "history/replicate2/one_cells_0.5.csv").unlink()
    assert "replicate2/one_cells_0.5.csv does not exist" in failure(
        capsys, "plot_curves", **options
    )


def test_an_unknown_arm_is_one_line(options, capsys):
    line = failure(capsys, "plot_curves", **options | {"arm": "three"})
    assert "--arm 'three' is not among the runs: known: one, two" in line
