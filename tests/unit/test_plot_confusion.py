"""The confusion matrices of one arm: a panel per fraction and test set, summed over replicates."""

import numpy as np
import pytest
from builders import call, colours_in, failure, write_sheet

import plot_confusion
from fewlabels.core.files import write_csv
from fewlabels.reporting import confusion_figure
from fewlabels.reporting.confusion_figure import ConfusionPanel, confusion_matrices

COLUMNS = ["arm", "fraction", "replicate", "test_set", "label", "predicted", "images"]
CLASSES = ["Basophil", "Monocyte"]


def matrix_rows(counts, fraction="100", replicate="1", test_set="test", arm="resnet"):
    place = {"arm": arm, "fraction": fraction, "replicate": replicate, "test_set": test_set}
    for label, row in zip(CLASSES, counts, strict=True):
        for answer, images in zip(CLASSES, row, strict=True):
            yield {**place, "label": label, "predicted": answer, "images": images}


@pytest.fixture
def options(tmp_path):
    rows = [
        *matrix_rows([[3, 1], [0, 4]]),
        *matrix_rows([[2, 2], [1, 3]], replicate="2"),
        *matrix_rows([[9, 9], [9, 9]], arm="combinedNet"),
        *matrix_rows([[1, 0], [5, 6]], test_set="LISC"),
        *matrix_rows([[1, 0], [5, 6]], test_set="LISC", replicate="2"),
        *matrix_rows([[4, 0], [4, 0]], fraction="1", replicate="2"),
    ]
    write_csv(tmp_path / "confusion.csv", COLUMNS, rows)
    return {
        "confusion": tmp_path / "confusion.csv",
        "arm": "resnet",
        "title": "resnet, alone",
        "runs": write_sheet(tmp_path / "runs.csv", ["resnet", "lost"], ["100", "1"], [1, 2]),
        "figure": tmp_path / "figure.png",
    }


def drawn(options, monkeypatch, **more):
    calls = []
    monkeypatch.setattr(plot_confusion, "confusion_matrices", lambda *given: calls.append(given))
    assert call("plot_confusion", **options, **more) == 0
    return calls[0]


def test_the_figure(options):
    assert call("plot_confusion", **options) == 0
    assert colours_in(options["figure"]) > 10


def test_counts_are_summed_over_replicates(options, monkeypatch):
    path, title, [row] = drawn(options, monkeypatch)
    assert (path, title) == (str(options["figure"]), "resnet, alone")
    assert [panel.title for panel in row] == [
        "100 % of labels",
        "1 % of labels (1 of 2 replicates)",
    ]
    assert list(row[0].classes) == CLASSES
    np.testing.assert_array_equal(row[0].matrix, [[5, 3], [1, 7]])
    np.testing.assert_array_equal(row[1].matrix, [[4, 0], [4, 0]])


def test_a_row_per_external_test_set(options, monkeypatch):
    _, _, (_, row) = drawn(options, monkeypatch, external=["LISC"])
    assert [panel.title for panel in row] == [
        "100 % of labels, LISC",
        "1 % of labels, LISC (0 of 2 replicates)",
    ]
    np.testing.assert_array_equal(row[0].matrix, [[2, 0], [10, 12]])
    assert len(row[1].classes) == 0


def test_an_arm_of_which_every_run_diverged_has_its_figure(options):
    assert call("plot_confusion", **options | {"arm": "lost"}) == 0
    assert colours_in(options["figure"]) > 1


def test_a_missing_table_is_one_line(options, capsys, tmp_path):
    wrong = options | {"confusion": tmp_path / "nowhere.csv"}
    assert "nowhere.csv does not exist" in failure(capsys, "plot_confusion", **wrong)


def test_equal_matrices_give_equal_files(tmp_path):
    panel = ConfusionPanel("100 %", CLASSES, np.array([[3, 1], [0, 0]]))
    for name in ("one.png", "two.png"):
        confusion_matrices(tmp_path / name, "title", [[panel]])
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_counts_stand_at_their_label_and_answer_shaded_by_the_label(tmp_path, monkeypatch):
    """Three images of a class are right, one is taken for the other, of which all four are right."""
    figures = []
    monkeypatch.setattr(
        confusion_figure, "save_figure", lambda figure, path: figures.append(figure)
    )
    panel = ConfusionPanel("100 %", CLASSES, np.array([[3, 1], [0, 4]]))
    confusion_matrices(tmp_path / "figure.png", "title", [[panel]])
    (axes,) = figures[0].axes
    counts = {text.get_position(): text.get_text() for text in axes.texts}
    # Answers to the right, labels downwards.
    assert counts == {(0, 0): "3", (1, 0): "1", (0, 1): "0", (1, 1): "4"}
    (picture,) = axes.images
    np.testing.assert_allclose(picture.get_array(), [[0.75, 0.25], [0, 1]])
    confusion_figure.plt.close(figures[0])


def test_an_unknown_arm_is_one_line(options, capsys):
    line = failure(capsys, "plot_confusion", **options | {"arm": "resnett"})
    assert "'resnett' is not among the runs: did you mean 'resnet'?" in line
    assert not options["figure"].exists()
