"""What the methods share that train an encoder on the training images of several data sets.

A share of each set's training images is held out, of labelled sets whole slides where they are known. Test and
validation images are not read, nor are labels of a set whose classes were not given.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.data.holdout import hold_out
from fewlabels.data.pictures import Key, open_pictures
from fewlabels.networks.checkpoints import description, save_checkpoint
from fewlabels.networks.encoder import Encoder
from fewlabels.training import run_files
from fewlabels.training.loop import ImageSet, image_set
from fewlabels.training.runtime import Runtime, add_compute_arguments
from fewlabels.training.stored_rows import stored_rows


@dataclass(frozen=True)
class Part:
    """Training images of one data set that are trained on, or held out.

    Attributes:
        rows: of the arrays of all sets laid end to end, int64 (n,).
        labels: places among the classes, int64 (n,); zeros for a set without classes.
        pictures: id, behind the name of its data set, and kind of each image.
    """

    rows: np.ndarray
    labels: np.ndarray
    pictures: tuple[Key, ...]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Source:
    """One data set: its classes (empty: its labels are not used), images to train on and held-out ones."""

    name: str
    classes: tuple[str, ...]
    train: Part
    held_out: Part


@dataclass(frozen=True)
class Sources:
    """Data sets and their packed images, uint8 (n, size, size, 3) each, which stay on disk."""

    sets: tuple[Source, ...]
    arrays: tuple[np.ndarray, ...]

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self.arrays[0].shape[1])

    @property
    def training_images(self) -> int:
        return sum(len(source.train) for source in self.sets)

    def images(self, part: Part, runtime: Runtime) -> ImageSet:
        """The images of one part, with its labels."""
        pixels = stored_rows(self.arrays, part.rows.tolist(), runtime.device)
        return image_set(pixels, part.labels, runtime, pictures=part.pictures)

    def union(self, part: str, runtime: Runtime) -> ImageSet:
        """The images of one part (``train`` or ``held_out``) of all sets; a label is the place of the image's set."""
        parts = [getattr(source, part) for source in self.sets]
        rows = np.concatenate([one.rows for one in parts])
        labels = np.repeat(np.arange(len(parts)), [len(one) for one in parts])
        pictures = tuple(chain.from_iterable(one.pictures for one in parts))
        return self.images(Part(rows, labels, pictures), runtime)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the data sets, the encoder to start from, the settings of training, and the files to write."""
    parser.add_argument("--datasets", nargs="+", required=True, help="names of the data sets")
    parser.add_argument("--indexes", nargs="+", required=True, help="CSV of index_images of each")
    parser.add_argument("--images", nargs="+", required=True, help=".npy of pack_images of each")
    parser.add_argument(
        "--classes",
        type=json.loads,
        default={},
        help="JSON: data set -> classes; of others no label is read",
    )
    parser.add_argument(
        "--held-out", type=float, required=True, help="share of each set's training images"
    )
    parser.add_argument("--start", required=True, help="checkpoint of the encoder to start from")
    parser.add_argument(
        "--encoder",
        type=json.loads,
        required=True,
        help='JSON: {"encoder": name, "trained": [block, ...] or "all", "batch_norm": "trained"}',
    )
    run_files.add_training_arguments(parser)
    run_files.add_result_arguments(parser, predictions=False)
    add_compute_arguments(parser)


def open_sources(
    arguments: argparse.Namespace, labels: Mapping[str, Mapping[str, str]] | None = None
) -> Sources:
    """Open the data sets that the command line names.

    Args:
        labels: data set -> id -> label, in place of the index's; images without one are not used.

    Raises:
        UserError: names and files do not match, sizes differ, or a set has too few training images.
    """
    names = arguments.datasets
    if not len(names) == len(arguments.indexes) == len(arguments.images):
        raise UserError("--datasets, --indexes and --images must be as many: give one of each")
    sets: list[Source] = []
    arrays: list[np.ndarray] = []
    for name, index, images in zip(names, arguments.indexes, arguments.images, strict=True):
        classes = tuple(arguments.classes.get(name, ()))
        rows = _training_rows(index, classes, (labels or {}).get(name))
        try:
            drawn = hold_out(rows, arguments.held_out, arguments.seed)
        except UserError as error:
            raise UserError(
                f"{index}: no share of {arguments.held_out:g} of its {len(rows)} training images can be held out: "
                f"take {name} out of `datasets`, or change `held_out`"
            ) from error
        pictures = open_pictures([images])
        start = sum(map(len, arrays))
        row_of = {key: start + row for key, row in pictures.row_of.items()}
        train, held_out = (
            _part(name, drawn, split, row_of, classes) for split in ("train", "test")
        )
        sets.append(Source(name, classes, train, held_out))
        arrays += pictures.arrays
    if len({array.shape[1:] for array in arrays}) > 1:
        raise UserError("the data sets' images differ in size: pack them anew with one images.size")
    return Sources(tuple(sets), tuple(arrays))


def _training_rows(
    index: str, classes: Sequence[str], labels: Mapping[str, str] | None
) -> list[dict[str, str]]:
    """The training rows of an index, with the labels that may be used and no others."""
    rows = [row for row in read_csv(index) if row["split"] == "train"]
    if labels is not None:
        return [row | {"label": labels[row["id"]]} for row in rows if row["id"] in labels]
    return rows if classes else [row | {"label": ""} for row in rows]


def _part(
    name: str,
    rows: Sequence[Mapping[str, str]],
    split: str,
    row_of: Mapping[Key, int],
    classes: Sequence[str],
) -> Part:
    chosen = [row for row in rows if row["split"] == split]
    labels = [classes.index(row["label"]) if classes else 0 for row in chosen]
    found = [row_of[row["id"], "plain"] for row in chosen]
    pictures = tuple((f"{name}/{row['id']}", "plain") for row in chosen)
    return Part(np.array(found, dtype=np.int64), np.array(labels, dtype=np.int64), pictures)


def load_start(arguments: argparse.Namespace, image_size: int) -> Encoder:
    """The encoder to start from, its blocks opened; the generator of random weights is seeded before."""
    torch.manual_seed(arguments.seed)
    [encoder] = run_files.load_encoders([arguments.encoder], [arguments.start], image_size).values()
    return encoder


def write_results(
    arguments: argparse.Namespace,
    encoder: Encoder,
    history: list[dict[str, float]],
    sources: Sources,
    runtime: Runtime,
    started: float,
) -> None:
    """Write the encoder's checkpoint (that of the last epoch), the history and the record."""
    metadata = {
        "model": run_files.name_of(arguments),
        **description(encoder),
        "image_size": sources.size,
        "resize": arguments.resize,
        "training": arguments.training.plain(),
        "seed": arguments.seed,
    }
    save_checkpoint(arguments.checkpoint, encoder.network.state_dict(), metadata)
    run_files.write_history(arguments.history, history)
    facts = {"training_images": sources.training_images, "epochs": run_files.epochs_made(history)}
    run_files.write_record(arguments.record, runtime, started, **facts)
