"""The optimiser of one training, its learning rates over the steps, and how many epochs it takes."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from fewlabels.core.settings import TrainingSettings

#: A one-cycle schedule begins at this part of its highest rate, as Smith & Topin do and torch by default.
START_DIVISOR = 25


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Optimiser over the parameters that are open for updates, in its fused form; those of ``model.head`` at a rate of
    their own where the settings have one."""
    head = {id(parameter) for parameter in getattr(model, "head", nn.Module()).parameters()}
    if settings.head_learning_rate is None:
        head = set()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in parameters if id(parameter) not in head]},
        {
            "params": [parameter for parameter in parameters if id(parameter) in head],
            "lr": settings.head_learning_rate,
        },
    ]
    groups = [group for group in groups if group["params"]]
    common: dict[str, Any] = {
        "lr": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "fused": True,
    }
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, **common)
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[settings.optimizer]
    return kind(groups, **common)


@dataclass(frozen=True)
class Schedule:
    """When a schedule of learning rates moves on: after each optimiser step, or after each epoch."""

    rates: lr_scheduler.LRScheduler
    per_step: bool

    def after_step(self) -> None:
        if self.per_step:
            self.rates.step()

    def after_epoch(self) -> None:
        if not self.per_step:
            self.rates.step()


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, epochs: int, batches: int
) -> Schedule:
    """Learning rates over ``epochs`` of ``batches`` steps each.

    constant; cosine: from the initial rate towards 0, per epoch; one_cycle: per step, a cosine up from a 25th to the
    rate within ``settings.warmup`` of the steps, then one down to 0 (Smith & Topin 2018, "Super-convergence").
    """
    if settings.schedule == "constant":
        return Schedule(lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0), False)
    if settings.schedule == "cosine":
        return Schedule(lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs), False)
    one_cycle = lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        # After the last step the schedule still moves on once.
        total_steps=epochs * batches + 1,
        pct_start=settings.warmup,
        div_factor=START_DIVISOR,
        cycle_momentum=False,
    )
    return Schedule(one_cycle, True)


def epochs_of(settings: TrainingSettings, batches: int) -> tuple[int, set[int]]:
    """How many epochs a training of so many batches an epoch takes, and after which of them it is evaluated.

    As many as ``settings.epochs``, or as ``settings.min_steps`` optimiser steps need. Evaluated ``settings.epochs``
    times in either case, evenly, or at every ``settings.test_every``-th of these alone, and at the end.
    """
    epochs = max(settings.epochs, math.ceil(settings.min_steps / batches))
    numbers = {*range(settings.test_every, settings.epochs + 1, settings.test_every)}
    numbers.add(settings.epochs)
    return epochs, {epochs * number // settings.epochs for number in numbers}
