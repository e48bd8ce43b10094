"""Judge the problems of all data sets before anything is trained.

Reads the tables of problems, writes them as one table
  dataset, kind, path, detail, consequence
and stops with one line on the first problem whose kind the config says to stop on. An empty class always stops.
"""

import argparse
import json
import logging
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv

ALWAYS_STOP = "empty_class"
COLUMNS = ["dataset", "kind", "path", "detail", "consequence"]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--datasets", nargs="+", required=True, help="names, in the tables' order")
    parser.add_argument("--problems", nargs="+", required=True, help="one CSV per data set")
    parser.add_argument("--policy", required=True, help='JSON: kind of problem -> "stop" or "warn"')
    parser.add_argument("--report", help="CSV to write even when a problem stops the workflow")
    parser.add_argument("--output", required=True, help="CSV to write when nothing stops")
    return parser


def run(arguments: argparse.Namespace) -> None:
    policy = {**json.loads(arguments.policy), ALWAYS_STOP: "stop"}
    rows = []
    for dataset, problems in zip(arguments.datasets, arguments.problems, strict=True):
        rows += [
            {"dataset": dataset, **row, "consequence": policy[row["kind"]]}
            for row in read_csv(problems)
        ]
    if arguments.report:
        write_csv(arguments.report, COLUMNS, rows)
    stopping = [row for row in rows if row["consequence"] == "stop"]
    if stopping:
        first = stopping[0]
        where = f" in {arguments.report}" if arguments.report else ""
        more = f" ({len(stopping) - 1} more{where})" if len(stopping) > 1 else ""
        raise UserError(
            f"{first['dataset']}: {first['kind'].replace('_', ' ')}: "
            f"{first['path']} {first['detail']}{more}"
        )
    for row in rows:
        logging.info("warning: %s: %s: %s %s", *(row[key] for key in COLUMNS[:4]))
    write_csv(arguments.output, COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
