"""Compare every arm with its baseline, as the run sheet names it, fraction by fraction.

Writes a CSV with one row per arm, fraction, test set and metric (accuracy, macro_f1), replicate=mean, and one per
replicate:
  arm, baseline, fraction, test_set, metric, replicate
  replicates, units, images          sizes; a unit is a group (slide), or an image where there are few groups
  difference, low, high, error, df   arm minus baseline in points, its interval of the level 1 - alpha, standard error
                                     and degrees of freedom, from replicates and test images together
  p_difference, p_equivalence        two-sided test of no difference; two one-sided tests of one of --margin or more
  p_difference_holm, p_equivalence_holm   adjusted over all arms and fractions of that metric and test set
  equivalent, verdict                better | worse | equivalent within <margin> | undecided; by the adjusted p values
  needed_replicates, needed_images   of an undecided one: how many would decide if the difference seen is the true one
  only_arm, only_baseline, p_mcnemar images that only one of the two classified rightly; exact McNemar
                                     test, per replicate
  state                              what limits the comparison, or why there is none
See docs/statistics.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import write_csv
from fewlabels.core.run_sheet import Run, cells, read_run_sheet, tabled
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
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--alpha", type=float, default=0.05, help="family-wise error rate")
    parser.add_argument("--margin", type=float, default=1.0, help="of equivalence, in points")
    parser.add_argument("--comparisons", required=True, help="CSV to write")
    return parser


#: (arm, fraction) -> its runs, and their scores on one test set; None for a diverged one.
Cells = dict[tuple[str, str], list[Run]]
Scores = dict[tuple[str, str], list[Scored | None]]


def load(results: Path, runs: Cells, test_set: str, groups: dict[str, str]) -> Scores:
    """Score every run on one test set; ``groups``: id -> slide."""

    def score_of(run: Run) -> Scored | None:
        predictions = read_predictions(results / run.path("predictions", test_set=test_set))
        return None if predictions.diverged else score(predictions, groups)

    return {cell: [score_of(run) for run in members] for cell, members in runs.items()}


def family(
    runs: Cells, scores: Scores, test_set: str, metric: str
) -> tuple[list[Comparison], list[Row]]:
    """All comparisons of one metric and test set, and the rows of their replicates."""
    comparisons, single = [], []
    for (arm, fraction), members in runs.items():
        baseline = members[0].baseline
        if (baseline, fraction) not in runs:
            continue
        common = {
            **{"arm": arm, "baseline": baseline, "fraction": fraction},
            **{"test_set": test_set, "metric": metric},
        }
        mine, other = scores[arm, fraction], scores[baseline, fraction]
        replicates = [run.replicate for run in members]
        same_seeds = replicates == [run.replicate for run in runs[baseline, fraction]]
        reason = obstacle(mine, other) if same_seeds else "seeds differ: not compared"
        if reason:
            found = Comparison({"state": reason})
        else:
            arms, baselines = (
                [scored for scored in side if scored is not None] for side in (mine, other)
            )
            found = compare(arms, baselines, metric)
            rows = difference_rows(arms, baselines, replicates, metric)
            single += [common | row for row in rows]
        found.row = {**common, "replicate": "mean", **found.row}
        comparisons.append(found)
    return comparisons, single


def run(arguments: argparse.Namespace) -> None:
    groups = test_set_groups(arguments)
    runs = cells(tabled(read_run_sheet(arguments.runs)))
    means: list[Row] = []
    replicates: list[Row] = []
    for test_set in groups:
        scores = load(Path(arguments.results), runs, test_set, groups[test_set])
        for metric in METRICS:
            comparisons, single = family(runs, scores, test_set, metric)
            decide(comparisons, arguments.alpha, arguments.margin)
            means += [item.row for item in comparisons]
            replicates += single
    write_csv(arguments.comparisons, COLUMNS, [*means, *replicates])


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
