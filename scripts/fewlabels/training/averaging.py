"""Means of a network's weights over its training, which are evaluated and kept in place of the last ones."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from fewlabels.core.settings import TrainingSettings
from fewlabels.training.unfinished import Trained

#: The share of a training, at its end, whose epochs `averaging: mean` takes the mean of.
MEAN_SHARE = 0.25


def warmed_up(decay: float, made: int) -> float:
    """Decay of an exponential mean that has taken in ``made`` states: less at first, lest it cling to the first ones.

    >>> warmed_up(0.99, 0), warmed_up(0.99, 10), warmed_up(0.99, 10_000)
    (0.1, 0.55, 0.99)
    """
    return min(decay, (1 + made) / (10 + made))


class WeightAverage:
    """The mean of a network's weights and buffers.

    ``ema``: exponential, taken in after every step (Polyak & Juditsky 1992; Tarvainen & Valpola 2017); ``mean``: of
    the states at the ends of the last quarter of the epochs (Izmailov et al. 2018, stochastic weight averaging).
    """

    def __init__(self, model: nn.Module, settings: TrainingSettings, epochs: int) -> None:
        self.model = model
        self.how = settings.averaging
        self.first_epoch = epochs - max(1, int(epochs * MEAN_SHARE)) + 1
        self.taken = 0

        def exponential(means: Sequence[Tensor], values: Sequence[Tensor], _: object) -> None:
            weight = 1 - warmed_up(settings.ema_decay, self.taken)
            for mean, value in zip(means, values, strict=True):
                if mean.is_floating_point():
                    mean.lerp_(value, weight)
                else:
                    mean.copy_(value)

        self.averaged = AveragedModel(
            model, multi_avg_fn=exponential if self.how == "ema" else None, use_buffers=True
        )

    def after_step(self) -> None:
        if self.how == "ema":
            self._take_in()

    def after_epoch(self, epoch: int) -> None:
        if self.how == "mean" and epoch >= self.first_epoch:
            self._take_in()

    def _take_in(self) -> None:
        self.averaged.update_parameters(self.model)
        self.taken += 1

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within, the network has the mean weights, where there are any yet."""
        if not self.taken:
            yield
            return
        kept = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.keep()
        try:
            yield
        finally:
            self.model.load_state_dict(kept)

    def keep(self) -> None:
        """Give the network the mean weights for good."""
        if self.taken:
            self.model.load_state_dict(self.averaged.module.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """The mean, and of how many states it is."""
        return {"taken": self.taken, "mean": Trained(self.averaged).state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        self.taken = state["taken"]
        Trained(self.averaged).load_state_dict(state["mean"])


def weight_average(
    model: nn.Module, settings: TrainingSettings, epochs: int
) -> WeightAverage | None:
    """The mean that the settings ask for; None: the last weights are kept."""
    if settings.averaging == "none":
        return None
    with torch.no_grad():
        return WeightAverage(model, settings, epochs)
