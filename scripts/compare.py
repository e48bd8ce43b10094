"""Compare every arm with its baseline, fraction by fraction.

Writes a CSV with one row per arm, fraction, test set and metric (accuracy, macro_f1), replicate=mean, and one per replicate:
  arm, baseline, fraction, test_set, metric, replicate
  replicates, units, images          sizes; a unit is a group (slide), or an image where there are few groups
  difference, low, high, error, df   arm minus baseline in points, its interval of the level 1 - alpha, standard error and
                                     degrees of freedom, from replicates and test images together
  p_difference, p_equivalence        two-sided test of no difference; two one-sided tests of a difference of --margin or more
  p_difference_holm, p_equivalence_holm   adjusted over all arms and fractions of that metric and test set
  equivalent, verdict                better | worse | equivalent within <margin> | undecided; by the adjusted p values
  needed_replicates, needed_images   of an undecided one: how many would decide if the present difference is the true one
  only_arm, only_baseline, p_mcnemar images that only one of the two classified rightly; exact McNemar test, per replicate
  state                              what limits the comparison, or why there is none
See docs/statistics.md.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import write_csv
from fewlabels.statistics.comparison import (
    METRICS,
    Comparison,
    compare,
    decide,
    difference_rows,
    obstacle,
)
from fewlabels.statistics.evaluation import Row, Scored, score
from fewlabels.statistics.predictions import (
    add_test_set_arguments,
    prediction_name,
    read_predictions,
    test_set_groups,
)

COLUMNS = [
    *("arm", "baseline", "fraction", "test_set", "metric", "replicate"),
    *("replicates", "units", "images", "difference", "low", "high", "error", "df"),
    *("p_difference", "p_difference_holm", "p_equivalence", "p_equivalence_holm"),
    *("equivalent", "verdict", "needed_replicates", "needed_images"),
    *("only_arm", "only_baseline", "p_mcnemar", "state"),
]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with predictions/")
    add_test_set_arguments(parser)
    parser.add_argument("--arms", nargs="+", required=True)
    parser.add_argument("--fractions", nargs="+", required=True)
    parser.add_argument("--replicates", nargs="+", required=True)
    parser.add_argument("--baseline", required=True, help="arm that the others are compared with")
    parser.add_argument(
        "--baseline-of", type=json.loads, default={}, help="JSON: arm -> another baseline"
    )
    parser.add_argument("--alpha", type=float, default=0.05, help="family-wise error rate")
    parser.add_argument("--margin", type=float, default=1.0, help="of equivalence, in points")
    parser.add_argument("--comparisons", required=True, help="CSV to write")
    return parser


def load(
    arguments: argparse.Namespace, test_set: str, groups: dict[str, str]
) -> dict[tuple[str, str], list[Scored | None]]:
    """(arm, fraction) -> its replicates on one test set; None for a diverged one."""
    runs: dict[tuple[str, str], list[Scored | None]] = {}
    for arm, fraction in product(arguments.arms, arguments.fractions):
        for replicate in arguments.replicates:
            name = prediction_name(arm, fraction, replicate, test_set)
            predictions = read_predictions(Path(arguments.results) / "predictions" / name)
            scored = None if predictions.diverged else score(predictions, groups)
            runs.setdefault((arm, fraction), []).append(scored)
    return runs


def family(
    arguments: argparse.Namespace, runs: dict, test_set: str, metric: str
) -> tuple[list[Comparison], list[Row]]:
    """All comparisons of one metric and test set, and the rows of their replicates."""
    comparisons, single = [], []
    for arm, fraction in product(arguments.arms, arguments.fractions):
        baseline = arguments.baseline_of.get(arm, arguments.baseline)
        if arm == baseline or baseline not in arguments.arms:
            continue
        common = {
            **{"arm": arm, "baseline": baseline, "fraction": fraction},
            **{"test_set": test_set, "metric": metric},
        }
        mine, other = runs[arm, fraction], runs[baseline, fraction]
        if reason := obstacle(mine, other):
            found = Comparison({"state": reason})
        else:
            found = compare(mine, other, metric)
            rows = difference_rows(mine, other, arguments.replicates, metric)
            single += [common | row for row in rows]
        found.row = {**common, "replicate": "mean", **found.row}
        comparisons.append(found)
    return comparisons, single


def run(arguments: argparse.Namespace) -> None:
    groups = test_set_groups(arguments)
    means: list[Row] = []
    replicates: list[Row] = []
    for test_set in groups:
        runs = load(arguments, test_set, groups[test_set])
        for metric in METRICS:
            comparisons, single = family(arguments, runs, test_set, metric)
            decide(comparisons, arguments.alpha, arguments.margin)
            means += [item.row for item in comparisons]
            replicates += single
    write_csv(arguments.comparisons, COLUMNS, [*means, *replicates])


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
