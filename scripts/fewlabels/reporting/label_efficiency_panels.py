"""From tables of results to the panels of the label-efficiency figure."""

import math
from collections.abc import Mapping, Sequence

from fewlabels.core.fractions import fraction_text
from fewlabels.core.run_sheet import OWN_TEST_SET, Run, in_order
from fewlabels.reporting.label_efficiency_figure import ArmLine, MetricPanel
from fewlabels.reporting.summary_data import PUBLISHED
from fewlabels.reporting.tables import Row, find, reported_value
from fewlabels.statistics.scored_runs import TrainedOn

#: Metric -> its name in the figure.
NAMES = {
    **{"accuracy": "accuracy", "macro_f1": "macro-F1", "balanced_accuracy": "balanced accuracy"},
    "mcc": "Matthews correlation",
}
MAJORITY = "majority"


def number(row: Row | None, column: str) -> float:
    """A cell, NaN where it is empty."""
    return float(row[column]) if row and row[column] else math.nan


def arm_line(
    arm: str,
    cells_of_arm: Mapping[str, Sequence[Run]],
    rows: Sequence[Row],
    trained_on: TrainedOn,
    published: Mapping,
) -> ArmLine:
    """The line of one arm; ``rows``: those of its metric, ``published``: reported numbers of this metric."""
    counts = {fraction: trained_on.of(arm, fraction).mean for fraction in cells_of_arm}
    fractions = sorted(counts, key=counts.__getitem__)
    shown = []
    for fraction in fractions:
        runs = cells_of_arm[fraction]
        # One run has an interval of its own, that of its test images.
        replicate = "mean" if len(runs) > 1 else runs[0].replicate
        shown.append(find(rows, arm=arm, fraction=fraction, replicate=replicate))
    marks = [
        (counts[fraction], value)
        for fraction in fractions
        if (value := reported_value(published, arm, fraction)) is not None
    ]
    baseline = next(iter(cells_of_arm.values()))[0].baseline
    values, low, high = (
        [number(row, column) for row in shown] for column in ("value", "low", "high")
    )
    labels = [counts[fraction] for fraction in fractions]
    return ArmLine(arm, labels, values, low, high, marks, not baseline)


def metric_panels(
    runs: Mapping[tuple[str, str], Sequence[Run]],
    labels: Sequence[Row],
    scores: Sequence[Row],
    primary: str,
    reported: Mapping,
) -> list[MetricPanel]:
    """The primary metric, and macro-F1 if it is another one, of all arms on the target's own test images.

    Args:
        runs: (arm, fraction) -> its runs.
        labels: rows of count_labels.
        scores: rows of evaluate.
        reported: arm -> published accuracies.
    """
    trained_on = TrainedOn(labels)
    metrics = [
        row for row in scores if row["test_set"] == OWN_TEST_SET and row["selection"] != PUBLISHED
    ]
    arms = in_order(arm for arm, _ in runs)
    # Arms of another split may train on a few images more or less: the ticks are of the first.
    texts = {
        trained_on.of(arms[0], fraction).mean: fraction_text(fraction)
        for arm, fraction in runs
        if arm == arms[0]
    }
    panels = []
    for metric in dict.fromkeys([primary, "macro_f1"]):
        rows = [row for row in metrics if row["metric"] == metric]
        majority = number(find(rows, arm=MAJORITY), "value")
        published = reported if metric == "accuracy" else {}
        lines = []
        for arm in arms:
            of_arm = {
                fraction: members for (name, fraction), members in runs.items() if name == arm
            }
            lines.append(arm_line(arm, of_arm, rows, trained_on, published))
        known = None if math.isnan(majority) else majority
        panels.append(MetricPanel(NAMES[metric], lines, known, texts))
    return panels
