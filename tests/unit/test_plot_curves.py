"""The figure of one arm: a panel per fraction, all replicates in it."""

import pytest
from builders import call, colours_in, failure

import plot_curves
from fewlabels.core.files import write_csv


@pytest.fixture
def histories(tmp_path):
    paths = []
    for number in range(4):
        path = tmp_path / f"history{number}.csv"
        columns = ["epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy"]
        write_csv(
            path,
            columns,
            (
                dict(zip(columns, [n, 1 / n, 0.5, 1.1 / n, 0.1 * number], strict=True))
                for n in (1, 2, 3)
            ),
        )
        paths.append(path)
    return paths


def test_the_figure(tmp_path, histories):
    options = {"title": "figure4: resnet", "fractions": [100, 100, 1, 1], "histories": histories}
    assert call("plot_curves", **options, figure=tmp_path / "figure.png") == 0
    assert colours_in(tmp_path / "figure.png") > 10


def test_histories_are_sorted_into_panels(tmp_path, histories, monkeypatch):
    drawn = []
    monkeypatch.setattr(plot_curves, "training_curves", lambda *arguments: drawn.append(arguments))
    options = {"title": "a title", "fractions": [100, 100, 0.5, 0.5], "histories": histories}
    assert call("plot_curves", **options, figure=tmp_path / "figure.png") == 0
    [(path, title, panels)] = drawn
    assert (path, title) == (str(tmp_path / "figure.png"), "a title")
    assert [name for name, _ in panels] == ["100 % of labels", "0.5 % of labels"]
    accuracies = [[rows[0]["test_accuracy"] for rows in replicates] for _, replicates in panels]
    assert accuracies == [["0", "0.1"], ["0.2", "0.3"]]


def test_a_missing_history_is_one_line(tmp_path, capsys):
    line = failure(
        capsys,
        "plot_curves",
        title="a title",
        fractions=[100],
        histories=[tmp_path / "nowhere.csv"],
        figure=tmp_path / "figure.png",
    )
    assert "nowhere.csv does not exist" in line
