"""Judge the problems of one data set before it is packed.

Reads its table of problems and writes it once more, with what the config makes of each:
  dataset, kind, path, detail, files, consequence
The verdict stops what stands behind it with the line of the first problem that stops the workflow.
"""

import argparse
import json
import logging
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.verdict import write_verdict
from fewlabels.data.judgement import CHECKED_COLUMNS, judge, stopping_line


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--dataset", required=True, help="name")
    parser.add_argument("--problems", required=True, help="CSV of index_images")
    parser.add_argument("--policy", required=True, help='JSON: kind of problem -> "stop" or "warn"')
    parser.add_argument("--table", required=True, help="CSV to write")
    parser.add_argument("--verdict", required=True, help="file to write: what stops, or go")
    return parser


def run(arguments: argparse.Namespace) -> None:
    policy = json.loads(arguments.policy)
    rows = judge(arguments.dataset, read_csv(arguments.problems), policy)
    for row in rows:
        logging.info(
            "%s: %s: %s: %s %s", *(row[key] for key in ("consequence", *CHECKED_COLUMNS[:4]))
        )
    write_csv(arguments.table, CHECKED_COLUMNS, rows)
    write_verdict(arguments.verdict, stopping_line(rows, arguments.table))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
