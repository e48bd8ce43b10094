"""Compare every arm with its baseline, as the run sheet names it, fraction by fraction.

Writes a CSV with one row per arm, fraction, test set and metric (accuracy, macro_f1, balanced_accuracy, mcc, nll,
brier), replicate=mean, and one per replicate:
  arm, baseline, fraction, test_set, metric, replicate
  replicates, units, effective_units, images
                                     sizes; a unit is a slide, or an image of which none is known; effective: of
                                     units of unequal size, how many equal ones they are worth
                                     replicates: pairs of runs; where some diverged or failed, the whole ones, without
                                     their mean: state says how many are missing, and the replicate's row why
  difference, low, high, error, critical
                                     arm minus baseline (in points; nll and brier as they are), its interval of the
                                     level 1 - alpha, standard error and critical value, from replicates and test
                                     images together
  p_difference                       two-sided test of no difference, as it is
of the metric of --primary alone:
  p_difference_holm                  adjusted over all arms and fractions of that test set
  p_equivalence, p_equivalence_holm  two one-sided tests of a difference of --margin or more
  equivalent, verdict                better | worse | equivalent within <margin> | undecided, by the adjusted p values;
                                     or no verdict, and state says why
  detectable, detectable_low, detectable_high
                                     the smallest true difference that would have been found with a chance of 80 %, at
                                     the measured variances; an interval that tells how well these are known
and per replicate:
  only_arm, only_baseline, p_mcnemar images that only one of the two classified rightly; exact McNemar test
  state                              what limits the comparison, or why there is none
See docs/statistics.md.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.run_sheet import cells, read_run_sheet, tabled
from fewlabels.statistics.comparison import (
    METRICS,
    PRIMARY_METRICS,
    Comparison,
    compare,
    decide,
    difference_rows,
    measure,
    obstacle,
    rows_beside_lost,
)
from fewlabels.statistics.evaluation import Row, not_lost
from fewlabels.statistics.predictions import add_test_set_arguments, test_set_groups
from fewlabels.statistics.scored_runs import (
    Cells,
    Scores,
    TrainedOn,
    add_pool_argument,
    load,
    pool_size,
    shared_pool,
)

COLUMNS = [
    *("arm", "baseline", "fraction", "test_set", "metric", "replicate"),
    *("replicates", "units", "effective_units", "images"),
    *("difference", "low", "high", "error", "critical"),
    *("p_difference", "p_difference_holm", "p_equivalence", "p_equivalence_holm"),
    *("equivalent", "verdict", "detectable", "detectable_low", "detectable_high"),
    *("only_arm", "only_baseline", "p_mcnemar", "state"),
]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with predictions/")
    add_test_set_arguments(parser)
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--labels", required=True, help="CSV of count_labels")
    parser.add_argument(
        "--primary", choices=PRIMARY_METRICS, default="accuracy", help="the metric of the verdicts"
    )
    add_pool_argument(parser)
    parser.add_argument("--alpha", type=float, default=0.05, help="family-wise error rate")
    parser.add_argument("--margin", type=float, default=1.0, help="of equivalence, in points")
    parser.add_argument("--comparisons", required=True, help="CSV to write")
    return parser


class Family:
    """The comparisons of one test set: all arms and fractions.

    Args:
        pool: how many training images there are, if the results are to hold for other pools of them; else None.
    """

    def __init__(
        self,
        runs: Cells,
        scores: Scores,
        test_set: str,
        trained_on: TrainedOn,
        pool: int | None,
    ) -> None:
        self.runs, self.scores, self.test_set = runs, scores, test_set
        self.trained_on, self.pool = trained_on, pool

    def compare(self, metric: str) -> tuple[list[Comparison], list[Row]]:
        """All comparisons of one metric, and the rows of their replicates."""
        comparisons, single = [], []
        first_of: dict[tuple, Comparison] = {}
        for (arm, fraction), members in self.runs.items():
            baseline = members[0].baseline
            if (baseline, fraction) not in self.runs:
                continue
            common = {
                **{"arm": arm, "baseline": baseline, "fraction": fraction},
                **{"test_set": self.test_set, "metric": metric},
            }
            mine, other = self.scores[arm, fraction], self.scores[baseline, fraction]
            replicates = [run.replicate for run in members]
            same_seeds = replicates == [run.replicate for run in self.runs[baseline, fraction]]
            reason = obstacle(mine, other) if same_seeds else "seeds differ: not compared"
            if reason:
                found = Comparison({"state": reason})
                if same_seeds and len(not_lost([*mine, *other])) < len([*mine, *other]):
                    rows = rows_beside_lost(mine, other, replicates, metric)
                    found.row["replicates"] = sum("difference" in row for row in rows)
                    single += [common | row for row in rows]
            else:
                arms, baselines = not_lost(mine), not_lost(other)
                training = self.trained_on.of(arm, fraction)
                found = compare(arms, baselines, metric, shared_pool(training, self.pool))
                first = first_of.setdefault((arm, training.hashes), found)
                found.same_as = None if first is found else first
                if found.estimate:
                    rows = difference_rows(arms, baselines, replicates, metric)
                    single += [common | row for row in rows]
            found.row = {**common, "replicate": "mean", **found.row}
            comparisons.append(found)
        return comparisons, single


def run(arguments: argparse.Namespace) -> None:
    groups = test_set_groups(arguments)
    runs = cells(tabled(read_run_sheet(arguments.runs)))
    trained_on = TrainedOn(read_csv(arguments.labels))
    pool = pool_size(arguments)
    means: list[Row] = []
    replicates: list[Row] = []
    for test_set in groups:
        scores = load(Path(arguments.results), runs, test_set, groups[test_set])
        family = Family(runs, scores, test_set, trained_on, pool)
        for metric in METRICS:
            comparisons, single = family.compare(metric)
            if metric == arguments.primary:
                decide(comparisons, arguments.alpha, arguments.margin)
            else:
                measure(comparisons, arguments.alpha)
            means += [item.row for item in comparisons]
            replicates += single
    write_csv(arguments.comparisons, COLUMNS, [*means, *replicates])


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
