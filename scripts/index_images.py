"""Index one data set: find every image, decode it whole, and list what is wrong.

Writes two tables. The index has one row per usable image:
  id, path, split, label, mask, width, height, file_sha256, pixel_sha256, mask_sha256, slide, field
(paths relative to the data set's folder; mask, label, slide and field empty where there is none).
The table of problems has one row per problem:
  kind, path, detail
An image that cannot be decoded, and a mask that does not fit, is left out of the index and listed there;
check_datasets decides by the config whether that stops the workflow.
"""

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tqdm import tqdm

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import sha256_of_file, write_csv
from fewlabels.data.datasets import FoundImage, Layout, Problem, scan_dataset
from fewlabels.data.images import UnusableImageError, decode_image, decode_mask, pixel_hash

INDEX_COLUMNS = [
    *("id", "path", "split", "label", "mask", "width", "height"),
    *("file_sha256", "pixel_sha256", "mask_sha256", "slide", "field"),
]
PROBLEM_COLUMNS = ["kind", "path", "detail"]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--folder", required=True, help="the data set's raw folder")
    parser.add_argument("--classes", default="[]", help="JSON list of classes; [] means no labels")
    parser.add_argument("--aliases", default="{}", help="JSON: other folder name -> class")
    parser.add_argument("--splits", default="{}", help="JSON: role (train, test) -> folder")
    parser.add_argument("--group-pattern", default="", help="regular expression for slide, field")
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


def lost_classes(images: list[FoundImage], rows: list[dict]) -> list[Problem]:
    """Classes of a split that have images, none of them usable."""
    usable = {(row["split"], row["label"]) for row in rows}
    folders = {(image.split, image.label): Path(image.path).parent.as_posix() for image in images}
    detail = "has no usable image left: replace the undecodable ones"
    return [Problem("empty_class", folders[key], detail) for key in folders if key not in usable]


def run(arguments: argparse.Namespace) -> None:
    layout = Layout(
        classes=tuple(json.loads(arguments.classes)),
        aliases=json.loads(arguments.aliases),
        splits=json.loads(arguments.splits),
        group_pattern=arguments.group_pattern or None,
    )
    root = Path(arguments.folder)
    images, problems = scan_dataset(root, layout)
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
    problems += lost_classes(images, rows)
    write_csv(arguments.problems, PROBLEM_COLUMNS, map(asdict, problems))
    write_csv(arguments.index, INDEX_COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
