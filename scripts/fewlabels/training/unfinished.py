"""Trainings that were cut off go on from their last kept state, in the same bytes as if they never had been.

The state lies in one file, which is replaced as a whole: networks, optimiser, schedule, means of weights, generators,
the order of the epoch's images and the place in it. It belongs to one command line with the contents of its files, and
to the code and the torch that it ran with: whatever of these changes, training starts anew. It is no output of a rule,
as Snakemake deletes those of a failed job; it goes with the results of the training.
"""

import argparse
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from fewlabels.core.errors import is_out_of_memory
from fewlabels.core.files import atomic_path
from fewlabels.core.fingerprints import canonical_json, scripts_hash, sha256_of_text
from fewlabels.core.identities import identity_of
from fewlabels.core.interruption import STOP, StoppedError
from fewlabels.core.settings import Section
from fewlabels.core.state_files import KEY_DIGITS, state_file, states_of
from fewlabels.training.work_meter import WorkMeter

#: Keeping states takes no more than this share of the time.
SHARE = 0.02
#: What is taken for the seconds of the first one: of a file system's latency, and per byte.
LATENCY, PER_BYTE = 0.01, 1 / 200e6
SCRIPTS = Path(__file__).parents[2]
#: Options that name what a training writes, or where its state is kept.
WRITTEN = (
    *("checkpoint", "history", "predictions", "validation", "record", "reconstructions"),
    *("predicted", "scores", "unfinished"),
)

State = dict[str, Any]
Row = dict[str, float]


class Stateful(Protocol):
    """What has a state that can be kept: networks, optimisers, schedules, and more."""

    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state: Any) -> Any: ...


class Unfinished:
    """The file of one training's state; without a path, nothing is kept.

    Attributes:
        seconds: that went into what the state holds, before this process.
        continued: how often the training was gone on with.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.seconds = 0.0
        self.continued = 0
        self._started = self._last = time.perf_counter()
        self._cost = LATENCY

    def load(self) -> State | None:
        """The state to go on from; None, with a line in the log where a file can't be read, if there is none."""
        if self.path is None or not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            self.seconds, self.continued = float(state["seconds"]), int(state["continued"]) + 1
            return state["parts"]
        except Exception as error:  # torch and pickle raise many types on a broken file
            if is_out_of_memory(error):
                raise
            logging.warning(
                "%s is no readable state (%s): training starts anew",
                self.path,
                type(error).__name__,
            )
            return None

    def expect(self, size: int) -> None:
        """Say how many bytes a state will have: what keeping it costs before the first was kept."""
        self._cost = LATENCY + size * PER_BYTE

    def is_due(self) -> bool:
        """Whether enough time has passed that keeping the state takes little of it."""
        waited = time.perf_counter() - self._last
        return self.path is not None and waited >= self._cost / SHARE

    def save(self, parts: State) -> None:
        """Keep a state in place of the last one."""
        if self.path is None:
            return
        started = time.perf_counter()
        seconds = self.seconds + started - self._started
        state = {"parts": parts, "seconds": seconds, "continued": self.continued}
        # By a file of Python's own: only that tells of a full disk.
        with atomic_path(self.path) as temporary, temporary.open("wb") as handle:
            torch.save(state, handle)
        self._last = time.perf_counter()
        self._cost = self._last - started
        logging.debug("state kept in %.3f s", self._cost)

    def remove(self) -> None:
        """Remove the state, as the results are written."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def open_unfinished(arguments: argparse.Namespace, *more: str) -> Unfinished:
    """The state of a command line, in a file whose name begins as ``arguments.unfinished`` says; states of the same
    training with other inputs are removed.

    Args:
        more: what else the results depend on.
    """
    if not arguments.unfinished:
        return Unfinished()
    wanted = state_file(arguments.unfinished, key_of(arguments, *more))
    for path in states_of(arguments.unfinished):
        if path != wanted:
            logging.info("%s is of other inputs or settings: removed", path.name)
            path.unlink(missing_ok=True)
    return Unfinished(wanted)


def key_of(arguments: argparse.Namespace, *more: str) -> str:
    """A digest of everything that a training's results depend on."""
    given = {name: plain(value) for name, value in vars(arguments).items() if name not in WRITTEN}
    facts = [given, scripts_hash(SCRIPTS), torch.__version__, *more]
    return sha256_of_text(canonical_json(facts))[:KEY_DIGITS]


def plain(value: Any) -> Any:
    """A value of a command line as JSON has it, files by what they are."""
    if isinstance(value, Section):
        return value.plain()
    if isinstance(value, str | Path):
        return [str(value), identity_of(value)] if os.path.isfile(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, Sequence):
        return [plain(one) for one in value]
    return value


