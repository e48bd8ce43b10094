"""Learning curves: loss and accuracy over epochs, a small panel for each arm and number of labels."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fewlabels.core.fractions import by_size, of_labels
from fewlabels.reporting.figures import COLOURS, plt
from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.page.svg import inline
from fewlabels.reporting.page.templating import render
from fewlabels.reporting.tables import Row

#: Part -> colour and line, told apart without colours.
PARTS = {"train": (COLOURS[0], (0, (3, 1.5))), "test": (COLOURS[1], "-")}


def section(source: Source) -> Section | None:
    """Panels by number of labels; None where no run has a history, as of classifiers that are fitted in one step."""
    groups = []
    for place, fraction in enumerate(by_size(fraction for _, fraction in source.cells)):
        panels = []
        for number, arm in enumerate(source.arms):
            histories = source.histories(source.cells.get((arm, fraction), []))
            histories = [history for history in histories if len(history) > 1]
            if histories:
                name, title = f"curve-{place}-{number}", f"{arm}, {of_labels(fraction)}"
                shown = inline(curves(histories), name, title, description(histories))
                panels.append((arm, shown))
        if panels:
            groups.append((of_labels(fraction), panels))
    if not groups:
        return None
    return Section("curves", "Learning curves", render("curves.jinja", groups=groups))


def curves(histories: Sequence[Sequence[Row]]) -> Figure:
    """Loss above accuracy, all replicates.

    Args:
        histories: of each replicate rows with ``epoch`` and, of train and test, ``_loss`` and ``_accuracy`` (0 ... 1).
    """
    figure, grid = plt.subplots(2, 1, figsize=(2.7, 3.2), sharex=True, layout="constrained")
    for axes, quantity in zip(grid, ("loss", "accuracy"), strict=True):
        for part, (colour, line) in PARTS.items():
            for number, history in enumerate(histories):
                axes.plot(
                    [int(row["epoch"]) for row in history],
                    [float(row[f"{part}_{quantity}"] or "nan") for row in history],
                    color=colour,
                    linestyle=line,
                    linewidth=1.3,
                    alpha=0.85,
                    label=part if number == 0 else None,
                )
        axes.set_ylabel(quantity, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
    grid[1].set_ylim(0, 1.03)
    grid[1].set_xlabel("epoch", fontsize=9)
    grid[1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    grid[1].legend(fontsize=8, frameon=False, loc="lower right", handlelength=2.5)
    return figure


def description(histories: Sequence[Sequence[Row]]) -> str:
    """Where the replicates end, in words."""
    last = [history[-1] for history in histories]
    epochs = sorted({int(row["epoch"]) for row in last})
    ends = ", ".join(f"{100 * float(row['test_accuracy'] or 'nan'):.1f}" for row in last)
    many = f"{len(last)} replicates" if len(last) > 1 else "one replicate"
    return (
        f"Loss and accuracy of training and test images over epochs, {many}. "
        f"Test accuracy after epoch {' or '.join(map(str, epochs))}: {ends} per cent."
    )
