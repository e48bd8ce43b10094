"""Bars of each class: how many of its images each arm finds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fewlabels.core.fractions import by_size, of_labels
from fewlabels.reporting.figures import COLOURS, plt
from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.page.svg import inline
from fewlabels.reporting.page.templating import render
from fewlabels.reporting.summary_data import OVER_REPLICATES

#: Told apart without colours.
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "oo")

#: Single replicates.
DOTS: dict[str, Any] = {
    **{"marker": "o", "markersize": 3, "markerfacecolor": "#ffffff"},
    **{"markeredgecolor": "#000000", "markeredgewidth": 0.7, "zorder": 3},
}


def section(source: Source) -> Section | None:
    """A panel for each number of labels; None where no class has a value."""
    panels = []
    for place, fraction in enumerate(by_size(fraction for _, fraction in source.cells)):
        values = recalls(source, fraction)
        if any(values.values()):
            title = of_labels(fraction)
            name = f"classes-{place}"
            shown = inline(
                bars(values), name, f"Recall of each class, {title}", description(values)
            )
            panels.append((title, shown))
    if not panels:
        return None
    return Section("classes", "Classes", render("classes.jinja", panels=panels))


def recalls(source: Source, fraction: str) -> dict[str, dict[str, list[float]]]:
    """Arm -> class -> recall of each replicate, per cent, on the target's own test images."""
    found: dict[str, dict[str, list[float]]] = {arm: {} for arm in source.arms}
    for row in source.tables.runs:
        if (
            row["fraction"] == fraction
            and row["metric"].startswith("recall_")
            and row["replicate"] not in OVER_REPLICATES
            and row["value"]
        ):
            label = row["metric"].removeprefix("recall_")
            found[row["arm"]].setdefault(label, []).append(float(row["value"]))
    return found


def bars(values: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Groups of bars, one group per class, one bar per arm: the mean, and a dot for each replicate."""
    classes = list(dict.fromkeys(label for own in values.values() for label in own))
    width = 0.8 / len(values)
    size = max(4.2, 0.9 + 0.22 * len(classes) * (len(values) + 1))
    figure, axes = plt.subplots(figsize=(size, 3.2), layout="constrained")
    for place, (arm, own) in enumerate(values.items()):
        at = np.arange(len(classes)) + (place - (len(values) - 1) / 2) * width
        means = [float(np.mean(own[label])) if own.get(label) else 0.0 for label in classes]
        axes.bar(
            *(at, means, 0.9 * width),
            color=COLOURS[place % len(COLOURS)],
            hatch=HATCHES[place % len(HATCHES)],
            edgecolor="#000000",
            linewidth=0.6,
            alpha=0.85,
            label=arm,
        )
        for position, label in zip(at, classes, strict=True):
            points = own.get(label, [])
            if len(points) > 1:
                axes.plot([position] * len(points), points, linestyle="none", **DOTS)
    axes.set_xticks(range(len(classes)), classes, rotation=25 if len(classes) > 3 else 0)
    axes.set(ylim=(0, 103), ylabel="recall, per cent")
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25, axis="y")
    figure.legend(loc="outside upper center", ncols=min(4, len(values)), fontsize=8, frameon=False)
    return figure


def description(values: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """The means, in words."""
    parts = []
    for arm, own in values.items():
        means = ", ".join(f"{label} {np.mean(found):.0f}" for label, found in own.items())
        parts.append(f"{arm}: {means}")
    return "Mean recall over replicates, per cent. " + "; ".join(parts) + "."
