"""Split the labelled images anew, so that no slide has images in both train and test.

Writes the index with another column split, about as many test images as the given split has, and classes as evenly
shared as whole slides allow (scikit-learn's StratifiedGroupKFold). An image whose name tells no slide is a slide of its
own; two such with equal pixels are one. Rows of a validation split stay as they are.
"""

import argparse
import logging
from collections import Counter
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.slides import check_slides, held_out, slides_of


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--target", required=True, help="name of the data set, for messages")
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--grouped-index", required=True, help="CSV to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    index = read_csv(arguments.index)
    check_slides(index, arguments.target)
    rows = [row for row in index if row["split"] in ("train", "test")]
    if not any(row["slide"] for row in rows):
        raise UserError(
            f"{arguments.index}: no file name tells a slide, so nothing can be split by slide: "
            f"set datasets.{arguments.target}.group_pattern, or take grouped out of experiment.splits"
        )
    share = sum(row["split"] == "test" for row in rows) / len(rows)
    slides = slides_of(rows, unknown="pixel_sha256")
    labels = [row["label"] for row in rows]
    test = held_out(labels, slides, share, arguments.seed)
    if test is None:
        raise UserError(
            f"{arguments.index}: {len(set(slides))} slides are too few to leave every class in both train and test: "
            "take grouped out of experiment.splits, or try another experiment.split_seed"
        )
    for row, is_test in zip(rows, test, strict=True):
        row["split"] = "test" if is_test else "train"
    for (split, label), count in sorted(Counter((r["split"], r["label"]) for r in rows).items()):
        logging.info("%s %s: %d images", split, label, count)
    write_csv(arguments.grouped_index, list(index[0]), index)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
