"""Look for what training and test images share: pictures, slides, microscope fields.

Compared are the splits of each data set with each other, the pretraining sets with the test images of wbc, all of them
with the external test sets, and wbc's training images with themselves (validation images are drawn from them).
Looked for, in this order, an image pair being listed under the first that fits:
  bytes            the same file
  pixels           the same pixels in another file
  near_duplicates  the same picture flipped, turned by right angles, encoded anew, resized (see fewlabels/audit/duplicates.py)
  slide, field     images of one slide, of one microscope field, by their names
Writes all findings (pairs), counts in words (report), and the pairs of pictures side by side (thumbnails).
What a finding leads to is decided by check_leakage.
"""

import argparse
import logging
from collections.abc import Sequence

import numpy as np

from fewlabels.audit.duplicates import THUMBNAIL, Thumbnails, thumbnails
from fewlabels.audit.leakage import (
    COLUMNS,
    GROUPED,
    KINDS,
    Part,
    compare,
    comparisons,
    counts_table,
)
from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, write_csv, write_text
from fewlabels.data.packed_images import PackedImages, open_packed
from fewlabels.data.slides import check_slides
from fewlabels.reporting.figures import pair_sheet

SHEET_PAIRS = 24


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--datasets", nargs="+", required=True, help="names, in the files' order")
    parser.add_argument("--indexes", nargs="+", required=True, help="CSVs of index_images")
    parser.add_argument("--images", nargs="+", required=True, help=".npy files of pack_images")
    parser.add_argument("--ids", nargs="+", required=True, help="CSVs of pack_images")
    parser.add_argument("--external", nargs="*", default=[], help="those that are test sets alone")
    parser.add_argument("--grouped-index", help="CSV of split_by_group")
    parser.add_argument("--distance", type=int, required=True, help="most bits of 64 that differ")
    parser.add_argument("--correlation", type=float, required=True, help="least, of thumbnails")
    parser.add_argument("--pairs", required=True, help="CSV to write")
    parser.add_argument("--report", required=True, help="Markdown to write")
    parser.add_argument("--thumbnails", required=True, help="PNG to write")
    return parser


def split_parts(
    dataset: str,
    index: Sequence[dict[str, str]],
    packed: PackedImages,
    small: np.ndarray,
    names: str,
) -> list[Part]:
    """The splits of one data set, with their thumbnails out of those of the whole."""
    parts = []
    for split in dict.fromkeys(row["split"] for row in index):
        rows = [row for row in index if row["split"] == split]
        pictures = small[[packed.row_of[row["id"]] for row in rows]]
        parts.append(Part(dataset, split, rows, Thumbnails(pictures), names))
    return parts


def write_report(
    path: str, compared: list[tuple[Part, Part]], rows: list[dict], arguments: argparse.Namespace
) -> None:
    unique = {id(part): part for pair in compared for part in pair}.values()
    blank = sum(int((~part.thumbnails.contrast).sum()) for part in unique)
    lines = [
        "# Leakage audit",
        "",
        "How many images of the first-named set have a copy in the second, or come from a slide or a "
        "microscope field that the second has images of.",
        "",
        counts_table(compared, rows),
        "",
        "A copy counts once, under the leftmost kind that fits. `12 (6 %) on 2`: 12 images, on 2 slides or fields that both "
        "have. –: the file names tell none.",
        "Near duplicates: perceptual hashes (pHash, 64 bits) of one of the 8 flips and right-angle rotations at most "
        f"{arguments.distance} bits apart, and thumbnails ({THUMBNAIL} x {THUMBNAIL}, in colour) "
        f"that correlate by at least {arguments.correlation:g}. Images of one cell shifted or cropped otherwise, "
        "and overlapping fields, are mostly not found.",
    ]
    if blank:
        lines.append(f"Nearly blank images, compared by bytes and pixels alone: {blank}.")
    lines += ["", "All pairs: `pairs.csv`; the first ones to look at: `thumbnails.png`.", ""]
    write_text(path, "\n".join(lines))


def run(arguments: argparse.Namespace) -> None:
    parts: list[Part] = []
    packed_of: dict[str, PackedImages] = {}
    for dataset, index_path, array, ids in zip(
        *(arguments.datasets, arguments.indexes, arguments.images, arguments.ids), strict=True
    ):
        index = read_csv(index_path)
        if dataset == "wbc":
            check_slides(index)
        packed_of[dataset] = open_packed(array, ids)
        small = thumbnails(packed_of[dataset].array)
        # An external set may hold images of wbc's own slides.
        names = "wbc" if dataset in arguments.external else dataset
        parts += split_parts(dataset, index, packed_of[dataset], small, names)
        if dataset == "wbc" and arguments.grouped_index:
            packed_of[GROUPED] = packed_of["wbc"]
            grouped = read_csv(arguments.grouped_index)
            parts += split_parts(GROUPED, grouped, packed_of["wbc"], small, GROUPED)
    compared = comparisons(parts, arguments.external)
    rows: list[dict] = []
    for first, second in compared:
        found = compare(first, second, arguments.distance, arguments.correlation)
        logging.info("%s against %s: %d findings", second.title, first.title, len(found))
        rows += found
    write_csv(arguments.pairs, COLUMNS, rows)
    write_report(arguments.report, compared, rows, arguments)
    # Across sets first: a copy within the training images is no leak to the test.
    shown = sorted(
        (row for row in rows if row.get("first_id")),
        key=lambda row: (
            (row["first_dataset"], row["first_split"])
            == (row["second_dataset"], row["second_split"])
        ),
    )[:SHEET_PAIRS]
    pair_sheet(
        arguments.thumbnails,
        [(sheet_title(row), *pictures_of(row, packed_of)) for row in shown],
        empty_text="no copies were found",
    )


def sheet_title(row: dict) -> str:
    correlation = f", correlation {row['correlation']:.3f}" if "correlation" in row else ""
    view = f", {row['view']}" if row.get("view", "as it is") != "as it is" else ""
    return (
        f"{KINDS[row['kind']]}{correlation}{view}\n{row['first_dataset']} {row['first_id']}\n"
        f"{row['second_dataset']} {row['second_id']}"
    )


def pictures_of(row: dict, packed_of: dict[str, PackedImages]) -> list[np.ndarray]:
    return [
        packed_of[row[f"{side}_dataset"]].rows([row[f"{side}_id"]])[0]
        for side in ("first", "second")
    ]


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
