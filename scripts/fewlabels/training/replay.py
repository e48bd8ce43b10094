"""What a step of a training does inside, seen from outside: by torch's hooks for all modules and optimisers, and by its
override of functions. The training itself runs as it always does, and makes the same numbers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.overrides import TorchFunctionMode

#: The losses that are means over images.
MEANS = (
    functional.cross_entropy,
    functional.mse_loss,
    functional.binary_cross_entropy_with_logits,
)


@dataclass
class StepWatch:
    """Watches one step of a training.

    Args:
        step: optimiser steps up to it, which is counted, from the beginning of the training.
        images: in its batch.
        views: of each image that pass through the network together, one after the other.
        behind: watch the evaluation behind the step, in place of its own pass through the network.

    Attributes:
        made: steps so far.
        module: the first module whose outputs are not finite; None as long as there is none.
        module_of: the same for each image, where outputs can be told apart by image.
        loss: of the step.
        losses: name of a loss -> its value of each image, float (n,).
        rates: learning rates of the step.
        gradient: the first step with a gradient that is not finite, and the parameter.
        weight: the first step behind which a parameter is not finite, and the parameter.
    """

    step: int
    images: int
    views: int = 1
    behind: bool = False
    made: int = 0
    module: str | None = None
    module_of: list[str | None] = field(init=False)
    loss: float | None = None
    losses: dict[str, Tensor] = field(default_factory=dict)
    rates: tuple[float, ...] = ()
    gradient: tuple[int, str] | None = None
    weight: tuple[int, str] | None = None

    def __post_init__(self) -> None:
        self.module_of = [None] * self.images
        self._names: dict[int, str] = {}
        self._parameters: dict[int, str] = {}
        self._depth = self._passes = 0

    def watched_now(self) -> bool:
        """Whether the pass through a network that goes on is one to look at."""
        if self.behind:
            return self.made == self.step and not torch.is_grad_enabled()
        return self.made == self.step - 1 and torch.is_grad_enabled()

    def enter(self, module: nn.Module, _: Any) -> None:
        """A module is called."""
        if self._depth == 0:
            self._names = {id(part): name or "the network" for name, part in module.named_modules()}
            if torch.is_grad_enabled():
                named = {id(value): name for name, value in module.named_parameters()}
                self._parameters.update(named)
            if self.watched_now():
                self._passes += 1
        self._depth += 1

    def leave(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        """A module gives its outputs."""
        self._depth -= 1
        if not self.watched_now():
            return
        wrong = [value for value in tensors_in(outputs) if not value.isfinite().all()]
        if not wrong:
            return
        name = self._names.get(id(module), type(module).__name__)
        if not all(value.isfinite().all() for value in tensors_in(inputs)):
            name = f"input of {name}"
        self.module = self.module or name
        # Of the first pass alone: images without labels, whose pass is the second, are others.
        if self.behind or self._passes > 1:
            return
        for value in wrong:
            if len(value) == self.images * self.views:
                whole = value.flatten(1).isfinite().all(1).view(self.views, self.images).all(0)
                for place in (~whole).nonzero().flatten().tolist():
                    self.module_of[place] = self.module_of[place] or name

    def before_step(self, optimizer: Optimizer, *_: Any) -> None:
        """The gradients of a step are there."""
        if self.made == self.step - 1:
            self.rates = tuple(group["lr"] for group in optimizer.param_groups)
        if self.gradient is None and self.made < self.step:
            found = self._not_finite(optimizer, lambda parameter: parameter.grad)
            self.gradient = (self.made + 1, found) if found else None

    def after_step(self, optimizer: Optimizer, *_: Any) -> None:
        """A step is made."""
        self.made += 1
        if self.weight is None and self.made <= self.step:
            found = self._not_finite(optimizer, lambda parameter: parameter)
            self.weight = (self.made, found) if found else None

    def _not_finite(
        self, optimizer: Optimizer, of: Callable[[Tensor], Tensor | None]
    ) -> str | None:
        """The name of the first parameter of which something is not finite."""
        for parameter in chain.from_iterable(group["params"] for group in optimizer.param_groups):
            value = of(parameter)
            if value is not None and not value.isfinite().all():
                return self._parameters.get(id(parameter), "a parameter")
        return None

    def see(self, function: Callable, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        """A function of torch was called, outside of modules or inside."""
        if self.made != self.step - 1 or not torch.is_grad_enabled():
            return
        if function is Tensor.backward:
            self.loss = float(arguments[0])
        elif function in MEANS and function.__name__ not in self.losses:
            each = function(*arguments, **{**options, "reduction": "none"}).detach()
            if len(each) == self.images * self.views:
                of_views = each.flatten(1).mean(1) if each.dim() > 1 else each
                mean = of_views.view(self.views, self.images).mean(0)
                self.losses[function.__name__] = mean.float().cpu()


class _Functions(TorchFunctionMode):
    """Shows a watch every function of torch that is called."""

    def __init__(self, watch: StepWatch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(
        self, func: Callable, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.watch.see(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


@contextmanager
def watched(watch: StepWatch) -> Iterator[None]:
    """Within, all trainings of this process are watched."""
    hooks = [
        register_module_forward_pre_hook(watch.enter),
        register_module_forward_hook(watch.leave),
        register_optimizer_step_pre_hook(watch.before_step),
        register_optimizer_step_post_hook(watch.after_step),
    ]
    try:
        with _Functions(watch):
            yield
    finally:
        for hook in hooks:
            hook.remove()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of floats in what a module takes or gives."""
    if isinstance(value, Tensor):
        if value.is_floating_point() and value.dim():
            yield value
    elif isinstance(value, Mapping):
        yield from chain.from_iterable(map(tensors_in, value.values()))
    elif isinstance(value, list | tuple):
        yield from chain.from_iterable(map(tensors_in, value))
