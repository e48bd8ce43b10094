"""The figure of metrics against the number of labels, one line per arm."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from fewlabels.reporting.figures import COLOURS, plt

#: Lines differ in all three, so that they are told apart without colours as well.
BASELINE_COLOUR = "#000000"
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
#: The line of the majority class.
MAJORITY: dict[str, Any] = {"color": "0.35", "linestyle": (0, (1, 2)), "linewidth": 1.2}
#: Numbers of labels nearer than this share of the axis to a larger one stand without their text.
LEAST_GAP = 0.07


@dataclass(frozen=True)
class ArmLine:
    """One arm's values.

    Attributes:
        arm: its name.
        labels: of each point, ascending, above 0.
        values: NaN where none is known.
        low, high: ends of the interval; NaN where there is none.
        published: (labels, value) of numbers to compare with.
        is_baseline: whether others are compared with it.
    """

    arm: str
    labels: Sequence[float]
    values: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    published: Sequence[tuple[float, float]] = ()
    is_baseline: bool = False


@dataclass(frozen=True)
class MetricPanel:
    """One metric of all arms.

    Attributes:
        majority: of a classifier that always gives the most frequent class.
        texts: number of labels -> what it is a share of, for the axis.
    """

    metric: str
    lines: Sequence[ArmLine]
    majority: float | None = None
    texts: Mapping[float, str] = field(default_factory=dict)


def label_efficiency(
    title: str, panels: Sequence[MetricPanel], level: float, columns: int = 4
) -> Figure:
    """Draw panels side by side, per cent over labels on a logarithmic axis.

    Args:
        level: of the intervals, per cent.
        columns: of the legend, at most.
    """
    figure, grid = plt.subplots(
        1, len(panels), figsize=(5.2 * len(panels), 4.8), squeeze=False, layout="constrained"
    )
    for axes, panel in zip(grid[0], panels, strict=True):
        _draw(axes, panel)
    figure.suptitle(title, fontsize=11)
    keys = _keys(panels, level)
    figure.legend(
        handles=keys,
        loc="outside lower center",
        ncols=min(columns, len(keys)),
        fontsize=8,
        frameon=False,
        handlelength=3.5,
    )
    return figure


def line_styles(lines: Sequence[ArmLine]) -> list[dict[str, Any]]:
    """Colour, line and marker of each arm: the baseline's line is black and thicker."""
    styles: list[dict[str, Any]] = []
    others = 0
    for place, line in enumerate(lines):
        colour = BASELINE_COLOUR if line.is_baseline else COLOURS[others % len(COLOURS)]
        others += not line.is_baseline
        style: dict[str, Any] = {"color": colour, "linestyle": STYLES[place % len(STYLES)]}
        style |= {"marker": MARKERS[place % len(MARKERS)], "markersize": 5.5}
        styles.append(style | {"linewidth": 2.0 if line.is_baseline else 1.5})
    return styles


def _draw(axes: Axes, panel: MetricPanel) -> None:
    axes.set_xscale("log")
    places = sorted({count for line in panel.lines for count in line.labels})
    many = len(places) > 1
    for number, (line, style) in enumerate(zip(panel.lines, line_styles(panel.lines), strict=True)):
        # Single points beside each other, as their bars would hide one another.
        beside = 1.0 if many else 1.04 ** (number - (len(panel.lines) - 1) / 2)
        labels, values, low, high = (
            np.array(cells, dtype=float)
            for cells in (line.labels, line.values, line.low, line.high)
        )
        at = labels * beside
        axes.fill_between(at, low, high, color=style["color"], alpha=0.13, linewidth=0)
        for edge in (low, high):
            axes.plot(at, edge, color=style["color"], linestyle=style["linestyle"], linewidth=0.4)
        for place in np.flatnonzero(_alone(values)):
            ends = [[values[place] - low[place]], [high[place] - values[place]]]
            axes.errorbar(
                at[place], values[place], ends, color=style["color"], fmt="none", capsize=4
            )
        axes.plot(at, values, label=line.arm, **style)
        if line.published:
            counts, numbers = zip(*line.published, strict=True)
            hollow = style | {"linestyle": "none", "markerfacecolor": "none", "markersize": 9}
            axes.plot(np.array(counts) * beside, numbers, zorder=1.9, **hollow)
    _limit(axes, panel, places)
    axes.set_title(panel.metric, fontsize=10)
    axes.set_xlabel("training images with a label", fontsize=9)
    axes.set_ylabel("per cent", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)


def _alone(values: np.ndarray) -> np.ndarray:
    """Which known values have no known neighbour, and so neither line nor band: bool."""
    known = np.concatenate([[False], ~np.isnan(values), [False]])
    return known[1:-1] & ~known[:-2] & ~known[2:]


def _limit(axes: Axes, panel: MetricPanel, places: Sequence[float]) -> None:
    """Set both axes' range and ticks, and draw the majority class: as a line, or as a note far below all others."""
    low, high = _range(panel)
    if panel.majority is not None:
        if _within_reach(panel):
            low, high = min(low, panel.majority), max(high, panel.majority)
            axes.axhline(panel.majority, **MAJORITY)
        else:
            text = f"majority class: {panel.majority:.1f}, below"
            axes.text(0.98, 0.02, text, transform=axes.transAxes, ha="right", va="bottom", size=8)
    room = max(0.06 * (high - low), 0.5)
    axes.set_ylim(low - room, high + room)
    if not places:
        return
    beyond = max((places[-1] / places[0]) ** 0.06, 1.3 if len(places) == 1 else 1.0)
    axes.set_xlim(places[0] / beyond, places[-1] * beyond)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.set_xticklabels(_tick_texts(places, panel.texts))


def _range(panel: MetricPanel) -> tuple[float, float]:
    """The lowest and the highest of what is drawn, the majority class apart."""
    known = [
        value
        for line in panel.lines
        for cells in (line.values, line.low, line.high, [number for _, number in line.published])
        for value in cells
        if not math.isnan(value)
    ]
    return (min(known), max(known)) if known else (0.0, 100.0)


def _within_reach(panel: MetricPanel) -> bool:
    """Whether the majority class has its line: not so far below that the others would be pressed together."""
    low, high = _range(panel)
    return panel.majority is not None and low - panel.majority <= max(high - low, 5)


def _tick_texts(places: Sequence[float], texts: Mapping[float, str]) -> list[str]:
    """The numbers of labels and what they are a share of; "" where there is no room."""
    shown: list[float] = []
    width = math.log(places[-1] / places[0])
    for place in reversed(places):
        if not shown or math.log(shown[-1] / place) >= LEAST_GAP * width:
            shown.append(place)
    return [
        f"{place:,.0f}\n{texts.get(place, '')}".strip() if place in shown else ""
        for place in places
    ]


def _keys(panels: Sequence[MetricPanel], level: float) -> list[Line2D | Patch]:
    lines = panels[0].lines
    keys: list[Line2D | Patch] = [
        Line2D([], [], label=line.arm + (" (baseline)" if line.is_baseline else ""), **style)
        for line, style in zip(lines, line_styles(lines), strict=True)
    ]
    keys.append(Patch(color="0.6", alpha=0.4, label=f"{level:g} % interval"))
    if any(line.published for panel in panels for line in panel.lines):
        hollow = Line2D([], [], color="0.35", linestyle="none", label="published")
        hollow.set(marker="o", markerfacecolor="none", markersize=8)
        keys.append(hollow)
    if any(_within_reach(panel) for panel in panels):
        keys.append(Line2D([], [], **MAJORITY, label="majority class"))
    return keys
