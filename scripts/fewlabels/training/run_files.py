"""What every training script shares: its images with or without masks, the trainer of classifiers, and its files."""

import argparse
import os
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fewlabels.core.errors import UserError
from fewlabels.core.files import beside, write_csv, write_json
from fewlabels.core.interruption import PARENT, STOP
from fewlabels.core.run_sheet import HISTORY_COLUMNS
from fewlabels.core.settings import TrainingSettings
from fewlabels.data.pictures import Key, Pictures, open_pictures
from fewlabels.data.predicted_masks import open_predicted_masks
from fewlabels.networks.checkpoints import (
    classifier_state,
    describe_encoders,
    load_encoder,
    save_checkpoint,
)
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Encoder
from fewlabels.networks.mask_channel import add_mask_channel, check_mask_is_learnt
from fewlabels.training.augmentation import predicted_views
from fewlabels.training.divergence import open_replay_file
from fewlabels.training.loop import ImageSet, image_set
from fewlabels.training.masked_pixels import MaskView
from fewlabels.training.runtime import Runtime, start
from fewlabels.training.stored_rows import StoredRows, stored_rows
from fewlabels.training.unfinished import open_unfinished
from fewlabels.training.work_meter import matrix_product_rate


@dataclass(frozen=True)
class Sample:
    """One image of a training or test set; ``use_mask``: whether its mask may be used."""

    id: str
    label: str
    use_mask: bool


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the packed images of one data set and their masked copies."""
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--images", required=True, help=".npy of pack_images; its table is beside")
    parser.add_argument("--masked", help=".npy of apply_masks (unless --mask-use off)")
    parser.add_argument(
        "--mask-use",
        choices=["off", "replace", "append"],
        default="off",
        help="the masked image in place of the image, or as one more training image",
    )


def add_predicted_mask_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the predicted masks of an arm that sees every image through them."""
    parser.add_argument("--predicted-masks", help=".npy of predict_masks; its table is beside")
    parser.add_argument(
        "--predicted-mask-use",
        choices=["replace", "crop", "channel"],
        help="with --predicted-masks, of every image: background black; cropped to the cell; a fourth channel",
    )
    parser.add_argument(
        "--crop-margin", type=float, default=0, help="of crop, as a share of the cell's longer side"
    )


def mask_view(arguments: argparse.Namespace) -> MaskView | None:
    """How predicted masks are seen, if they are; see :func:`add_predicted_mask_arguments`.

    Raises:
        UserError: what fits no predicted masks was given beside them, or no use of them.
    """
    if not arguments.predicted_masks:
        return None
    if not arguments.predicted_mask_use:
        raise UserError("--predicted-masks needs --predicted-mask-use")
    if arguments.mask_use != "off" or arguments.features:
        raise UserError(
            "--predicted-masks go neither with --mask-use nor with --features of other pixels: leave it out"
        )
    masks = open_predicted_masks(arguments.predicted_masks)
    return MaskView(masks, arguments.predicted_mask_use, arguments.crop_margin)


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the settings of training, the seed and how images were made square."""
    parser.add_argument(
        "--training",
        type=TrainingSettings.from_json,
        required=True,
        help="JSON with the keys of training.defaults in the config",
    )
    parser.add_argument("--seed", type=int, required=True, help="initialisation, order, views")
    parser.add_argument("--resize", required=True, help="how images became square, for the record")


def add_result_arguments(parser: argparse.ArgumentParser, predictions: bool = True) -> None:
    """Add the files to write."""
    parser.add_argument("--checkpoint", required=True, help=".pt to write")
    parser.add_argument("--history", required=True, help="CSV to write, one row per epoch")
    if predictions:
        parser.add_argument("--predictions", required=True, help="CSV to write, of the last epoch")
    add_record_arguments(parser)


def add_record_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every training writes of how it went: its record, and its state while it lasts."""
    parser.add_argument("--record", required=True, help="JSON to write: time, device, versions")
    parser.add_argument(
        "--unfinished",
        help="how the name of the file begins that the state of the training is kept in, until its results are written",
    )


