"""Draw the primary metric and macro-F1 against the number of labels: one line per arm, means over replicates.

Bands are the intervals of evaluate (replicates and test images together). Hollow marks are published accuracies, a
dotted line is the majority class. Where a run diverged its arm's line has a gap.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv
from fewlabels.core.fractions import fraction_text
from fewlabels.core.run_sheet import OWN_TEST_SET, Run, cells, in_order, read_run_sheet, tabled
from fewlabels.reporting.figures import save_figure
from fewlabels.reporting.label_efficiency_figure import ArmLine, MetricPanel, label_efficiency
from fewlabels.reporting.tables import Row, find, reported_value
from fewlabels.statistics.scored_runs import TrainedOn

#: Metric -> its name in the figure.
NAMES = {
    **{"accuracy": "accuracy", "macro_f1": "macro-F1", "balanced_accuracy": "balanced accuracy"},
    "mcc": "Matthews correlation",
}
MAJORITY = "majority"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--metrics", required=True, help="CSV of evaluate")
    parser.add_argument("--labels", required=True, help="CSV of count_labels")
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--primary", choices=list(NAMES), default="accuracy")
    parser.add_argument("--reported", type=json.loads, default={}, help="JSON: published numbers")
    parser.add_argument("--title", required=True)
    parser.add_argument("--alpha", type=float, default=0.05, help="as of evaluate")
    parser.add_argument("--figure", required=True, help="PNG to write")
    parser.add_argument("--vector", required=True, help="SVG to write")
    return parser


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


def run(arguments: argparse.Namespace) -> None:
    runs = cells(tabled(read_run_sheet(arguments.runs)))
    trained_on = TrainedOn(read_csv(arguments.labels))
    metrics = [
        row
        for row in read_csv(arguments.metrics)
        if row["test_set"] == OWN_TEST_SET and row["selection"] != "best_test"
    ]
    arms = in_order(arm for arm, _ in runs)
    # Arms of another split may train on a few images more or less: the ticks are of the first.
    texts = {
        trained_on.of(arms[0], fraction).mean: fraction_text(fraction)
        for arm, fraction in runs
        if arm == arms[0]
    }
    panels = []
    for metric in dict.fromkeys([arguments.primary, "macro_f1"]):
        rows = [row for row in metrics if row["metric"] == metric]
        majority = number(find(rows, arm=MAJORITY), "value")
        published = arguments.reported if metric == "accuracy" else {}
        lines = []
        for arm in arms:
            of_arm = {
                fraction: members for (name, fraction), members in runs.items() if name == arm
            }
            lines.append(arm_line(arm, of_arm, rows, trained_on, published))
        known = None if math.isnan(majority) else majority
        panels.append(MetricPanel(NAMES[metric], lines, known, texts))
    figure = label_efficiency(arguments.title, panels, 100 * (1 - arguments.alpha))
    save_figure(figure, arguments.figure, arguments.vector)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
