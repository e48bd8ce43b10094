"""Write the run sheet: every classifier of the target that is trained, one row each.

Columns: arm, target, fraction, subset_seed, initialisation_seed, split, baseline, tabled, crossed. The order of the
rows is that of all tables. --grid is a JSON object with target, arms (a list of name, split and baseline), fractions
and replicates (seeds), of which every combination is a run, and crossed_fractions and crossed_replicates, of which
every arm and fraction is run with each pair of two different seeds as well.
"""

import argparse
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.run_grid import RunGrid
from fewlabels.core.run_sheet import write_run_sheet


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--grid", type=RunGrid.from_json, required=True, help="JSON, see above")
    parser.add_argument("--sheet", required=True, help="CSV to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    write_run_sheet(arguments.sheet, arguments.grid.runs())


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