def start_training(arguments: argparse.Namespace) -> Runtime:
    """Set this process up for a training that heeds signals, and goes on from where the same one was cut off."""
    STOP.listen()
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    unfinished = open_unfinished(arguments, runtime.device.type, str(runtime.precision))
    return replace(
        runtime, unfinished=unfinished, replay_file=open_replay_file(arguments, runtime.record())
    )


def pictures_used(samples: Sequence[Sample], source: Pictures, mask_use: str) -> list[Key]:
    """Which pictures of some samples are used: id, and ``plain`` or ``masked``.

    ``replace`` puts the masked image in the image's place, ``append`` adds it behind the others.
    """
    masked = [sample.use_mask and (sample.id, "masked") in source for sample in samples]
    if mask_use == "replace":
        kinds = ["masked" if has else "plain" for has in masked]
        return [(sample.id, kind) for sample, kind in zip(samples, kinds, strict=True)]
    plain = [(sample.id, "plain") for sample in samples]
    if mask_use == "append":
        return plain + [(s.id, "masked") for s, has in zip(samples, masked, strict=True) if has]
    return plain


def labels_of(
    pictures: Sequence[Key], samples: Sequence[Sample], classes: Sequence[str]
) -> np.ndarray:
    """Labels as places among the classes, int64 (n,)."""
    place_of = {label: place for place, label in enumerate(classes)}
    label_of = {sample.id: sample.label for sample in samples}
    return np.array([place_of[label_of[name]] for name, _ in pictures], dtype=np.int64)


def pixels_of(
    pictures: Sequence[Key], source: Pictures, runtime: Runtime, view: MaskView | None = None
) -> StoredRows:
    """The pixels of pictures: uint8 (size, size, 3) each, not read yet; seen through predicted masks, if wanted."""
    rows = [source.row_of[picture] for picture in pictures]
    pixels = stored_rows(source.arrays, rows, runtime.device)
    return view.of(pixels, [name for name, _ in pictures]) if view else pixels


def select(
    samples: Sequence[Sample],
    classes: Sequence[str],
    source: Pictures,
    mask_use: str,
    runtime: Runtime,
    settings: TrainingSettings,
    view: MaskView | None = None,
) -> ImageSet:
    """The image set of some samples, predicted as the settings of training say, through predicted masks if wanted."""
    pictures = pictures_used(samples, source, mask_use)
    labels = labels_of(pictures, samples, classes)
    pixels = pixels_of(pictures, source, runtime, view)
    return image_set(pixels, labels, runtime, views=predicted_views(settings), pictures=pictures)


def open_images(arguments: argparse.Namespace) -> Pictures:
    """Open what :func:`add_image_arguments` names.

    Raises:
        UserError: masks are to be used and their file was not given.
    """
    if arguments.mask_use == "off":
        return open_pictures([arguments.images])
    if not arguments.masked:
        raise UserError(f"--mask-use {arguments.mask_use} needs --masked")
    return open_pictures([arguments.images, arguments.masked])


def load_encoders(
    choices: Sequence[Mapping[str, Any]],
    checkpoints: Sequence[str],
    image_size: int,
    mask_channel: bool = False,
) -> dict[str, Encoder]:
    """Load encoders for images of some size, their blocks opened.

    Args:
        choices: per encoder ``encoder`` (its name), ``trained`` and ``batch_norm``.
        checkpoints: their files, in order.
        mask_channel: whether they take a mask as a fourth channel; see :mod:`fewlabels.networks.mask_channel`.

    Raises:
        UserError: a file fits no encoder, or not these images; a block is unknown; a mask would not be learnt from.
    """
    encoders = {}
    for choice, path in zip(choices, checkpoints, strict=True):
        encoder, _ = load_encoder(path, image_size)
        if mask_channel:
            add_mask_channel(encoder)
        encoder.open_blocks(choice["trained"], choice["batch_norm"])
        if mask_channel:
            check_mask_is_learnt(encoder)
        encoders[choice["encoder"]] = encoder
    return encoders


def test_mask_use(mask_use: str) -> str:
    """How masks are used on images that are evaluated: an appended copy would count an image twice."""
    return "off" if mask_use == "append" else mask_use


