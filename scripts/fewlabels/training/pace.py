"""What a training's log says of how far it is, and how long it will take."""

import logging
import time

from fewlabels.training.unfinished import Position

#: Seconds after which something is said, where no epoch was evaluated in the meantime.
EVERY = 30.0


class Pace:
    """How fast a training goes, counted from where this process took it up.

    Args:
        epochs: of the whole training.
        position: how far it is; read, not changed.
    """

    def __init__(self, epochs: int, position: Position) -> None:
        self.epochs, self.position = epochs, position
        self.started = self.said = time.perf_counter()
        self.before = self._steps()

    def _steps(self) -> int:
        """How many are made in all."""
        return (self.position.epoch - 1) * self.position.batches + self.position.step

    def seconds_left(self) -> float:
        """Until the last step; evaluations are taken to come as often as they did."""
        steps = self._steps()
        left = self.epochs * self.position.batches - steps
        return (time.perf_counter() - self.started) / max(1, steps - self.before) * left

    def after_step(self) -> None:
        """Say how far it is, if nothing was said for :data:`EVERY` seconds."""
        if time.perf_counter() - self.said < EVERY:
            return
        position = self.position
        # A GPU is waited for, but seldom.
        loss = position.losses[: position.step].mean().item()
        step = f"step {position.step} of {position.batches}"
        self.say(position.epoch, f"train_loss {loss:.4f}, {step}")

    def say(self, epoch: int, values: str) -> None:
        """A line about an epoch."""
        left = self.seconds_left()
        logging.info("epoch %d/%d: %s; %.0f s left", epoch, self.epochs, values, left)
        self.said = time.perf_counter()
