"""What reaches networks and optimisers inside a training, seen from outside by torch's own hooks.

Nothing here knows how training is written: whatever passes the first convolution, and whatever steps, is seen.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_pre_hook

from fewlabels.networks.encoder import IMAGENET


@contextmanager
def pixels_reaching() -> Iterator[list[np.ndarray]]:
    """The batches that reach convolutions over RGB, in order: float (n, size, size, 3) in 0 ... 255."""
    seen: list[np.ndarray] = []

    def see(module: nn.Module, inputs: tuple) -> None:
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            values = inputs[0].detach().float().permute(0, 2, 3, 1).numpy()
            seen.append((values * np.float32(IMAGENET.std) + np.float32(IMAGENET.mean)) * 255)

    handle = register_module_forward_pre_hook(see)
    try:
        yield seen
    finally:
        handle.remove()


@dataclass(frozen=True)
class Step:
    """One step of an optimiser: its kind, the settings of its groups, the parameters that it changes."""

    kind: type
    learning_rates: frozenset[float]
    weight_decays: frozenset[float]
    parameters: frozenset[int]


@contextmanager
def steps_taken() -> Iterator[list[Step]]:
    """The steps that optimisers take, in order."""
    seen: list[Step] = []

    def see(optimizer: torch.optim.Optimizer, *_: object) -> None:
        groups = optimizer.param_groups
        seen.append(
            Step(
                type(optimizer),
                frozenset(group["lr"] for group in groups),
                frozenset(group["weight_decay"] for group in groups),
                frozenset(id(value) for group in groups for value in group["params"]),
            )
        )

    handle = register_optimizer_step_pre_hook(see)
    try:
        yield seen
    finally:
        handle.remove()


def signposts(numbers: range, size: int) -> np.ndarray:
    """Images, uint8 (n, size, size, 3), that tell their number and how they were turned: see :func:`pose`."""
    images = np.full((len(numbers), size, size, 3), 50, np.uint8)
    images[:, :, : size // 2, 0] = 200
    images[:, : size // 2, :, 1] = 200
    images[..., 2] = np.array(numbers)[:, None, None]
    return images


@dataclass(frozen=True)
class Pose:
    """How an image was turned: mirrored left to right or not, then rotated counter-clockwise, in degrees."""

    number: int
    mirrored: bool
    angle: float

    @property
    def view(self) -> int | None:
        """The view of these quarter turns; None where the angle is none of them."""
        quarters = round(self.angle / 90)
        exact = abs(self.angle - 90 * quarters) < 0.01
        return 4 * self.mirrored + quarters % 4 if exact else None


def pose(image: np.ndarray) -> Pose:
    """Read a signpost, float (size, size, 3): red is bright on its left, green at its top, blue is its number."""
    size = len(image)
    x, y = np.meshgrid(np.arange(size) - (size - 1) / 2, (size - 1) / 2 - np.arange(size))
    disk = np.hypot(x, y) < size / 2 - 1
    (red_x, red_y), (green_x, green_y) = [
        [float((image[..., channel] * side)[disk].sum()) for side in (x, y)] for channel in (0, 1)
    ]
    mirrored = bool(red_x * green_y - red_y * green_x > 0)
    angle = math.degrees(math.atan2(red_y, red_x)) - (0 if mirrored else 180)
    return Pose(round(float(image[..., 2].mean())), mirrored, angle % 360)
