"""Reading per-image predictions, and the groups (slides) that their images come from."""

import argparse
import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fewlabels.core.errors import UserError
from fewlabels.core.failed_runs import FAILED
from fewlabels.core.files import read_csv
from fewlabels.core.run_sheet import OWN_TEST_SET

#: State of a run whose loss was no longer finite.
DIVERGED = "diverged"
#: With fewer effective units than this no interval of a mean and no verdict is given.
LEAST_EFFECTIVE = 5
#: Probabilities of an image may differ from 1 in sum by so much: they are written with few digits.
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Predictions:
    """Predictions of one run, sorted by id; without rows when the run diverged or failed.

    Attributes:
        ids: of the n images.
        labels, predicted: int (n,), places in ``classes``.
        probabilities: float (n, classes), or None where the file has no columns ``p_<class>``.
        failed: why the run failed; "" where it did not.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None
    classes: tuple[str, ...]
    failed: str = ""

    @property
    def diverged(self) -> bool:
        return not self.ids and not self.failed

    @property
    def lost(self) -> str:
        """The state of a run that has no results; "" of others."""
        if self.failed:
            return f"{FAILED}: {self.failed}"
        return DIVERGED if self.diverged else ""


def lost_runs(states: Sequence[str]) -> str:
    """How many of some runs diverged or failed, from their states; "" where none did.

    >>> lost_runs(["", "failed: error: no memory", "diverged"]), lost_runs(["", "no probabilities"])
    ('1 of 3 diverged, 1 of 3 failed', '')
    """
    kinds = [state.partition(":")[0] for state in states]
    return ", ".join(
        f"{kinds.count(kind)} of {len(states)} {kind}"
        for kind in (DIVERGED, FAILED)
        if kind in kinds
    )


@dataclass(frozen=True)
class Units:
    """What is resampled: groups of images (slides); an image without one is its own unit.

    Attributes:
        codes: int (n,), the unit of each image, 0 ... count - 1.
    """

    codes: np.ndarray
    count: int

    @property
    def grouped(self) -> bool:
        """Whether some unit holds more than an image."""
        return self.count < len(self.codes)

    @cached_property
    def effective(self) -> float:
        """How many units of equal size they are worth: (sum n)^2 / sum n^2, n the images of a unit (Kish 1965)."""
        sizes = np.bincount(self.codes).astype(float)
        return float(sizes.sum() ** 2 / (sizes**2).sum())


def read_predictions(path: Path | str, name: str = "id") -> Predictions:
    """Read a CSV with the columns id, label, predicted and, mostly, p_<class>.

    Args:
        name: the column that tells images apart.

    Raises:
        UserError: the file is missing, lacks a column, names an unknown class or holds an id twice; its
            probabilities are none, do not sum to 1 or speak for another class than the predicted one.
    """
    unsorted = read_csv(path)
    with Path(path).open(encoding="utf-8", newline="") as handle:
        header = next(csv.reader(handle), [])
    missing = [column for column in (name, "label", "predicted") if column not in header]
    if missing:
        raise UserError(f"{path} has no column '{missing[0]}': delete it and run again")
    failed = "; ".join(row[FAILED] for row in unsorted) if FAILED in header else ""
    rows = [] if failed else sorted(unsorted, key=lambda row: row[name])
    columns = [column for column in header if column.startswith("p_")]
    classes = tuple(column.removeprefix("p_") for column in columns) or tuple(
        sorted({row[key] for row in rows for key in ("label", "predicted")})
    )
    ids = tuple(row[name] for row in rows)
    if len(set(ids)) < len(ids):
        raise UserError(f"{path} holds an image twice: delete it and run again")
    place_of = {label: place for place, label in enumerate(classes)}
    try:
        labels, predicted = (
            np.array([place_of[row[key]] for row in rows], dtype=np.int64)
            for key in ("label", "predicted")
        )
        values = np.array([[float(row[column]) for column in columns] for row in rows])
    except KeyError as error:
        raise UserError(f"{path} names the class {error}, which has no column p_{error}") from None
    except ValueError as error:
        raise UserError(f"{path}: a probability is no number ({error}): run again") from None
    if not columns or not rows:
        return Predictions(ids, labels, predicted, None, classes, failed)
    if wrong := _wrong_probabilities(values, predicted, ids, classes):
        raise UserError(f"{path}: {wrong}: delete it and run again")
    return Predictions(ids, labels, predicted, values, classes)


def _wrong_probabilities(
    values: np.ndarray, predicted: np.ndarray, ids: Sequence[str], classes: Sequence[str]
) -> str:
    """What is wrong with probabilities, float (n, classes); "" if nothing is."""
    bad = ~(np.isfinite(values) & (values >= 0) & (values <= 1 + SUM_TOLERANCE)).all(1)
    if bad.any():
        return f"image {ids[int(bad.argmax())]} has a probability that is none"
    off = abs(values.sum(1) - 1) > SUM_TOLERANCE
    if off.any():
        place = int(off.argmax())
        return f"the probabilities of image {ids[place]} sum to {values[place].sum():.4g}, not 1"
    other = values[np.arange(len(values)), predicted] < values.max(1)
    if other.any():
        place = int(other.argmax())
        likeliest = classes[int(values[place].argmax())]
        return f"image {ids[place]} is predicted as {classes[predicted[place]]}, and its likeliest class is {likeliest}"
    return ""


def check_same_labels(runs: Iterable[Predictions], names: Iterable[str]) -> None:
    """Refuse runs that were scored against other labels of the same images.

    Args:
        names: of the runs, for the message.

    Raises:
        UserError: an image has two labels.
    """
    known: dict[str, tuple[str, str]] = {}
    seen: set[tuple] = set()
    for run, name in zip(runs, names, strict=True):
        labels = tuple(run.classes[code] for code in run.labels)
        if (run.ids, labels) in seen:
            continue
        seen.add((run.ids, labels))
        for image, label in zip(run.ids, labels, strict=True):
            other, first = known.setdefault(image, (label, name))
            if other != label:
                raise UserError(
                    f"image {image} is {other} in {first} and {label} in {name}: delete both and run again"
                )


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
    """The units to resample some images by: their groups; an image without group is its own."""
    # A slide could have the name of an image.
    names = [f"group {groups[name]}" if name in groups else f"image {name}" for name in ids]
    found, codes = np.unique(np.array(names, dtype=str), return_inverse=True)
    return Units(codes, len(found))


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
