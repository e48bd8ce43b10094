"""Choose the training images of one fraction and one replicate.

Writes a CSV with one row per image: id, label, mask (1 where the subset uses the image's mask), part (train, or
validation: not trained on, but used to choose the epoch; see --validation-share and fewlabels/data/subsets.py).
Drawn: nested and stratified, floor(fraction x images) images and floor(fraction x masks) masks of each class,
at least one image of each (see fewlabels/data/subsets.py). Given (--given-folder): the images whose class and file
name stand in the training folders of <given folder>, in the layout of the full set, with the masks that stand there;
the seed plays no part.
"""

import argparse
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.datasets import scan_dataset
from fewlabels.data.layouts import Layout
from fewlabels.data.subsets import draw_subset, mark_validation


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--fraction", required=True, help="per cent, in (0, 100]")
    parser.add_argument("--seed", type=int, default=0, help="of the replicate")
    parser.add_argument("--given-folder", default="", help="take the images named there; else draw")
    parser.add_argument(
        "--layout",
        type=Layout.from_json,
        help="JSON with the keys of the full set's section of the config, for --given-folder",
    )
    parser.add_argument(
        "--validation-share", type=float, default=0, help="of the subset, 0 ... 1; 0: all is train"
    )
    parser.add_argument(
        "--keep-slides-whole", action="store_true", help="no slide in both train and validation"
    )
    parser.add_argument("--subset", required=True, help="CSV to write")
    return parser


def training_part(layout: Layout | None, folder: Path) -> Layout:
    """The layout of the training images alone.

    Raises:
        UserError: there is no layout, or it has no training images in folders.
    """
    if layout is None:
        raise UserError(f"--given-folder {folder}: give the layout of the full set, too (--layout)")
    if layout.table is not None:
        raise UserError(
            f"{folder}: the full set is listed in {layout.table}, and given subsets are folders: "
            "set subsets.source to drawn"
        )
    if not layout.splits:
        return layout
    if "train" not in layout.splits:
        raise UserError(f"{folder}: the full set has no training images: name them in its splits")
    return layout.model_copy(update={"splits": {"train": layout.splits["train"]}})


def match_given(train: list[dict[str, str]], folder: Path, layout: Layout) -> list[dict[str, str]]:
    """Rows of the index that a given folder names, by class and file name.

    Raises:
        UserError: the folder is missing, or holds an image that the full training set does not.
    """
    given, _ = scan_dataset(folder, layout)
    known = {row["id"]: row for row in train}
    subset = []
    for image in given:
        row = known.get(image.id)
        if row is None:
            raise UserError(
                f"{folder / image.path}: no image of that class and name in the full training set: "
                "remove it, or set subsets.source to drawn"
            )
        if image.mask and not row["mask"]:
            logging.info("warning: %s has a mask that the full training set lacks", image.path)
        uses_mask = bool(image.mask and row["mask"])
        subset.append({"id": row["id"], "label": row["label"], "mask": str(int(uses_mask))})
    return sorted(subset, key=lambda row: row["id"])


def run(arguments: argparse.Namespace) -> None:
    fraction = float(arguments.fraction)
    if not 0 < fraction <= 100:
        raise UserError(f"--fraction {arguments.fraction}: must lie in (0, 100]")
    train = [row for row in read_csv(arguments.index) if row["split"] == "train"]
    if arguments.given_folder:
        folder = Path(arguments.given_folder)
        subset = match_given(train, folder, training_part(arguments.layout, folder))
        missing = {row["label"] for row in train} - {row["label"] for row in subset}
        if missing:
            raise UserError(
                f"{arguments.given_folder} holds no image of {sorted(missing)[0]}: "
                "add at least one of each class"
            )
    else:
        subset = draw_subset(train, arguments.fraction, arguments.seed)
    slide_of = {row["id"]: row for row in train} if arguments.keep_slides_whole else None
    subset = mark_validation(subset, arguments.validation_share, arguments.seed, slide_of)
    for label, count in sorted(Counter(row["label"] for row in subset).items()):
        masks = sum(row["mask"] == "1" for row in subset if row["label"] == label)
        logging.info("%s: %d images, %d masks", label, count, masks)
    if arguments.validation_share and all(row["part"] == "train" for row in subset):
        logging.info("too few images (or slides) of a class for validation: all are train")
    write_csv(arguments.subset, ["id", "label", "mask", "part"], subset)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
