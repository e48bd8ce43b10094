"""Reading per-image predictions, and the groups (slides) that their images come from."""

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.core.run_sheet import OWN_TEST_SET

#: With fewer groups than this, resampling whole groups is unreliable (Cameron, Gelbach & Miller 2008,
#: Rev Econ Stat 90:414): images are resampled one by one, and the results say so.
MINIMUM_GROUPS = 20


@dataclass(frozen=True)
class Predictions:
    """Predictions of one run, sorted by id; without rows when the run diverged.

    Attributes:
        ids: of the n images.
        labels, predicted: int (n,), places in ``classes``.
        probabilities: float (n, classes), or None where the file has no columns ``p_<class>``.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None
    classes: tuple[str, ...]

    @property
    def diverged(self) -> bool:
        return not self.ids


@dataclass(frozen=True)
class Units:
    """What is resampled: groups of images, or single images.

    Attributes:
        codes: int (n,), the unit of each image, 0 ... count - 1.
        groups: how many groups the images have, also where they are not the units.
    """

    codes: np.ndarray
    count: int
    groups: int

    @property
    def grouped(self) -> bool:
        """Whether the units are groups that hold more than an image each."""
        return MINIMUM_GROUPS <= self.groups < len(self.codes)


def read_predictions(path: Path | str) -> Predictions:
    """Read a CSV with the columns id, label, predicted and, mostly, p_<class>.

    Raises:
        UserError: the file is missing, lacks a column, names an unknown class or holds an id twice.
    """
    rows = sorted(read_csv(path), key=lambda row: row["id"])
    with Path(path).open(encoding="utf-8", newline="") as handle:
        header = next(csv.reader(handle), [])
    missing = [name for name in ("id", "label", "predicted") if name not in header]
    if missing:
        raise UserError(f"{path} has no column '{missing[0]}': delete it and run again")
    columns = [name for name in header if name.startswith("p_")]
    classes = tuple(name.removeprefix("p_") for name in columns) or tuple(
        sorted({row[key] for row in rows for key in ("label", "predicted")})
    )
    ids = tuple(row["id"] for row in rows)
    if len(set(ids)) < len(ids):
        raise UserError(f"{path} holds an image twice: delete it and run again")
    place_of = {name: place for place, name in enumerate(classes)}
    try:
        labels, predicted = (
            np.array([place_of[row[key]] for row in rows], dtype=np.int64)
            for key in ("label", "predicted")
        )
        values = np.array([[float(row[name]) for name in columns] for row in rows])
    except KeyError as error:
        raise UserError(f"{path} names the class {error}, which has no column p_{error}") from None
    except ValueError as error:
        raise UserError(f"{path}: a probability is no number ({error}): run again") from None
    return Predictions(ids, labels, predicted, values if columns and rows else None, classes)


def constant_predictions(labels: Mapping[str, str], answer: str) -> Predictions:
    """Predictions that give one answer for every image; ``labels``: id -> class."""
    classes = tuple(sorted({*labels.values(), answer}))
    ids = tuple(sorted(labels))
    truth = np.array([classes.index(labels[name]) for name in ids], dtype=np.int64)
    return Predictions(ids, truth, np.full(len(ids), classes.index(answer)), None, classes)


def majority_class(labels: Sequence[str]) -> str:
    """The most frequent label; of equals, the first by name."""
    return max(sorted(set(labels)), key=list(labels).count)


def groups_of(index: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Id -> group (slide) from an index; images whose names tell no slide are left out."""
    return {row["id"]: row["slide"] for row in index if row.get("slide")}


def units_of(ids: Sequence[str], groups: Mapping[str, str]) -> Units:
    """The units to resample some images by; an image without group is its own group.

    Single images where there are fewer than ``MINIMUM_GROUPS`` groups.
    """
    # A slide could have the name of an image.
    names = [f"group {groups[name]}" if name in groups else f"image {name}" for name in ids]
    found, codes = np.unique(np.array(names, dtype=str), return_inverse=True)
    if len(found) >= MINIMUM_GROUPS:
        return Units(codes, len(found), len(found))
    return Units(np.arange(len(ids)), len(ids), len(found))


def add_test_set_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the index of the target's images and the external test sets."""
    parser.add_argument("--index", required=True, help="CSV of index_images: labels and slides")
    parser.add_argument("--external", nargs="*", default=[], help="names of external test sets")
    parser.add_argument(
        "--external-indexes",
        nargs="*",
        default=[],
        help="their CSVs of index_images, in order; without, no slides",
    )


def test_set_groups(arguments: argparse.Namespace) -> dict[str, dict[str, str]]:
    """Test set -> groups of its images, by the arguments of :func:`add_test_set_arguments`.

    Raises:
        UserError: there are indexes, but not one for each external set.
    """
    names, paths = arguments.external, arguments.external_indexes
    if paths and len(paths) != len(names):
        raise UserError("--external-indexes must name one file for each of --external, or none")
    groups = {OWN_TEST_SET: groups_of(read_csv(arguments.index)), **{name: {} for name in names}}
    return groups | {
        name: groups_of(read_csv(path)) for name, path in zip(names, paths, strict=False)
    }
