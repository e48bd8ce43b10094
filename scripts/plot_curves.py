"""Draw one arm's loss and accuracy curves, one panel per fraction, all replicates."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv
from fewlabels.core.fractions import of_labels
from fewlabels.core.run_sheet import read_run_sheet, runs_of_arm, tabled
from fewlabels.reporting.figures import training_curves


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with history/")
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--arm", required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--figure", required=True, help="PNG to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    panels: dict[str, list] = {}
    for run in runs_of_arm(tabled(read_run_sheet(arguments.runs)), arguments.arm):
        history = read_csv(Path(arguments.results) / run.path("history"))
        panels.setdefault(of_labels(run.fraction), []).append(history)
    training_curves(arguments.figure, arguments.title, list(panels.items()))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
