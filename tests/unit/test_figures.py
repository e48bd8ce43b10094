"""Figures are PNG files that show something, and equal data give equal files."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from builders import colours_in
from PIL import Image

from fewlabels.reporting import figures
from fewlabels.reporting.figures import cluster_scatter, contact_sheet, pair_sheet, training_curves


def history(epochs: int = 4, lift: float = 0.0) -> list[dict[str, str]]:
    return [
        {
            "epoch": str(epoch),
            "train_loss": str(1 / epoch),
            "train_accuracy": str(1 - 0.5 / epoch),
            "test_loss": str(1.2 / epoch + lift),
            "test_accuracy": str(0.9 - 0.5 / epoch),
        }
        for epoch in range(1, epochs + 1)
    ]


@pytest.fixture
def figure_of(monkeypatch):
    """Call a function of this module and give the figure that it would write."""
    found = []
    monkeypatch.setattr(figures, "save_figure", lambda figure, *_: found.append(figure))

    def drawn(draw, *arguments):
        draw("unwritten.png", *arguments)
        return found[-1]

    yield drawn
    plt.close("all")


def width(path) -> int:
    with Image.open(path) as image:
        return image.width


@pytest.mark.parametrize("title", ["$_$ a $\\x$", "a\nb", "{2} 50 % \\n"])
def test_a_title_is_drawn_as_it_was_written(tmp_path, title):
    """A `$` is no formula: matplotlib fails on one that it cannot read."""
    panels = [(title, [history()])]
    training_curves(tmp_path / "curves.png", title, panels)
    cluster_scatter(tmp_path / "scatter.png", np.eye(2), np.array([0, 1]), title)
    black = np.zeros((9, 9, 3), np.uint8)
    pair_sheet(tmp_path / "pairs.png", [(title, black, black)], "none")
    for name in ("curves", "scatter", "pairs"):
        assert colours_in(tmp_path / f"{name}.png") > 1


def test_curves_have_a_column_per_panel(tmp_path):
    training_curves(tmp_path / "one.png", "title", [("100 %", [history()])])
    training_curves(
        tmp_path / "two.png",
        "title",
        [("100 %", [history()]), ("1 %", [history(), history(lift=1)])],
    )
    assert colours_in(tmp_path / "one.png") > 10
    assert width(tmp_path / "two.png") == pytest.approx(2 * width(tmp_path / "one.png"), rel=0.05)


def test_curves_show_the_numbers(tmp_path):
    training_curves(tmp_path / "a.png", "title", [("100 %", [history()])])
    training_curves(tmp_path / "b.png", "title", [("100 %", [history()])])
    training_curves(tmp_path / "c.png", "title", [("100 %", [history(lift=1)])])
    contents = [(tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png")]
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_one_epoch_is_enough(tmp_path):
    training_curves(tmp_path / "one.png", "title", [("1 %", [history(1)])])
    assert colours_in(tmp_path / "one.png") > 10


def test_a_contact_sheet_shows_its_pictures(tmp_path):
    red, blue = (np.full((8, 8, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    contact_sheet(tmp_path / "sheet.png", [("a.jpg", [red, blue])] * 3, ["above", "below"], "none")
    with Image.open(tmp_path / "sheet.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    for colour in ((255, 0, 0), (0, 0, 255)):
        assert (np.abs(pixels - colour).sum(-1) == 0).mean() > 0.1
    rows = [
        np.nonzero((pixels == colour).all(-1))[0].mean() for colour in ((255, 0, 0), (0, 0, 255))
    ]
    assert rows[0] < rows[1]


def test_an_empty_contact_sheet_says_so(tmp_path):
    contact_sheet(tmp_path / "sheet.png", [], ["above"], "nothing here")
    assert colours_in(tmp_path / "sheet.png") > 5


def test_scatter_has_a_colour_per_cluster(tmp_path):
    points = np.random.default_rng(0).normal(size=(30, 2))
    cluster_scatter(tmp_path / "one.png", points, np.zeros(30, int), "title")
    cluster_scatter(tmp_path / "two.png", points, np.arange(30) % 2, "title")
    assert colours_in(tmp_path / "one.png") < colours_in(tmp_path / "two.png")


def test_figures_are_closed(tmp_path):
    training_curves(tmp_path / "a.png", "title", [("100 %", [history()])])
    assert plt.get_fignums() == []


def test_a_figure_that_cant_be_written_is_closed(tmp_path):
    (tmp_path / "file").write_text("no folder")
    drawn, _ = plt.subplots()
    with pytest.raises(OSError):
        figures.save_figure(drawn, tmp_path / "file/figure.png")
    assert plt.get_fignums() == []


def test_pairs_stand_four_to_a_row(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    sizes = {}
    for count in (0, 1, 4, 5):
        path = tmp_path / f"{count}.png"
        pair_sheet(path, [("one\ntwo", picture, picture)] * count, "none were found")
        with Image.open(path) as image:
            sizes[count] = image.size
        assert colours_in(path) > (10 if count else 1)
    assert sizes[4] == (4 * sizes[1][0], sizes[1][1])
    assert sizes[5] == (sizes[4][0], 2 * sizes[4][1])


def test_every_curve_is_where_its_name_says(figure_of):
    """Loss above accuracy, and the legend's lines are those of the numbers of train and test."""
    known = [history(), history(lift=1)]
    figure = figure_of(training_curves, "title", [("100 %", known[:1]), ("1 %", known)])
    axes = np.array(figure.axes).reshape(2, 2)
    assert [panel.get_title() for panel in axes[0]] == ["100 %", "1 %"]
    for row, quantity in enumerate(("loss", "accuracy")):
        assert axes[row, 0].get_ylabel() == quantity
        handles, names = axes[row, 0].get_legend_handles_labels()
        colour_of = dict(zip(names, (line.get_color() for line in handles), strict=True))
        assert set(colour_of) == {"train", "test"} and len(set(colour_of.values())) == 2
        for column, shown in enumerate((known[:1], known)):
            lines = axes[row, column].get_lines()
            found = {(line.get_color(), tuple(line.get_ydata())) for line in lines}
            assert len(lines) == 2 * len(shown)
            assert found == {
                (colour_of[part], tuple(float(entry[f"{part}_{quantity}"]) for entry in rows))
                for part in ("train", "test")
                for rows in shown
            }
            assert lines[0].get_xdata().tolist() == [1, 2, 3, 4]


def test_points_have_the_colour_of_their_cluster(figure_of):
    points, labels = np.arange(10.0).reshape(5, 2), np.array([0, 1, 0, 1, 1])
    (axes,) = figure_of(cluster_scatter, points, labels, "title").axes
    for cluster, drawn in enumerate(axes.collections):
        np.testing.assert_array_equal(drawn.get_offsets(), points[labels == cluster])
    assert [drawn.get_label() for drawn in axes.collections] == ["cluster 0 (2)", "cluster 1 (3)"]
