"""The runs of the table, scored on one test set, and what they were trained on: what comparisons start from."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.core.fractions import fraction_text
from fewlabels.core.run_sheet import Run
from fewlabels.statistics.evaluation import Scored, score
from fewlabels.statistics.predictions import check_same_labels, read_predictions

#: (arm, fraction) -> its runs, and their scores on one test set; of a run without results its state.
Cells = dict[tuple[str, str], list[Run]]
Scores = dict[tuple[str, str], list[Scored | str]]


def load(results: Path, runs: Cells, test_set: str, groups: dict[str, str]) -> Scores:
    """Score every run on one test set; ``groups``: id -> slide.

    Raises:
        UserError: a file is missing or wrong, or two give one image different labels.
    """
    scores: Scores = {}
    read, names = [], []
    for cell, members in runs.items():
        scores[cell] = []
        for run in members:
            name = run.path("predictions", test_set=test_set)
            predictions = read_predictions(results / name)
            read.append(predictions)
            names.append(name)
            scores[cell].append(predictions.lost or score(predictions, groups))
    check_same_labels(read, names)
    return scores


@dataclass(frozen=True)
class TrainingImages:
    """What the runs of one arm and fraction train on: for each replicate a hash of the images, and their number."""

    hashes: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def labels(self) -> int:
        """How many images at most."""
        return max(self.counts)

    @property
    def mean(self) -> float:
        return sum(self.counts) / len(self.counts)


class TrainedOn:
    """What all runs train on; ``rows``: of count_labels."""

    def __init__(self, rows: Sequence[Mapping[str, str]]) -> None:
        self.members: dict[tuple[str, str], list[Mapping[str, str]]] = {}
        for row in rows:
            self.members.setdefault((row["arm"], row["fraction"]), []).append(row)

    def of(self, arm: str, fraction: str) -> TrainingImages:
        """Raises UserError where the table of labels lacks them."""
        rows = self.members.get((arm, fraction))
        if rows is None:
            raise UserError(
                f"--labels has no row of {arm} at {fraction_text(fraction)}: delete the table and run again"
            )
        return TrainingImages(
            tuple(row["subset"] for row in rows), tuple(int(row["labels"]) for row in rows)
        )


def add_pool_argument(parser: argparse.ArgumentParser) -> None:
    """Add what pools of training images a result is to hold for."""
    parser.add_argument(
        "--training-pool",
        choices=["this", "any"],
        default="this",
        help="any: intervals and tests of means hold for other pools of training images, too",
    )


def pool_size(arguments: argparse.Namespace) -> int | None:
    """How many training images the target's index has, if a result is to hold for other pools of them; else None."""
    if arguments.training_pool == "this":
        return None
    return sum(row["split"] == "train" for row in read_csv(arguments.index))


def shared_pool(training: TrainingImages, pool: int | None) -> float:
    """The share of a pool of so many training images that a run draws; 0 without a pool."""
    return min(training.labels / pool, 1.0) if pool else 0.0
