"""Lay the judged problems of all data sets into one table: dataset, kind, path, detail, files, consequence."""

import argparse
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.judgement import CHECKED_COLUMNS


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--tables", nargs="+", required=True, help="CSVs of check_images")
    parser.add_argument("--output", required=True, help="CSV to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    rows = [row for table in arguments.tables for row in read_csv(table)]
    write_csv(arguments.output, CHECKED_COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
