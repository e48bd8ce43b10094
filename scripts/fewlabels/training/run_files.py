"""What every classifier's training script shares: its images with or without masks, and its files."""

import argparse
import json
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv, write_json
from fewlabels.data.packed_images import PackedImages, load_mapped, open_packed
from fewlabels.networks.checkpoints import MEAN, STD, classifier_state, save_checkpoint
from fewlabels.networks.encoders import Classifier
from fewlabels.training.loop import (
    ImageSet,
    TrainingSettings,
    image_set,
    predict,
    settings_from_json,
    settings_metadata,
)
from fewlabels.training.runtime import Runtime
from fewlabels.training.stored_rows import StoredRows, stored_rows
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
    parser.add_argument("--images", required=True, help=".npy of pack_images")
    parser.add_argument("--ids", required=True, help="CSV of pack_images")
    parser.add_argument("--masked", help=".npy of apply_masks (unless --mask-use off)")
    parser.add_argument("--masked-ids", help="CSV of apply_masks (unless --mask-use off)")
    parser.add_argument(
        "--mask-use",
        choices=["off", "replace", "append"],
        default="off",
        help="the masked image in place of the image, or as one more training image",
    )


def add_training_arguments(parser: argparse.ArgumentParser, classes: bool = True) -> None:
    """Add the classes, the settings of training, the seed and how images were made square."""
    if classes:
        parser.add_argument("--classes", nargs="+", required=True, help="in the order of outputs")
    parser.add_argument(
        "--training",
        type=settings_from_json,
        required=True,
        help="JSON with the keys of a training section of the config",
    )
    parser.add_argument("--seed", type=int, required=True, help="initialisation, order, views")
    parser.add_argument("--resize", required=True, help="how images became square, for the record")


def add_result_arguments(parser: argparse.ArgumentParser, predictions: bool = True) -> None:
    """Add the files to write."""
    parser.add_argument("--checkpoint", required=True, help=".pt to write")
    parser.add_argument("--history", required=True, help="CSV to write, one row per epoch")
    if predictions:
        parser.add_argument("--predictions", required=True, help="CSV to write, of the last epoch")
    parser.add_argument("--record", required=True, help="JSON to write: time, device, versions")


def open_masked(array: str, ids: str) -> PackedImages:
    """Open the array of apply_masks; ids whose mask was not applied are absent."""
    rows = [row for row in read_csv(ids) if row["state"] == "applied"]
    return PackedImages(load_mapped(array), {row["id"]: int(row["row"]) for row in rows})


def picture_of(
    samples: Sequence[Sample], masked: PackedImages | None, mask_use: str
) -> list[tuple[Sample, str]]:
    """Which picture of each sample is used, ``plain`` or ``masked``.

    ``replace`` puts the masked image in the image's place, ``append`` adds it behind the others.
    """
    usable = [s.use_mask and masked is not None and s.id in masked for s in samples]
    if mask_use == "replace":
        return [(s, "masked" if has else "plain") for s, has in zip(samples, usable, strict=True)]
    plain = [(s, "plain") for s in samples]
    if mask_use == "append":
        return plain + [(s, "masked") for s, has in zip(samples, usable, strict=True) if has]
    return plain


def labels_of(pictures: Sequence[tuple[Sample, str]], classes: Sequence[str]) -> np.ndarray:
    """Labels as places among the classes, int64 (n,)."""
    place_of = {label: place for place, label in enumerate(classes)}
    return np.array([place_of[sample.label] for sample, _ in pictures], dtype=np.int64)


def pixels_of(
    pictures: Sequence[tuple[Sample, str]],
    images: PackedImages,
    masked: PackedImages | None,
    runtime: Runtime,
) -> StoredRows:
    """The pixels of pictures: uint8 (size, size, 3) each, not read yet."""
    rows = [
        len(images.array) + masked.row_of[sample.id]
        if kind == "masked"
        else images.row_of[sample.id]
        for sample, kind in pictures
    ]
    arrays = [images.array] if masked is None else [images.array, masked.array]
    return stored_rows(arrays, rows, runtime.device)


def select(
    samples: Sequence[Sample],
    classes: Sequence[str],
    images: PackedImages,
    masked: PackedImages | None,
    mask_use: str,
    runtime: Runtime,
) -> ImageSet:
    """The image set of some samples."""
    pictures = picture_of(samples, masked, mask_use)
    pixels = pixels_of(pictures, images, masked, runtime)
    return image_set(pixels, labels_of(pictures, classes), runtime)