def split_samples(index: Sequence[dict[str, str]], split: str) -> list[Sample]:
    """Every image of one split of an index, with its mask where it has one."""
    return [
        Sample(row["id"], row["label"], bool(row["mask"])) for row in index if row["split"] == split
    ]


def write_history(path: Path | str, history: list[dict[str, float]]) -> None:
    """Write a history, one row per epoch."""
    write_csv(path, list(history[0]) if history else HISTORY_COLUMNS, history)


def epochs_made(history: list[dict[str, float]]) -> int:
    """Epochs that a training made, up to the last one evaluated: more than its settings say where `min_steps` asks."""
    return int(history[-1]["epoch"]) if history else 0


def write_predictions(
    path: Path | str,
    ids: Sequence[str],
    labels: Tensor | None,
    logits: Tensor | None,
    classes: Sequence[str],
) -> None:
    """Write one row per image: id, label, predicted, p_<class> (softmax, sums to 1); None: the header.

    Args:
        labels: int64 (n,).
        logits: float (n, classes).
    """
    columns = [f"p_{name}" for name in classes]
    if labels is None or logits is None:
        write_csv(path, ["id", "label", "predicted", *columns], [])
        return
    probabilities = logits.softmax(1).cpu().numpy()
    rows = (
        {
            "id": name,
            "label": classes[label],
            "predicted": classes[int(values.argmax())],
            **dict(zip(columns, map(float, values), strict=True)),
        }
        for name, label, values in zip(ids, labels.tolist(), probabilities, strict=True)
    )
    write_csv(path, ["id", "label", "predicted", *columns], rows)


def classifier_metadata(
    arguments: argparse.Namespace, classes: Sequence[str], model: Classifier, image_size: int
) -> dict:
    """Plain facts that a checkpoint needs to be used again: classes, sizes, encoders, recipe."""
    seen = (
        {
            "use": arguments.predicted_mask_use,
            "crop_margin": arguments.crop_margin,
            # What predict_masks wrote beside the masks.
            "network": beside(
                Path(arguments.predicted_masks).with_suffix(".pt"), arguments.checkpoint
            ),
        }
        if getattr(arguments, "predicted_masks", None)
        else None
    )
    return {
        "model": name_of(arguments),
        "classes": list(classes),
        "image_size": image_size,
        "resize": arguments.resize,
        "encoders": describe_encoders(model),
        "mask_use": getattr(arguments, "mask_use", "off"),
        **({"predicted_masks": seen} if seen else {}),
        "training": arguments.training.plain(),
        "seed": arguments.seed,
        "state": "complete",
    }


def name_of(arguments: argparse.Namespace) -> str:
    """The name of the model that a script trains: that of its checkpoint's file."""
    return Path(arguments.checkpoint).stem


def save_classifier(path: str, model: Classifier, metadata: dict) -> None:
    """Write a classifier's checkpoint."""
    save_checkpoint(path, classifier_state(model), metadata)


def write_record(path: Path | str, runtime: Runtime, started: float, **facts: object) -> None:
    """Write what differs from run to run: time since ``started`` (perf_counter), work, device, versions. It is the last
    file of a training; time and work are of all parts that led to its results."""
    seconds = runtime.unfinished.seconds + time.perf_counter() - started
    record = runtime.record() | {
        "seconds": round(seconds, 3),
        "continued": runtime.unfinished.continued,
        "images": runtime.meter.images,
        "images_per_second": round(runtime.meter.images / seconds, 3),
        **{
            f"{kind}_images_per_second": round(images / spent, 3)
            for kind, (images, spent) in runtime.meter.parts.items()
        },
        "flops": runtime.meter.flops,
        "matrix_product_flops_per_second": matrix_product_rate(runtime.device, runtime.precision),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        **facts,
    }
    if runtime.device.type == "cuda":
        record["peak_gpu_mb"] = round(torch.cuda.max_memory_allocated(runtime.device) / 1e6, 1)
    write_json(path, record)
    # Under Snakemake it stays until that has taken note of the results (workflow/leftovers.py).
    if PARENT not in os.environ:
        runtime.unfinished.remove()
