"""Draw one arm's loss and accuracy curves, one panel per fraction, all replicates."""

import argparse
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv
from fewlabels.reporting.figures import training_curves


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--title", required=True)
    parser.add_argument("--fractions", nargs="+", required=True, help="one per history")
    parser.add_argument("--histories", nargs="+", required=True, help="CSV of train_wbc")
    parser.add_argument("--figure", required=True, help="PNG to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    panels: dict[str, list] = {}
    for fraction, path in zip(arguments.fractions, arguments.histories, strict=True):
        panels.setdefault(f"{fraction} % of labels", []).append(read_csv(path))
    training_curves(arguments.figure, arguments.title, list(panels.items()))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
