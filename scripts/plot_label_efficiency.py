"""Draw the primary metric and macro-F1 against the number of labels: one line per arm, means over replicates.

Bands are the intervals of evaluate (replicates and test images together). Hollow marks are published accuracies, a
dotted line is the majority class. Where a run diverged its arm's line has a gap.
"""

import argparse
import json
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv
from fewlabels.core.run_sheet import cells, read_run_sheet, tabled
from fewlabels.reporting.figures import save_figure
from fewlabels.reporting.label_efficiency_figure import label_efficiency
from fewlabels.reporting.label_efficiency_panels import NAMES, metric_panels


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


def run(arguments: argparse.Namespace) -> None:
    panels = metric_panels(
        cells(tabled(read_run_sheet(arguments.runs))),
        read_csv(arguments.labels),
        read_csv(arguments.metrics),
        arguments.primary,
        arguments.reported,
    )
    figure = label_efficiency(arguments.title, panels, 100 * (1 - arguments.alpha))
    save_figure(figure, arguments.figure, arguments.vector)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
