"""Look for what training and test images share: pictures, slides, microscope fields.

Compared are the splits of each data set with each other, the pretraining sets with the test images of the target, all
of them with the external test sets, the target's training images with themselves (validation images are drawn from
them), and test images with themselves (intervals take them as independent). Looked for, in this order, an image pair
being listed under the first that fits:
  bytes            the same file
  pixels           the same pixels in another file
  near_duplicates  the same picture flipped, turned, encoded anew, resized (see fewlabels/audit/duplicates.py)
  slide, field     images of one slide, of one microscope field, by their names
Writes all findings (pairs), how much each comparison found (compared), the same in words (report), and the pairs of
pictures side by side (thumbnails).
What a finding leads to is decided by check_leakage.
"""

import argparse
import logging
from collections.abc import Sequence

import numpy as np

from fewlabels.audit.duplicates import Thumbnails, thumbnails
from fewlabels.audit.judgement import copies_to_look_at
from fewlabels.audit.leakage import (
    COLUMNS,
    COMPARED_COLUMNS,
    KINDS,
    Part,
    compare,
    comparison_row,
    comparisons,
    grouped_name,
)
from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, write_csv, write_text
from fewlabels.data.pictures import Pictures, open_pictures
from fewlabels.data.slides import check_slides
from fewlabels.reporting.figures import pair_sheet
from fewlabels.reporting.leakage_report import leakage_report

SHEET_PAIRS = 24


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--target", required=True, help="name of the data set that is classified")
    parser.add_argument("--datasets", nargs="+", required=True, help="names, in the files' order")
    parser.add_argument("--indexes", nargs="+", required=True, help="CSVs of index_images")
    parser.add_argument("--images", nargs="+", required=True, help=".npy files of pack_images")
    parser.add_argument("--external", nargs="*", default=[], help="those that are test sets alone")
    parser.add_argument("--grouped-index", help="CSV of split_by_group")
    parser.add_argument("--distance", type=int, required=True, help="most bits of 64 that differ")
    parser.add_argument("--correlation", type=float, required=True, help="least, of thumbnails")
    parser.add_argument("--pairs", required=True, help="CSV of findings to write")
    parser.add_argument("--compared", required=True, help="CSV of comparisons to write")
    parser.add_argument("--report", required=True, help="Markdown to write")
    parser.add_argument("--thumbnails", required=True, help="PNG to write")
    return parser


def split_parts(
    dataset: str,
    index: Sequence[dict[str, str]],
    packed: Pictures,
    small: np.ndarray,
    names: str,
) -> list[Part]:
    """The splits of one data set, with their thumbnails out of those of the whole."""
    parts = []
    for split in dict.fromkeys(row["split"] for row in index):
        rows = [row for row in index if row["split"] == split]
        pictures = small[[packed.row_of[row["id"], "plain"] for row in rows]]
        parts.append(Part(dataset, split, rows, Thumbnails(pictures), names))
    return parts


def run(arguments: argparse.Namespace) -> None:
    target, grouped = arguments.target, grouped_name(arguments.target)
    parts: list[Part] = []
    packed_of: dict[str, Pictures] = {}
    for dataset, index_path, array in zip(
        arguments.datasets, arguments.indexes, arguments.images, strict=True
    ):
        index = read_csv(index_path)
        if dataset == target:
            check_slides(index, target)
        packed_of[dataset] = open_pictures([array])
        small = thumbnails(packed_of[dataset].arrays[0])
        # An external set may hold images of the target's own slides.
        names = target if dataset in arguments.external else dataset
        parts += split_parts(dataset, index, packed_of[dataset], small, names)
        if dataset == target and arguments.grouped_index:
            packed_of[grouped] = packed_of[target]
            index = read_csv(arguments.grouped_index)
            parts += split_parts(grouped, index, packed_of[target], small, grouped)
    compared = comparisons(parts, arguments.external, target)
    rows: list[dict] = []
    numbers: list[dict] = []
    for first, second in compared:
        found = compare(first, second, arguments.distance, arguments.correlation)
        logging.info("%s against %s: %d findings", second.title, first.title, len(found))
        rows += found
        numbers.append(comparison_row(first, second, found, arguments.external))
    write_csv(arguments.pairs, COLUMNS, rows)
    write_csv(arguments.compared, COMPARED_COLUMNS, numbers)
    report = leakage_report(compared, rows, numbers, arguments.distance, arguments.correlation)
    write_text(arguments.report, report)
    shown = copies_to_look_at(rows, SHEET_PAIRS)
    pair_sheet(
        arguments.thumbnails,
        [
            (
                sheet_title(row),
                picture_of(row, "first", packed_of),
                picture_of(row, "second", packed_of),
            )
            for row in shown
        ],
        empty_text="no copies were found",
    )


def sheet_title(row: dict) -> str:
    correlation = f", correlation {row['correlation']:.3f}" if "correlation" in row else ""
    view = f", {row['view']}" if row.get("view", "as it is") != "as it is" else ""
    return (
        f"{KINDS[row['kind']]}{correlation}{view}\n{row['first_dataset']} {row['first_id']}\n"
        f"{row['second_dataset']} {row['second_id']}"
    )


def picture_of(row: dict, side: str, packed_of: dict[str, Pictures]) -> np.ndarray:
    """The image on one side of a pair, first or second."""
    return packed_of[row[f"{side}_dataset"]].rows([(row[f"{side}_id"], "plain")])[0]


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
