"""Judge the problems of all data sets before anything is trained.

Reads the indexes and the tables of problems, adds the images that stand in two splits of one data set
(same pixels, by hash), writes all of them as one table
  dataset, kind, path, detail, consequence
and stops with one line on the first problem whose kind the config says to stop on. An empty class always stops.
"""

import argparse
import json
import logging
from collections.abc import Sequence

from wbc.cli import make_parser, run_script
from wbc.files import UserError, read_csv, write_csv

ALWAYS_STOP = "empty_class"
COLUMNS = ["dataset", "kind", "path", "detail", "consequence"]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--datasets", nargs="+", required=True, help="names, in the tables' order")
    parser.add_argument("--indexes", nargs="+", required=True, help="one CSV per data set")
    parser.add_argument("--problems", nargs="+", required=True, help="one CSV per data set")
    parser.add_argument("--policy", required=True, help='JSON: kind of problem -> "stop" or "warn"')
    parser.add_argument("--report", help="CSV to write even when a problem stops the workflow")
    parser.add_argument("--output", required=True, help="CSV to write when nothing stops")
    return parser


def duplicates_across_splits(index: list[dict[str, str]]) -> list[dict[str, str]]:
    """Images whose pixels were seen before in another split, as rows of the table of problems."""
    first: dict[str, dict[str, str]] = {}
    problems = []
    for row in index:
        earlier = first.setdefault(row["pixel_sha256"], row)
        if earlier["split"] != row["split"]:
            problems.append(
                {
                    "kind": "same_image_in_two_splits",
                    "path": row["path"],
                    "detail": f"is the same picture as {earlier['path']}: remove one of them, or set "
                    "problems.same_image_in_two_splits to warn",
                }
            )
    return problems


def run(arguments: argparse.Namespace) -> None:
    policy = {**json.loads(arguments.policy), ALWAYS_STOP: "stop"}
    rows = []
    for dataset, index_path, problems_path in zip(
        arguments.datasets, arguments.indexes, arguments.problems, strict=True
    ):
        index = read_csv(index_path)
        problems = read_csv(problems_path) + duplicates_across_splits(index)
        rows += [
            {"dataset": dataset, **row, "consequence": policy[row["kind"]]} for row in problems
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
