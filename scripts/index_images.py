"""Index one data set: find every image, decode it whole, and list what is wrong.

Writes two tables. The index has one row per usable image:
  id, path, split, label, mask, width, height, file_sha256, pixel_sha256, mask_sha256, slide, field
(paths relative to --folder; mask, label, slide and field empty where there is none). Where the layout has a
holdout, that share of the usable training images becomes the split test. The table of problems has one row per problem:
  kind, path, detail
An image that cannot be decoded, and a mask that does not fit, is left out of the index and listed there;
check_datasets decides by the config whether that stops the workflow.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tqdm import tqdm

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import sha256_of_file, write_csv
from fewlabels.data.datasets import scan_dataset
from fewlabels.data.found_images import FoundImage, Problem
from fewlabels.data.holdout import hold_out
from fewlabels.data.images import UnusableImageError, decode_image, decode_mask, pixel_hash
from fewlabels.data.layouts import Layout, check_patterns

INDEX_COLUMNS = [
    *("id", "path", "split", "label", "mask", "width", "height"),
    *("file_sha256", "pixel_sha256", "mask_sha256", "slide", "field"),
]
PROBLEM_COLUMNS = ["kind", "path", "detail"]


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
        "--external",
        action="store_true",
        help="an external test set: images without a split are test images, classes may be missing",
    )
    parser.add_argument("--split-seed", type=int, default=0, help="of the layout's holdout")
    parser.add_argument("--mask-threshold", type=int, default=128)
    parser.add_argument("--max-megapixels", type=float, default=50)
    parser.add_argument("--threads", type=int, default=1, help="files decoded at a time")
    parser.add_argument("--index", required=True, help="CSV to write")
    parser.add_argument("--problems", required=True, help="CSV to write")
    return parser


def examine(
    image: FoundImage, root: Path, mask_threshold: int, max_megapixels: float
) -> tuple[dict | None, list[Problem]]:
    """Decode one image and its mask; give its row of the index (None if unusable) and its problems."""
    try:
        pixels = decode_image(root / image.path, max_megapixels)
    except UnusableImageError as problem:
        return None, [Problem("undecodable_image", image.path, f"{problem}: replace or remove it")]
    problems = []
    row = asdict(image) | {
        "width": pixels.width,
        "height": pixels.height,
        "file_sha256": sha256_of_file(root / image.path),
        "pixel_sha256": pixel_hash(pixels),
        "mask_sha256": "",
    }
    if image.mask:
        try:
            mask = decode_mask(root / image.mask, mask_threshold, max_megapixels)
        except UnusableImageError as problem:
            problems.append(
                Problem("undecodable_mask", image.mask, f"{problem}: replace or remove it")
            )
        else:
            if mask.shape != (pixels.height, pixels.width):
                problems.append(
                    Problem(
                        "mask_of_another_size",
                        image.mask,
                        f"is {mask.shape[1]}x{mask.shape[0]} pixels, its image is "
                        f"{pixels.width}x{pixels.height}: make them the same size",
                    )
                )
        if problems:
            row["mask"] = ""
        else:
            row["mask_sha256"] = sha256_of_file(root / image.mask)
    return row, problems


def lost_classes(images: list[FoundImage], rows: list[dict], layout: Layout) -> list[Problem]:
    """Classes of a split that have images, none of them usable."""
    usable = {(row["split"], row["label"]) for row in rows}
    folders = {(image.split, image.label): Path(image.path).parent.as_posix() for image in images}
    problems = []
    for (split, label), folder in folders.items():
        if (split, label) not in usable:
            detail = "has no usable image left: replace the undecodable ones"
            if layout.table:
                detail = f"has no usable {split} image of {label or 'any kind'} left: replace the undecodable ones"
            problems.append(Problem("empty_class", layout.table or folder, detail))
    return problems


def run(arguments: argparse.Namespace) -> None:
    layout = arguments.layout
    check_patterns("--layout", layout)
    root = Path(arguments.folder)
    images, problems = scan_dataset(root, layout, arguments.external)
    work = partial(
        examine,
        root=root,
        mask_threshold=arguments.mask_threshold,
        max_megapixels=arguments.max_megapixels,
    )
    rows = []
    with ThreadPoolExecutor(arguments.threads) as pool:
        # Pillow and hashlib let other threads run while they decode and hash.
        for row, found in tqdm(
            pool.map(work, images), total=len(images), desc="decode", mininterval=5
        ):
            problems.extend(found)
            if row is not None:
                rows.append(row)
    problems += lost_classes(images, rows, layout)
    if layout.holdout is not None:
        try:
            rows = hold_out(rows, layout.holdout, arguments.split_seed)
        except UserError as error:
            raise UserError(f"{root / (layout.table or '')}: {error}") from None
    write_csv(arguments.problems, PROBLEM_COLUMNS, map(asdict, problems))
    write_csv(arguments.index, INDEX_COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
