"""The epoch that a network is taken from: the last one, or the best; with what it answered then."""

import copy
import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from fewlabels.training.unfinished import Trained


class Answers:
    """Logits of the last evaluation, float (n, classes) by image set.

    They are kept with a training's state, so that one that was cut off behind it need not ask again.
    """

    def __init__(self) -> None:
        self.logits: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Tensor]:
        return dict(self.logits)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.logits = dict(state)


class BestEpoch:
    """A network's weights of the epoch with the highest score, and what it answered then."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.score = (-math.inf, -math.inf)
        self.state: dict[str, Tensor] = {}
        self.logits: dict[str, Tensor] = {}

    def take(self, score: tuple[float, float], logits: Mapping[str, Tensor]) -> None:
        """Take the weights as they are, if this is the highest score so far."""
        if score > self.score:
            self.score, self.state = score, copy.deepcopy(Trained(self.model).state_dict())
            self.logits = dict(logits)

    def load(self) -> None:
        """Give the network these weights."""
        Trained(self.model).load_state_dict(self.state)

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score, "state": self.state, "logits": self.logits}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.score, self.state = tuple(state["score"]), dict(state["state"])
        self.logits = dict(state["logits"])
