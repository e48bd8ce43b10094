"""Reliability diagrams: how often an answer is right, by how sure the network is of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from fewlabels.core.fractions import by_size, of_labels
from fewlabels.reporting.figures import COLOURS, plt
from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.page.svg import inline
from fewlabels.reporting.page.templating import render
from fewlabels.reporting.tables import number
from fewlabels.statistics.calibration import equal_mass_bins
from fewlabels.statistics.predictions import Predictions

#: Bins of equally many images.
BINS = 10


@dataclass(frozen=True)
class Bin:
    """Mean confidence, accuracy and number of the answers of like confidence."""

    confidence: float
    accuracy: float
    answers: int


def section(source: Source) -> Section | None:
    """Diagrams by number of labels; None where no run has probabilities."""
    groups = []
    for place, fraction in enumerate(by_size(fraction for _, fraction in source.cells)):
        panels = []
        for position, arm in enumerate(source.arms):
            runs = source.predictions(source.cells.get((arm, fraction), []))
            if not (known := [run for run in runs if run.probabilities is not None]):
                continue
            found = bins(known)
            error = source.tables.shown(arm, fraction, "calibration_error")["value"]
            name, title = f"calibration-{place}-{position}", f"{arm}, {of_labels(fraction)}"
            shown = inline(diagram(found), name, title, description(found))
            panels.append((arm, shown, number(error, 1)))
        if panels:
            groups.append((of_labels(fraction), panels))
    if not groups:
        return None
    return Section("calibration", "Calibration", render("calibration.jinja", groups=groups))


def bins(runs: Sequence[Predictions]) -> list[Bin]:
    """The answers of all replicates together, in bins of equally many."""
    probabilities = [run.probabilities for run in runs if run.probabilities is not None]
    confidence = np.concatenate([values.max(1) for values in probabilities])
    right = np.concatenate([run.predicted == run.labels for run in runs])
    place = equal_mass_bins(confidence, BINS)
    return [
        Bin(float(confidence[own].mean()), float(right[own].mean()), int(own.sum()))
        for own in (place == number for number in np.unique(place))
    ]


def diagram(found: Sequence[Bin]) -> Figure:
    """Accuracy over confidence, both per cent: on the dotted line they agree, below it the network is too sure."""
    figure, axes = plt.subplots(figsize=(2.7, 2.7), layout="constrained")
    axes.plot([0, 100], [0, 100], color="0.5", linestyle=":", linewidth=1.2)
    confidence = [100 * one.confidence for one in found]
    accuracy = [100 * one.accuracy for one in found]
    axes.vlines(confidence, confidence, accuracy, color=COLOURS[1], linewidth=2.2, alpha=0.6)
    axes.plot(confidence, accuracy, color=COLOURS[0], marker="o", markersize=4, linewidth=1.2)
    axes.set(xlim=(0, 102), ylim=(0, 102), aspect="equal")
    axes.set_xlabel("confidence, per cent", fontsize=8)
    axes.set_ylabel("right, per cent", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    return figure


def description(found: Sequence[Bin]) -> str:
    """The points, in words."""
    points = ", ".join(f"{100 * one.confidence:.0f}: {100 * one.accuracy:.0f}" for one in found)
    return f"Per cent of right answers by the confidence in per cent: {points}."
