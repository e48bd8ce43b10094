"""Figures in one style, written whole, without dates inside, so that equal data give equal files."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no display on a cluster node

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fewlabels.core.files import atomic_path

# Titles are the user's words, and a `$` in them is no formula.
matplotlib.rcParams["text.parse_math"] = False
# Names inside an SVG are hashes, else of random numbers.
matplotlib.rcParams["svg.hashsalt"] = "fewlabels"

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def save_figure(figure: Figure, *paths: Path | str) -> None:
    """Write a figure as PNG at 120 dots per inch, or as SVG where a path ends so.

    It is closed, even where it can't be written.
    """
    try:
        for path in paths:
            metadata = {"Date": None} if Path(path).suffix == ".svg" else {"Software": None}
            with atomic_path(path) as temporary:
                figure.savefig(temporary, dpi=120, metadata=metadata)
    finally:
        plt.close(figure)


def contact_sheet(
    path: Path | str,
    items: Sequence[tuple[str, Sequence[np.ndarray]]],
    captions: Sequence[str],
    empty_text: str,
) -> None:
    """Draw items side by side, each a column of pictures.

    Args:
        items: (title, pictures); pictures uint8 (h, w, 3), one per caption.
        captions: what the rows show.
        empty_text: written on the sheet where there are no items.
    """
    if not items:
        figure, axes = plt.subplots(figsize=(4, 1))
        axes.axis("off")
        axes.text(0.5, 0.5, empty_text, ha="center", va="center")
        save_figure(figure, path)
        return
    figure, grid = plt.subplots(
        *(len(captions), len(items)),
        figsize=(1.5 * len(items), 1.5 * len(captions) + 0.4),
        squeeze=False,
        layout="constrained",
    )
    for column, (title, pictures) in enumerate(items):
        for row, picture in enumerate(pictures):
            axes = grid[row][column]
            axes.imshow(picture)
            axes.set(xticks=[], yticks=[])
            if column == 0:
                axes.set_ylabel(captions[row], fontsize=8)
        grid[0][column].set_title(Path(title).stem[-18:], fontsize=6)
    save_figure(figure, path)


def pair_sheet(
    path: Path | str, pairs: Sequence[tuple[str, np.ndarray, np.ndarray]], empty_text: str
) -> None:
    """Draw pairs of pictures side by side, four pairs to a row.

    Args:
        pairs: (title of any number of lines, picture, picture); pictures uint8 (h, w, 3).
        empty_text: written on the sheet where there are no pairs.
    """
    if not pairs:
        contact_sheet(path, [], [], empty_text)
        return
    columns = min(4, len(pairs))
    rows = -(-len(pairs) // columns)
    figure, grid = plt.subplots(
        *(rows, columns), figsize=(3.6 * columns, 2.4 * rows), squeeze=False, layout="constrained"
    )
    for axes in grid.flat:
        axes.axis("off")
    for axes, (title, first, second) in zip(grid.flat, pairs, strict=False):
        gap = np.full((len(first), max(1, len(first) // 32), 3), 255, np.uint8)
        axes.imshow(np.concatenate([first, gap, second], axis=1))
        axes.set_title(title, fontsize=6)
    save_figure(figure, path)


def training_curves(
    path: Path | str, title: str, panels: Sequence[tuple[str, Sequence[Sequence[dict]]]]
) -> None:
    """Draw loss and accuracy over epochs, one panel (a column) per fraction.

    Args:
        panels: (panel title, histories of its replicates); a history is a list of rows with ``epoch``,
            ``train_loss``, ``train_accuracy``, ``test_loss``, ``test_accuracy`` (accuracies 0 ... 1).
    """
    figure, grid = plt.subplots(
        2,
        len(panels),
        figsize=(3.2 * len(panels), 5.2),
        squeeze=False,
        sharex="col",
        sharey="row",
        layout="constrained",
    )
    for column, (panel, histories) in enumerate(panels):
        for row, quantity in enumerate(("loss", "accuracy")):
            axes = grid[row][column]
            for part, colour in (("train", COLOURS[0]), ("test", COLOURS[1])):
                for number, history in enumerate(histories):
                    axes.plot(
                        [int(entry["epoch"]) for entry in history],
                        [float(entry[f"{part}_{quantity}"]) for entry in history],
                        color=colour,
                        alpha=0.9 if len(histories) == 1 else 0.6,
                        linewidth=1.2,
                        label=part if number == 0 else None,
                    )
            axes.grid(alpha=0.25)
            if quantity == "accuracy":
                axes.set_ylim(0, 1.02)
                axes.set_xlabel("epoch")
            if column == 0:
                axes.set_ylabel(quantity)
                axes.legend(fontsize=8, frameon=False)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        grid[0][column].set_title(panel, fontsize=10)
    figure.suptitle(title, fontsize=11)
    save_figure(figure, path)


def cluster_scatter(path: Path | str, points: np.ndarray, labels: np.ndarray, title: str) -> None:
    """Scatter of the first two principal components, float (n, 2), coloured by cluster, int (n,)."""
    figure, axes = plt.subplots(figsize=(5, 4.4), layout="constrained")
    for cluster in np.unique(labels):
        chosen = labels == cluster
        axes.scatter(
            points[chosen, 0],
            points[chosen, 1],
            s=14,
            alpha=0.75,
            color=COLOURS[int(cluster) % len(COLOURS)],
            label=f"cluster {cluster} ({int(chosen.sum())})",
        )
    axes.set(xlabel="principal component 1", ylabel="principal component 2")
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8)
    save_figure(figure, path)
