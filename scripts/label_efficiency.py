"""How many labels does each arm save, and by how much is it better over all numbers of labels?

Writes a CSV with, for each arm beside its baseline and each test set, one row with an empty fraction for all fractions
together, and one per fraction:
  arm, baseline, test_set, metric, fraction
  labels            training images with a label, mean over replicates
  value             the metric of the arm, per cent
  difference, low, high   arm minus baseline, in points, with its interval of the level 1 - alpha; of all fractions: the
                    area between the two curves over ln(labels), divided by the length of their range
  p, p_holm         of all fractions: two-sided test of no difference; adjusted over the arms of a test set. These tests
                    are a family of their own beside the verdicts of comparisons.csv
  ratio             how many times as many labels the baseline needs for what the arm reaches: above 1 where the arm
                    saves labels; of all fractions: by how much the baseline's curve is moved along the axis until both
                    curves' means are the same where both are
  ratio_low, ratio_high   its interval
  ratio_bound, ratio_low_bound, ratio_high_bound   empty; or >= or <=: the number lies beyond what was run, and is at
                    least or at most so much
  state             what limits a row, or why there is none of these
See docs/statistics.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.run_sheet import cells, read_run_sheet, tabled
from fewlabels.statistics.comparison import PRIMARY_METRICS
from fewlabels.statistics.efficiency_rows import Setting, efficiency_rows
from fewlabels.statistics.evaluation import Row
from fewlabels.statistics.predictions import add_test_set_arguments, test_set_groups
from fewlabels.statistics.scored_runs import TrainedOn, add_pool_argument, load, pool_size

COLUMNS = [
    *("arm", "baseline", "test_set", "metric", "fraction", "labels", "value"),
    *("difference", "low", "high", "p", "p_holm"),
    *("ratio", "ratio_bound", "ratio_low", "ratio_low_bound", "ratio_high", "ratio_high_bound"),
    "state",
]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with predictions/")
    add_test_set_arguments(parser)
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--labels", required=True, help="CSV of count_labels")
    parser.add_argument("--primary", choices=PRIMARY_METRICS, default="accuracy", help="the metric")
    add_pool_argument(parser)
    parser.add_argument("--alpha", type=float, default=0.05, help="family-wise error rate")
    parser.add_argument("--efficiency", required=True, help="CSV to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    groups = test_set_groups(arguments)
    runs = cells(tabled(read_run_sheet(arguments.runs)))
    trained_on = TrainedOn(read_csv(arguments.labels))
    pool = pool_size(arguments)
    setting = Setting(arguments.primary, arguments.alpha, pool)
    rows: list[Row] = []
    for test_set in groups:
        scores = load(Path(arguments.results), runs, test_set, groups[test_set])
        rows += efficiency_rows(runs, scores, trained_on, test_set, setting)
    write_csv(arguments.efficiency, COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
