"""Tell what became of the raw files of all data sets.

data.csv has the columns dataset, item, split, detail, files, one row per number of files:
  images    used, by split
  left_out  detail: the reason
  problem   detail: the kind
  mask      detail: used, applied, kept (not applied), empty, full; one mask counts under each that holds
  copies    images of the split with a copy in another set or among themselves; detail: the kind and that set
and, without a number of files, reading of masks, reading of intensities (detail: what was seen, and what it means).
data.md says the same in short, copies of test images in what is trained on first; it is a section of summary.md.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv, write_text
from fewlabels.reporting.data_report import COLUMNS, DataSet, data_report, data_rows


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--target", required=True, help="name of the data set that is classified")
    parser.add_argument("--datasets", nargs="+", required=True, help="names, in the files' order")
    for option, what in (
        ("--indexes", "CSVs of index_images: images"),
        ("--problems", "CSVs of index_images: problems"),
        ("--left-out", "CSVs of index_images: files that are not used"),
        ("--readings", "JSONs of index_images: how values were read"),
    ):
        parser.add_argument(option, nargs="+", required=True, help=what)
    parser.add_argument("--masked", nargs="*", default=[], help="names of sets with masks")
    parser.add_argument("--masked-tables", nargs="*", default=[], help="their CSVs of apply_masks")
    parser.add_argument("--leakage", required=True, help="CSV of check_leakage")
    parser.add_argument("--table", required=True, help="CSV to write")
    parser.add_argument("--report", required=True, help="Markdown to write")
    return parser


def read_sets(arguments: argparse.Namespace) -> list[DataSet]:
    """The data sets with all that was written of them.

    Raises:
        UserError: there is not one file of each kind for each set.
    """
    names = arguments.datasets
    lists = (arguments.indexes, arguments.problems, arguments.left_out, arguments.readings)
    if any(len(paths) != len(names) for paths in lists):
        raise UserError(
            "--indexes, --problems, --left-out and --readings must name one file for each of --datasets"
        )
    if len(arguments.masked) != len(arguments.masked_tables):
        raise UserError("--masked-tables must name one file for each of --masked")
    masks = dict(zip(arguments.masked, arguments.masked_tables, strict=True))
    return [
        DataSet(
            name,
            read_csv(index),
            read_csv(problems),
            read_csv(left_out),
            json.loads(Path(reading).read_text(encoding="utf-8")),
            read_csv(masks[name]) if name in masks else None,
        )
        for name, index, problems, left_out, reading in zip(names, *lists, strict=True)
    ]


def run(arguments: argparse.Namespace) -> None:
    sets, leakage = read_sets(arguments), read_csv(arguments.leakage)
    write_csv(arguments.table, COLUMNS, data_rows(sets, leakage))
    write_text(arguments.report, data_report(sets, leakage, arguments.target))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
