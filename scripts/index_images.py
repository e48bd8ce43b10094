"""Index one data set: find every file, decode it whole, and list what is wrong.

Every file below the data set's folder is used, or listed with its reason. Written are four files:
  index     one row per usable image: id, path, split, label, mask, width, height, file_sha256, pixel_sha256,
            mask_sha256, mask_foreground (share of the mask), mask_turn (EXIF orientation that the mask is turned by),
            slide, field; paths relative to --folder; empty where there is none. Where the layout has a holdout, that
            share of the usable training images becomes the split test
  problems  one row per problem: kind, path, detail, files (how many it is about); see fewlabels/data/problem_kinds.py
  left-out  one row per file that is not used: path, reason (a kind of problem, or what it is in place of a picture)
  reading   JSON: how masks and intensities of more than 8 bits are read, as was decided for the whole set
check_images decides by the config which problems stop the workflow.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv, write_json
from fewlabels.data.content_hashes import add_content_arguments, check_content
from fewlabels.data.datasets import scan_dataset
from fewlabels.data.holdout import hold_out
from fewlabels.data.indexing import Indexed, index_dataset, lost_classes
from fewlabels.data.layouts import Layout, check_patterns
from fewlabels.data.problem_kinds import order_of

INDEX_COLUMNS = [
    *("id", "path", "split", "label", "mask", "width", "height"),
    *("file_sha256", "pixel_sha256", "mask_sha256", "mask_foreground", "mask_turn"),
    *("slide", "field"),
]
PROBLEM_COLUMNS = ["kind", "path", "detail", "files"]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--folder",
        required=True,
        help="the data set's raw folder, or that which a table's path starts from",
    )
    parser.add_argument(
        "--layout",
        type=Layout.from_json,
        required=True,
        help="JSON with the keys of a data set's section of the config",
    )
    parser.add_argument(
        "--key", default="datasets.*", help="of that section in the config, for messages"
    )
    parser.add_argument(
        "--external",
        action="store_true",
        help="an external test set: images without a split are test images, classes may be missing",
    )
    parser.add_argument("--split-seed", type=int, default=0, help="of the layout's holdout")
    parser.add_argument("--max-megapixels", type=float, default=50)
    parser.add_argument("--threads", type=int, default=1, help="files decoded at a time")
    parser.add_argument("--index", required=True, help="CSV to write")
    parser.add_argument("--problems", required=True, help="CSV to write")
    parser.add_argument("--left-out", required=True, help="CSV to write")
    parser.add_argument("--reading", required=True, help="JSON to write")
    add_content_arguments(parser)
    return parser


def show_progress(items: Iterable, total: int, word: str) -> Iterable:
    """A bar in the log, with an estimate of the time left."""
    return tqdm(items, total=total, desc=word, mininterval=5)


def reading_of(indexed: Indexed) -> dict:
    """How masks and intensities are read, for JSON."""
    shares = [row["mask_foreground"] for row in indexed.rows if row["mask"]]
    masks = indexed.masks and {
        **indexed.masks.plain(),
        "used": len(shares),
        "empty": sum(share == 0 for share in shares),
        "full": sum(share == 1 for share in shares),
    }
    return {"masks": masks, "intensities": indexed.intensities and indexed.intensities.plain()}


def run(arguments: argparse.Namespace) -> None:
    layout = arguments.layout
    check_patterns(arguments.key, layout)
    root = Path(arguments.folder)
    scan = scan_dataset(root, layout, arguments.external, arguments.key)
    indexed = index_dataset(
        root,
        layout,
        scan,
        arguments.max_megapixels,
        arguments.threads,
        arguments.key,
        show_progress,
    )
    problems = [*indexed.problems, *lost_classes(scan.images, indexed.rows, layout)]
    rows = indexed.rows
    if layout.holdout is not None:
        try:
            rows = hold_out(rows, layout.holdout, arguments.split_seed)
        except UserError as error:
            first = min(problems, key=lambda problem: order_of(problem.kind), default=None)
            cause = f" (first of all, {first.path} {first.detail})" if first else ""
            raise UserError(f"{root / (layout.table or '')}: {error}{cause}") from None
    problems.sort(key=lambda problem: order_of(problem.kind))
    check_content(arguments)
    left_out = [{"path": path, "reason": why} for path, why in sorted(indexed.left_out.items())]
    write_csv(arguments.problems, PROBLEM_COLUMNS, map(asdict, problems))
    write_csv(arguments.left_out, ["path", "reason"], left_out)
    write_json(arguments.reading, reading_of(indexed))
    write_csv(arguments.index, INDEX_COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