def open_images(arguments: argparse.Namespace) -> tuple[PackedImages, PackedImages | None]:
    """Open what :func:`add_image_arguments` names.

    Raises:
        UserError: masks are to be used and their files were not given.
    """
    images = open_packed(arguments.images, arguments.ids)
    if arguments.mask_use == "off":
        return images, None
    if not (arguments.masked and arguments.masked_ids):
        raise UserError(f"--mask-use {arguments.mask_use} needs --masked and --masked-ids")
    return images, open_masked(arguments.masked, arguments.masked_ids)


def test_mask_use(mask_use: str) -> str:
    """How masks are used on images that are evaluated: an appended copy would count an image twice."""
    return "off" if mask_use == "append" else mask_use


def split_samples(index: Sequence[dict[str, str]], split: str) -> list[Sample]:
    """Every image of one split of an index, with its mask where it has one."""
    return [
        Sample(row["id"], row["label"], bool(row["mask"])) for row in index if row["split"] == split
    ]


#: Columns of a history without any epoch.
HISTORY_COLUMNS = ["epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy"]


def write_history(path: Path | str, history: list[dict[str, float]]) -> None:
    """Write a history, one row per epoch."""
    write_csv(path, list(history[0]) if history else HISTORY_COLUMNS, history)


def write_predictions(
    path: Path | str,
    ids: Sequence[str],
    images: ImageSet | None,
    classes: Sequence[str],
    model: Classifier,
    runtime: Runtime,
) -> None:
    """Write one row per image: id, label, predicted, p_<class> (softmax, sums to 1); no images: the header."""
    columns = [f"p_{name}" for name in classes]
    if images is None:
        write_csv(path, ["id", "label", "predicted", *columns], [])
        return
    probabilities = predict(model, images, runtime).softmax(1).cpu().numpy()
    labels = images.labels.cpu().numpy()
    rows = (
        {
            "id": ids[place],
            "label": classes[labels[place]],
            "predicted": classes[int(values.argmax())],
            **dict(zip(columns, map(float, values), strict=True)),
        }
        for place, values in enumerate(probabilities)
    )
    write_csv(path, ["id", "label", "predicted", *columns], rows)


def classifier_metadata(
    arguments: argparse.Namespace,
    settings: TrainingSettings,
    encoders: Sequence[dict],
    image_size: int,
) -> dict:
    """Plain facts that a checkpoint needs to be used again: classes, sizes, normalisation, recipe."""
    return {
        "model": Path(arguments.checkpoint).stem,
        "classes": list(arguments.classes),
        "image_size": image_size,
        "resize": arguments.resize,
        "normalisation": {"mean": list(MEAN), "std": list(STD)},
        "encoders": list(encoders),
        "mask_use": getattr(arguments, "mask_use", "off"),
        "training": settings_metadata(settings),
        "seed": arguments.seed,
        "state": "complete",
    }


def save_classifier(path: str, model: Classifier, metadata: dict) -> None:
    """Write a classifier's checkpoint."""
    save_checkpoint(path, classifier_state(model), metadata)


def write_record(path: Path | str, runtime: Runtime, started: float, **facts: object) -> None:
    """Write what differs from run to run: time since ``started`` (perf_counter), work, device, versions."""
    seconds = time.perf_counter() - started
    record = runtime.record() | {
        "seconds": round(seconds, 3),
        "images": runtime.meter.images,
        "images_per_second": round(runtime.meter.images / seconds, 3),
        **{
            f"{kind}_images_per_second": round(images / spent, 3)
            for kind, (images, spent) in runtime.meter.parts.items()
        },
        "flops": runtime.meter.flops,
        "matrix_product_flops_per_second": matrix_product_rate(runtime),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        **facts,
    }
    if runtime.device.type == "cuda":
        record["peak_gpu_mb"] = round(torch.cuda.max_memory_allocated(runtime.device) / 1e6, 1)
    write_json(path, record)


def parse_encoders(text: str) -> list[dict]:
    """Read the JSON list of an arm's encoders: ``[{"encoder": ..., "trained": [...]}, ...]``."""
    return json.loads(text)