class Trained:
    """The part of a network's state that training changes: all but the weights of frozen blocks, which its inputs hold.

    Args:
        network: whose state it is, or the mean of its weights.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.frozen = {
            name for name, value in network.named_parameters() if not value.requires_grad
        }

    def state_dict(self) -> State:
        state = self.network.state_dict()
        return {name: value for name, value in state.items() if name not in self.frozen}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.network.load_state_dict(self.network.state_dict() | dict(state))


class Generators:
    """The generators that training draws from: its own, and torch's for what networks draw (dropout)."""

    def __init__(self, own: torch.Generator, device: torch.device) -> None:
        self.own, self.device = own, device

    def state_dict(self) -> State:
        state = {"own": self.own.get_state(), "torch": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.device)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.own.set_state(state["own"])
        torch.set_rng_state(state["torch"])
        if "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"], self.device)


class Position:
    """How far a training has come.

    Attributes:
        epoch: the one it is in, from 1.
        step: how many of the epoch's steps are made.
        order: places of the epoch's images, int64 (n,); None before it is drawn.
        losses: of the epoch's steps, float32 (batches,), on the device.
        loss_sum, right: over the epoch's images so far, on the device; ``right`` is None where nothing can be right.
        row: epoch, steps, loss and accuracy of an epoch whose steps are all made, but that is not evaluated yet.
        history: rows of the epochs before.
    """

    def __init__(self, device: torch.device, batches: int) -> None:
        self.device, self.batches = device, batches
        self.epoch = 1
        self.history: list[Row] = []
        self._begin()

    def _begin(self) -> None:
        self.step = 0
        self.order: Tensor | None = None
        # Kept and summed on the device; the sum is read once per epoch, the others where it is not finite.
        self.losses = torch.zeros(self.batches, device=self.device)
        self.loss_sum = torch.zeros((), device=self.device)
        self.right: Tensor | None = None
        self.row: Row = {}

    def after_step(self, loss: Tensor, right: Tensor | None, images: int) -> None:
        """Take in the mean loss and the right answers of a step."""
        self.losses[self.step] = loss.detach()
        self.step += 1
        self.loss_sum += loss.detach() * images
        if right is not None:
            self.right = right if self.right is None else self.right + right

    def end_epoch(self, steps: int, images: int) -> None:
        """All steps of an epoch are made, so many of the whole training."""
        self.row = {
            **{"epoch": self.epoch, "steps": steps},
            "train_loss": self.loss_sum.item() / images,
        }
        if self.right is not None:
            self.row["train_accuracy"] = self.right.item() / images

    def losses_and_rows(self) -> tuple[list[float], list[list[int]]]:
        """The loss and the rows of each step of an epoch whose steps are all made."""
        rows = cast(Tensor, self.order).tensor_split(self.batches)
        return self.losses.tolist(), [batch.tolist() for batch in rows]

    def next_epoch(self, row: Row | None) -> None:
        """Go on to the next one; ``row``: what to write of this one."""
        if row:
            # NumPy's numbers are none that a state may hold.
            plain_row = {
                key: value if isinstance(value, int) else float(value) for key, value in row.items()
            }
            self.history.append(plain_row)
        self.epoch += 1
        self._begin()

    def state_dict(self) -> State:
        names = ("epoch", "step", "order", "losses", "loss_sum", "right", "row", "history")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: State) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self.losses, self.loss_sum = self.losses.to(self.device), self.loss_sum.to(self.device)
        if self.right is not None:
            self.right = self.right.to(self.device)


def bytes_in(state: Any) -> int:
    """How many bytes of tensors a state holds."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    inner = state.values() if isinstance(state, Mapping) else state
    return sum(map(bytes_in, inner)) if isinstance(state, Mapping | list | tuple) else 0


class Keeper:
    """Keeps the state of a training as it goes on, and where it is asked to leave.

    Args:
        parts: all that a step depends on and changes.
    """

    def __init__(self, unfinished: Unfinished, parts: Mapping[str, Stateful]) -> None:
        self.unfinished, self.parts = unfinished, parts
        # An optimiser has up to two moments of each weight, but none before the first step.
        held = sum(bytes_in(part.state_dict()) for part in parts.values())
        unfinished.expect(held + 2 * bytes_in(parts["model"].state_dict()))

    def resume(self) -> bool:
        """Go on from the kept state, if there is one."""
        state = self.unfinished.load()
        if state is None:
            return False
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        return True

    def between_steps(self) -> None:
        """Keep the state where it is time to.

        Raises:
            StoppedError: the process was asked to leave.
        """
        STOP.heed()
        if self.unfinished.is_due():
            self._save()

    @contextmanager
    def keeps_when_stopped(self, meter: WorkMeter) -> Iterator[None]:
        """Within, no signal interrupts a step: the process leaves between steps, or between batches of an evaluation,
        and its state is kept."""
        meter.before_batch = STOP.heed
        try:
            with STOP.waits():
                yield
        except StoppedError:
            self._save()
            raise
        finally:
            meter.before_batch = None

    def _save(self) -> None:
        self.unfinished.save({name: part.state_dict() for name, part in self.parts.items()})
