"""Tell apart how much the drawn subset and the initialisation spread the results.

Reads the crossed runs of the run sheet, one of each pair of subset seed and initialisation seed. Writes a CSV
with one row per arm, fraction and metric (accuracy, macro_f1):
  arm, fraction, metric, subsets, initialisations, mean
  sd_subset, sd_initialisation, sd_rest   standard deviations in points: of the subset, of the initialisation, and of
                                          the rest (their interaction and noise)
  sd_subset_upper, ...                    their upper limits, one-sided, of the level 1 - alpha
  p_subset, p_initialisation              F test of "it spreads nothing"
  state                                   why there is no value
by a two-way random-effects analysis of variance without replication (see docs/statistics.md). All runs share their test
images, so that these do not enter. With fewer than two seeds the CSV has no rows.
"""

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.core.fractions import fraction_text
from fewlabels.core.run_sheet import Run, cells, crossed, read_run_sheet
from fewlabels.statistics.crossed import CrossedSpread, crossed_spread
from fewlabels.statistics.evaluation import Row, score
from fewlabels.statistics.predictions import lost_runs, read_predictions

METRICS = ("accuracy", "macro_f1")
COLUMNS = [
    *("arm", "fraction", "metric", "subsets", "initialisations", "mean"),
    *("sd_subset", "sd_subset_upper", "p_subset"),
    *("sd_initialisation", "sd_initialisation_upper", "p_initialisation"),
    *("sd_rest", "sd_rest_upper", "state"),
]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with predictions/")
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--alpha", type=float, default=0.05, help="upper limits: level 1 - alpha")
    parser.add_argument("--spread", required=True, help="CSV to write")
    return parser


def square(runs: Sequence[Run]) -> list[list[Run]]:
    """The runs of one arm and fraction: a row per subset seed, a column per initialisation seed, both in one order.

    Raises:
        UserError: a pair of seeds has no run.
    """
    run_of = {(run.subset_seed, run.initialisation_seed): run for run in runs}
    seeds = list(dict.fromkeys(seed for pair in run_of for seed in pair))
    for pair in product(seeds, seeds):
        if pair not in run_of:
            raise UserError(
                f"--runs: {runs[0].arm} at {fraction_text(runs[0].fraction)} has no crossed run of subset seed "
                f"{pair[0]} and initialisation seed {pair[1]}: delete the sheet and run again"
            )
    return [[run_of[subset, seed] for seed in seeds] for subset in seeds]


def cells_of(found: CrossedSpread) -> Row:
    """The cells of one row that are statistics."""
    cells: Row = {}
    for name in ("subset", "initialisation", "rest"):
        source = getattr(found, name)
        cells |= {f"sd_{name}": source.sd, f"sd_{name}_upper": source.upper}
        cells |= {} if source.p is None else {f"p_{name}": source.p}
    return cells


def rows_of(results: Path, grid: Sequence[Sequence[Run]], alpha: float) -> list[Row]:
    """The rows of one arm and fraction."""
    first, size = grid[0][0], len(grid)
    runs = [read_predictions(results / run.path("predictions")) for row in grid for run in row]
    common: Row = {"arm": first.arm, "fraction": first.fraction}
    common |= {"subsets": size, "initialisations": size}
    if state := lost_runs([run.lost for run in runs]):
        return [{**common, "metric": metric, "state": state} for metric in METRICS]
    scored = [score(run, {}) for run in runs]
    rows = []
    for metric in METRICS:
        values = np.array([run.values[metric] for run in scored]).reshape(size, size)
        found = cells_of(crossed_spread(values, alpha))
        rows.append({**common, "metric": metric, "mean": float(values.mean()), **found})
    return rows


def run(arguments: argparse.Namespace) -> None:
    rows = []
    for runs in cells(crossed(read_run_sheet(arguments.runs))).values():
        grid = square(runs)
        if len(grid) >= 2:
            rows += rows_of(Path(arguments.results), grid, arguments.alpha)
    write_csv(arguments.spread, COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
