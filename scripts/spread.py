"""Tell apart how much the drawn subset and the initialisation spread the results.

Reads the crossed runs, one of each pair of subset seed s and initialisation seed i (replicate <s>x<i>, or <s> where
both are the same). Writes a CSV with one row per arm, fraction and metric (accuracy, macro_f1):
  arm, fraction, metric, subsets, initialisations, mean, sd_subset, sd_initialisation, sd_rest, state
in points: standard deviations of the subset, of the initialisation, and of the rest (their interaction and noise), by a
two-way random-effects analysis of variance without replication (see docs/statistics.md). All runs share their test
images, so that these do not enter. With fewer than two seeds the CSV has no rows.
"""

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import write_csv
from fewlabels.statistics.comparison import METRICS
from fewlabels.statistics.evaluation import Row, score
from fewlabels.statistics.predictions import crossed_replicate, prediction_name, read_predictions
from fewlabels.statistics.variance_components import crossed_components

COLUMNS = [
    *("arm", "fraction", "metric", "subsets", "initialisations", "mean"),
    *("sd_subset", "sd_initialisation", "sd_rest", "state"),
]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with predictions/")
    parser.add_argument("--arms", nargs="+", required=True)
    parser.add_argument("--fractions", nargs="*", default=[])
    parser.add_argument("--replicates", nargs="*", default=[], help="seeds that are crossed")
    parser.add_argument("--spread", required=True, help="CSV to write")
    return parser


def rows_of(folder: Path, arm: str, fraction: str, seeds: Sequence[str]) -> list[Row]:
    """The rows of one arm and fraction."""
    runs = []
    for subset, initialisation in product(seeds, seeds):
        replicate = crossed_replicate(subset, initialisation)
        runs.append(read_predictions(folder / prediction_name(arm, fraction, replicate)))
    size = len(seeds)
    common = {"arm": arm, "fraction": fraction, "subsets": size, "initialisations": size}
    if lost := sum(run.diverged for run in runs):
        state = f"{lost} of {len(runs)} diverged"
        return [{**common, "metric": metric, "state": state} for metric in METRICS]
    scored = [score(run, {}) for run in runs]
    rows = []
    for metric in METRICS:
        values = np.array([run.values[metric] for run in scored]).reshape(size, size)
        parts = zip(COLUMNS[6:9], crossed_components(values), strict=True)
        rows.append({**common, "metric": metric, "mean": float(values.mean()), **dict(parts)})
    return rows


def run(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.results) / "predictions"
    rows = []
    if len(arguments.replicates) >= 2:
        for arm, fraction in product(arguments.arms, arguments.fractions):
            rows += rows_of(folder, arm, fraction, arguments.replicates)
    write_csv(arguments.spread, COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
