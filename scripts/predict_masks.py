"""Predict the mask of every image of the target by a network that learnt from the masks of one subset.

A small U-Net is trained on those training images of the subset whose masks the subset uses, for a fixed number of
steps, and predicts the masks of all training and test images. Masks of test images are never read. Writes
  masks       uint8 array (.npy) of shape (n, size, size / 8), eight pixels in a byte (np.packbits), of all images of
              the index
  its table   CSV beside it: id, kind (predicted mask), row, foreground (share of the image), top, left, bottom, right
              (of the largest piece of the foreground; empty without foreground)
  scores      CSV, one row per class and one for all: fraction, label, masks (learnt from), held_out, dice, iou, state
              (why there are no numbers). Held out are the training images with masks that were not learnt from: their
              masks serve this measurement alone, and none are left where the subset uses all
  checkpoint  of the network, for external test sets
"""

import argparse
import logging
import time
from collections.abc import Iterator, Sequence

import numpy as np
from tqdm import tqdm

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import atomic_path, read_csv, write_csv
from fewlabels.core.fractions import fraction_text
from fewlabels.core.mask_settings import MaskNetwork
from fewlabels.data.mapped_arrays import new_array
from fewlabels.data.pictures import Pictures, open_pictures, table_of
from fewlabels.data.predicted_masks import TABLE_COLUMNS, mask_rows
from fewlabels.statistics.overlap import dice_and_iou
from fewlabels.training import run_files
from fewlabels.training.runtime import add_compute_arguments
from fewlabels.training.segmentation import predict_masks, save_unet, train_unet

SCORE_COLUMNS = ["fraction", "label", "masks", "held_out", "dice", "iou", "state"]
#: The row of all classes together.
ALL = ""
NONE_HELD_OUT = "no masks outside the subset"
#: Images that are read at a time.
CHUNK = 512


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--images", required=True, help=".npy of pack_images; its table is beside")
    parser.add_argument("--masks", required=True, help=".npy of pack_images")
    parser.add_argument("--subset", required=True, help="CSV of draw_subsets")
    parser.add_argument("--fraction", required=True, help="of the subset, for messages and scores")
    parser.add_argument(
        "--network",
        type=MaskNetwork.from_json,
        required=True,
        help="JSON with the keys of masks.predicted in the config, but for those of crops",
    )
    parser.add_argument("--seed", type=int, required=True, help="initialisation, order, views")
    parser.add_argument("--predicted", required=True, help=".npy to write, and its table beside it")
    parser.add_argument("--scores", required=True, help="CSV to write")
    parser.add_argument("--checkpoint", required=True, help=".pt to write")
    run_files.add_record_arguments(parser)
    add_compute_arguments(parser)
    return parser


def owned_masks(subset: Sequence[dict[str, str]], fraction: str) -> list[str]:
    """Ids of the training images whose masks a subset uses; not of those that it holds out for validation.

    Raises:
        UserError: there are none.
    """
    owned = [
        row["id"] for row in subset if row["mask"] == "1" and row.get("part", "train") == "train"
    ]
    if not owned:
        raise UserError(
            f"the subset of {fraction_text(fraction)} owns no mask to learn predicted masks from: take the fraction "
            "out of subsets, or the arms with predicted_masks out of experiment.arms"
        )
    return owned


def score_rows(
    fraction: str,
    learnt: Sequence[str],
    label_of: dict[str, str],
    overlaps: dict[str, tuple[float, float]],
) -> Iterator[dict[str, object]]:
    """Means over all held-out masks, then over those of each class.

    Args:
        overlaps: id of a held-out mask -> Dice and IoU.
    """
    for label in (ALL, *sorted({label_of[name] for name in [*learnt, *overlaps]})):
        here = [pair for name, pair in overlaps.items() if label in (ALL, label_of[name])]
        dice, iou = np.mean(here, axis=0).tolist() if here else (None, None)
        yield {
            "fraction": fraction,
            "label": label,
            "masks": sum(label in (ALL, label_of[name]) for name in learnt),
            "held_out": len(here),
            "dice": dice,
            "iou": iou,
            "state": "" if here else NONE_HELD_OUT,
        }


def pictures_of(source: Pictures, ids: Sequence[str], kind: str) -> np.ndarray:
    """Copies of some pictures."""
    return source.rows([(name, kind) for name in ids])


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = run_files.start_training(arguments)
    index = read_csv(arguments.index)
    images, masks = open_pictures([arguments.images]), open_pictures([arguments.masks])
    learnt = owned_masks(read_csv(arguments.subset), arguments.fraction)
    settings = arguments.network
    model = train_unet(
        pictures_of(images, learnt, "plain"),
        pictures_of(masks, learnt, "mask"),
        settings,
        runtime,
        arguments.seed,
        [(name, "plain") for name in learnt],
    )
    save_unet(arguments.checkpoint, model, settings, images.size)
    ids = [row["id"] for row in index]
    training = {row["id"] for row in index if row["split"] == "train"}
    measured = {name for name in training - set(learnt) if (name, "mask") in masks}
    rows: list[dict[str, object]] = []
    overlaps: dict[str, tuple[float, float]] = {}
    shape = (len(ids), images.size, images.size // 8)
    with atomic_path(arguments.predicted) as temporary:
        packed = new_array(temporary, shape, np.uint8)
        for first in tqdm(range(0, len(ids), CHUNK), disable=None):
            some = ids[first : first + CHUNK]
            pixels = pictures_of(images, some, "plain")
            found = np.concatenate(list(predict_masks(model, pixels, settings.size, runtime)))
            packed[first : first + CHUNK] = np.packbits(found, axis=-1)
            rows += mask_rows(some, found, first)
            here = [place for place, name in enumerate(some) if name in measured]
            if here:
                names = [some[place] for place in here]
                pairs = dice_and_iou(found[here], pictures_of(masks, names, "mask"))
                overlaps |= dict(zip(names, zip(*pairs, strict=True), strict=True))
        packed.flush()
        del packed
    write_csv(table_of(arguments.predicted), TABLE_COLUMNS, rows)
    label_of = {row["id"]: row["label"] for row in index}
    scores = list(score_rows(arguments.fraction, learnt, label_of, overlaps))
    logging.info(
        "%d masks learnt, %d held out: Dice %s", len(learnt), len(overlaps), scores[0]["dice"]
    )
    write_csv(arguments.scores, SCORE_COLUMNS, scores)
    facts = {
        "masks": len(learnt),
        "fraction": arguments.fraction,
        "replicate": str(arguments.seed),
    }
    run_files.write_record(arguments.record, runtime, started, **facts)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
