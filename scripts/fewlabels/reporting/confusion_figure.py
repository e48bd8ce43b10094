"""The figure of confusion matrices."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay

from fewlabels.reporting.figures import plt, save_figure


@dataclass(frozen=True)
class ConfusionPanel:
    """One confusion matrix: int (classes, classes), rows true, columns predicted; no classes where nothing is known."""

    title: str
    classes: Sequence[str]
    matrix: np.ndarray


def confusion_matrices(
    path: Path | str, title: str, grid: Sequence[Sequence[ConfusionPanel]]
) -> None:
    """Draw confusion matrices in rows and columns: counts, shaded by their share of the true class."""
    side = 1.4 + 0.45 * max((len(panel.classes) for row in grid for panel in row), default=1)
    columns = max(len(row) for row in grid)
    figure, places = plt.subplots(
        *(len(grid), columns),
        figsize=(side * columns, side * len(grid) + 0.4),
        squeeze=False,
        layout="constrained",
    )
    for axes, panel in zip(places.flat, itertools.chain.from_iterable(grid), strict=True):
        axes.set_title(panel.title, fontsize=10)
        if not len(panel.classes):
            axes.axis("off")
            axes.text(0.5, 0.5, "no predictions", ha="center", va="center")
            continue
        images = panel.matrix.sum(axis=1, keepdims=True)
        shares = panel.matrix / np.maximum(images, 1)
        display = ConfusionMatrixDisplay(shares, display_labels=panel.classes)
        display.plot(
            ax=axes,
            include_values=False,
            cmap="Blues",
            colorbar=False,
            im_kw={"vmin": 0, "vmax": 1},
            xticks_rotation=90,
        )
        for row, column in np.ndindex(panel.matrix.shape):
            colour = "white" if shares[row, column] > 0.5 else "black"
            count = f"{panel.matrix[row, column]}"
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)
        axes.tick_params(labelsize=8)
        if axes not in places[:, 0]:
            axes.set(ylabel="", yticklabels=[])
    figure.suptitle(title, fontsize=11)
    save_figure(figure, path)
