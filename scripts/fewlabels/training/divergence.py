"""What a training leaves whose numbers are no longer finite: the step, the images of its batch, and how to get there.

The file lies beside the checkpoint, as ``<checkpoint>.diverged.json``, and is no output of a rule, as Snakemake deletes
those of a failed job. ``scripts/replay_batch.py`` trains up to its step again.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_json
from fewlabels.data.pictures import Key
from fewlabels.training.unfinished import key_of

#: Ends the name of the file.
DIVERGED = ".diverged.json"
#: The number that is told of where there are several.
TRAIN_LOSS = "train_loss"
#: Images that a message names; the file names all.
NAMED = 3


class DivergedError(UserError):
    """A loss is no longer finite. ``history`` holds the epochs before."""

    def __init__(self, message: str, history: list[dict[str, float]]) -> None:
        super().__init__(message)
        self.history = history


@dataclass(frozen=True)
class Divergence:
    """Where the numbers of a training ceased to be finite.

    Attributes:
        what: the number that is not: ``train_loss``, or one of the evaluation behind the step.
        value: ``nan``, ``inf`` or ``-inf``.
        epoch: from 1; None where training has none.
        step: of the epoch, from 1: the first whose loss is not finite, or the last one before the evaluation.
        steps: optimiser steps up to this one, which is counted, from the beginning.
        rows: places of the batch's images in the training set.
    """

    what: str
    value: str
    epoch: int | None
    step: int
    steps: int
    rows: tuple[int, ...]

    def place(self, pictures: Sequence[Key]) -> str:
        """The step and its images in words: the first ones by their ids, or their places where they have none."""
        names = [pictures[row][0] if pictures else f"row {row}" for row in self.rows]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        first = "first in" if self.what == TRAIN_LOSS else "behind"
        return f"{first} step {self.step} with the images {', '.join(names[:NAMED])}{more}"


def divergence(
    what: str,
    value: float,
    losses: Sequence[float],
    batches: Sequence[Sequence[int]],
    steps_before: int = 0,
    epoch: int | None = None,
) -> Divergence:
    """Find the step.

    Args:
        losses: of the steps, in order.
        batches: rows of each step.
        steps_before: optimiser steps before the first of these.
    """
    wrong = (step for step, loss in enumerate(losses, start=1) if not math.isfinite(loss))
    step = next(wrong, len(losses))
    return Divergence(what, str(value), epoch, step, steps_before + step, tuple(batches[step - 1]))


class ReplayFile:
    """The file of one training; without a path, nothing is written.

    Args:
        arguments: of the training's command line.
        facts: of the machine.
    """

    def __init__(
        self,
        path: Path | None = None,
        arguments: argparse.Namespace | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.path, self.arguments, self.facts = path, arguments, facts

    def write(self, found: Divergence, pictures: Sequence[Key], learning_rate: float) -> str:
        """Write the file, and give how a message tells of it.

        Args:
            pictures: of the whole training set; empty where they have no names.
            learning_rate: of the settings.
        """
        if self.path is None or self.arguments is None:
            return ""
        told = asdict(found) | {
            "images": [pictures[row] for row in found.rows] if pictures else [],
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "seed": self.arguments.seed,
            "learning_rate": learning_rate,
            "inputs": key_of(self.arguments),
            "machine": self.facts,
        }
        write_json(self.path, told)
        return f" (`python scripts/replay_batch.py {self.path}` shows the batch)"


def replay_path(checkpoint: Path | str) -> Path:
    """Where the file of a training lies.

    >>> replay_path("models/replicate1/resnet_wbc_0.5.pt").as_posix()
    'models/replicate1/resnet_wbc_0.5.diverged.json'
    """
    return Path(checkpoint).with_suffix(DIVERGED)


def open_replay_file(arguments: argparse.Namespace, facts: dict[str, Any]) -> ReplayFile:
    """The file of a training that begins: that of an earlier one is removed."""
    path = replay_path(arguments.checkpoint)
    path.unlink(missing_ok=True)
    return ReplayFile(path, arguments, facts)


@dataclass(frozen=True)
class Told:
    """What the file says.

    Attributes:
        images: id and kind of each image of the batch; empty where they have no names.
        command: the training's script, and its words.
        inputs: a digest of all that the results depend on but for the machine.
        machine: device, precision, threads, versions.
    """

    found: Divergence
    images: tuple[Key, ...]
    command: tuple[str, ...]
    inputs: str
    machine: dict[str, Any]


def read_replay_file(path: Path | str) -> Told:
    """Read what :meth:`ReplayFile.write` wrote.

    Raises:
        UserError: it is no such file.
    """
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
        found = Divergence(
            **{name: told[name] for name in ("what", "value", "epoch", "step", "steps")},
            rows=tuple(told["rows"]),
        )
        images = tuple((name, kind) for name, kind in told["images"])
        return Told(found, images, tuple(told["command"]), told["inputs"], told["machine"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is no readable file of a training that diverged ({type(error).__name__}): give the one that its "
            "message names"
        ) from error
