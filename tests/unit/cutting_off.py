"""Trainings that are cut off at a chosen moment, as by a kill."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from fewlabels.training.unfinished import Unfinished


class KilledError(BaseException):
    """The process is gone: nothing of the workflow's catches this."""


@contextmanager
def at_step(number: int, how: type[BaseException] | signal.Signals) -> Iterator[None]:
    """Before the optimiser's step of this number (from 1) the process is killed, or gets a signal."""
    made = 0

    def count(_: torch.optim.Optimizer, *__: object) -> None:
        nonlocal made
        made += 1
        if made == number:
            if not isinstance(how, signal.Signals):
                raise how
            os.kill(os.getpid(), how)

    handle = register_optimizer_step_pre_hook(count)
    try:
        yield
    finally:
        handle.remove()


def keep_always(monkeypatch) -> None:
    """States are kept after each step, however long that takes."""
    monkeypatch.setattr(Unfinished, "is_due", lambda self: self.path is not None)


def keep_never(monkeypatch) -> None:
    """No state is kept as time passes."""
    monkeypatch.setattr(Unfinished, "is_due", lambda self: False)
