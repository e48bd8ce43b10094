"""Figures are PNG files that show something, and equal data give equal files."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from builders import colours_in
from PIL import Image

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
