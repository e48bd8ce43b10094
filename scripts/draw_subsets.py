"""Choose the training images of one fraction and one replicate.

Writes a CSV with one row per image: id, label, mask (1 where the subset uses the image's mask), part (train, or
validation: not trained on, but used to choose the epoch; see --validation-share and fewlabels/data/subsets.py).
Drawn: nested and stratified, floor(fraction x images) images and floor(fraction x masks) masks of each class,
at least one image of each; or, with --fraction 5perclass, five of each class, or all where there are fewer
(see fewlabels/data/subsets.py). Given (--given-folder), in per cent alone: the images whose class and file name stand
in the training folders of <given folder>, in the layout of the full set, with the masks that stand there; the seed
plays no part. Each must be the same picture as in the full set.
Masks that are not applied (--masked-table: those without foreground) count as none.
"""

import argparse
import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.fractions import check_fraction, fraction_text, per_class_of
from fewlabels.data.datasets import scan_dataset
from fewlabels.data.given_subsets import match_given, require_settled, share_problems
from fewlabels.data.layouts import Layout
from fewlabels.data.subsets import draw_subset, mark_validation


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--fraction", required=True, help="per cent, in (0, 100], or <k>perclass")
    parser.add_argument("--seed", type=int, default=0, help="of the replicate")
    parser.add_argument("--given-folder", default="", help="take the images named there; else draw")
    parser.add_argument(
        "--layout",
        type=Layout.from_json,
        help="JSON with the keys of the full set's section of the config, for --given-folder",
    )
    parser.add_argument(
        "--key", default="datasets.*", help="of that section in the config, for messages"
    )
    parser.add_argument(
        "--policy",
        type=json.loads,
        default={},
        help="JSON: kind of problem of a given subset -> stop or warn",
    )
    parser.add_argument("--masked-table", help="CSV of apply_masks; else all masks are applied")
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


def run(arguments: argparse.Namespace) -> None:
    try:
        check_fraction(arguments.fraction)
    except UserError as error:
        raise UserError(f"--fraction {error}") from None
    index = read_csv(arguments.index)
    if arguments.masked_table:
        table = read_csv(arguments.masked_table)
        applied = {row["id"] for row in table if row["state"] == "applied"}
        index = [row if row["id"] in applied else {**row, "mask": ""} for row in index]
    train = [row for row in index if row["split"] == "train"]
    if arguments.given_folder:
        folder = Path(arguments.given_folder)
        if per_class_of(arguments.fraction) is not None:
            raise UserError(
                f"--fraction {arguments.fraction}: {folder} is a given subset, and these are in per cent"
            )
        layout = training_part(arguments.layout, folder)
        scan = scan_dataset(folder, layout, key=arguments.key)
        subset, problems = match_given(index, scan, folder)
        problems += share_problems(train, subset, arguments.fraction)
        require_settled(problems, arguments.policy, folder)
        missing = {row["label"] for row in train} - {row["label"] for row in subset}
        if missing:
            raise UserError(
                f"{folder} holds no image of {min(missing)}: add at least one of each class"
            )
    else:
        subset = draw_subset(train, arguments.fraction, arguments.seed)
    slide_of = {row["id"]: row for row in train} if arguments.keep_slides_whole else None
    try:
        subset = mark_validation(subset, arguments.validation_share, arguments.seed, slide_of)
    except UserError as error:
        place = f"subsets.validation_share, at {fraction_text(arguments.fraction)}"
        raise UserError(f"{place}: {error}, or take this fraction out") from None
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
