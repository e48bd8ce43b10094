"""Show the batch at which a training's numbers ceased to be finite, by training up to it once more.

A training that diverged names its file, <checkpoint>.diverged.json. Its command runs again from the beginning, in the
folder that it ran in, with the same inputs and settings; what it writes is thrown away. Printed are the step, its
learning rate and loss, since when gradients and weights are not finite, the module whose activations are the first that
are not, and per image of the batch
  loss    its own part of the loss, where that is a mean over images
  module  the first one whose activations of this image are not finite
Where the step or the images are others this time, or all is finite, that is the error, with what may be the reason.
"""

import argparse
import contextlib
import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.pretraining.settings import METHODS
from fewlabels.training.divergence import (
    TRAIN_LOSS,
    DivergedError,
    Told,
    read_replay_file,
    replay_path,
)
from fewlabels.training.replay import StepWatch, watched
from fewlabels.training.unfinished import WRITTEN

#: The scripts that train.
TRAINERS = ("train_classifier", "pretrain", "predict_masks")
#: Ways of pretraining that see each image in two views.
TWO_VIEWS = ("contrastive",)


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("file", help="<checkpoint>.diverged.json, which the training named")
    return parser


def parsed(command: Sequence[str]) -> tuple[ModuleType, argparse.Namespace]:
    """The script of a training, and what its words say.

    Raises:
        UserError: it is no script that trains.
    """
    script, *words = command
    name = Path(script).stem
    if name not in TRAINERS:
        raise UserError(f"{script} does not train: give a file that a training wrote")
    trainer = importlib.import_module(name)
    methods = [words.pop(0)] if name == "pretrain" and words[:1] and words[0] in METHODS else []
    return trainer, trainer.build_parser(*methods).parse_args(words)


def train_again(told: Told, folder: Path, watch: StepWatch) -> Told | None:
    """Run the training's command in this process, its outputs in ``folder``; what its own file says, if it diverged.

    Raises:
        UserError: an input is gone.
    """
    trainer, arguments = parsed(told.command)
    for option in WRITTEN:
        if getattr(arguments, option, None):
            setattr(arguments, option, str(folder / Path(getattr(arguments, option)).name))
    # From the beginning, and without a state to go on from.
    arguments.unfinished = None
    with watched(watch), contextlib.suppress(DivergedError):
        trainer.run(arguments)
    path = replay_path(arguments.checkpoint)
    return read_replay_file(path) if path.is_file() else None


def differences(told: Told, again: Told | None) -> str:
    """What differs between two trainings that should be the same, in words."""
    if again is None:
        return "inputs, settings, code, device or versions"
    named = [
        f"{name} {again.machine.get(name)} in place of {value}"
        for name, value in told.machine.items()
        if again.machine.get(name) != value
    ]
    inputs = ["inputs, settings or code"] if told.inputs != again.inputs else []
    return ", ".join(inputs + named) or "nothing that is known"


def lines_of(told: Told, watch: StepWatch) -> list[str]:
    """What was seen, in lines."""
    found = told.found
    epoch = f"epoch {found.epoch}, step {found.step} of it: " if found.epoch else ""
    rates = ", ".join(f"{rate:g}" for rate in watch.rates)
    since = {"gradients": ("in", watch.gradient), "weights": ("behind", watch.weight)}
    lines = [
        f"{epoch}step {found.steps} of the training, learning rate {rates}: loss {watch.loss}",
        *(
            f"{what}: not finite since {word} step {seen[0]}, the first is {seen[1]}"
            if seen
            else f"{what}: finite up to this step"
            for what, (word, seen) in since.items()
        ),
        f"activations: the first that are not finite are of {watch.module}"
        if watch.module
        else "activations: all finite",
    ]
    names = [f"{name} ({kind})" for name, kind in told.images] or [
        f"row {row}" for row in found.rows
    ]
    titles = ["image", *watch.losses, "module"]
    table = [titles] + [
        [
            name,
            *(f"{values[place]:g}" for values in watch.losses.values()),
            watch.module_of[place] or "-",
        ]
        for place, name in enumerate(names)
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return lines + [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def run(arguments: argparse.Namespace) -> None:
    told = read_replay_file(arguments.file)
    found = told.found
    views = 2 if told.command[1:2] and told.command[1] in TWO_VIEWS else 1
    watch = StepWatch(found.steps, len(found.rows), views, found.what != TRAIN_LOSS)
    with tempfile.TemporaryDirectory() as folder:
        again = train_again(told, Path(folder), watch)
    if again is None or (again.found, again.images) != (found, told.images):
        place = "stays finite" if again is None else f"diverges {again.found.place(())}"
        raise UserError(
            f"the training {place} this time, and not {found.place(())}: what differs may be {differences(told, again)}"
        )
    print("\n".join(lines_of(told, watch)))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
