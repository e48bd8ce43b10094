"""From stored pixels to a network's input: normalisation, flips and rotations, in batch on the device."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from wbc.checkpoints import MEAN, STD


def _choose(chosen: Tensor, changed: Tensor, images: Tensor) -> Tensor:
    return torch.where(chosen[:, None, None, None], changed, images)


def _coins(count: int, generator: torch.Generator, device: torch.device) -> Tensor:
    return torch.randint(2, (count,), generator=generator, dtype=torch.bool).to(device)


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flip each image (n, c, h, w) left to right and top to bottom with probability 1/2 each."""
    images = _choose(_coins(len(images), generator, images.device), images.flip(-1), images)
    return _choose(_coins(len(images), generator, images.device), images.flip(-2), images)


def rotate_right_angles(images: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate each square image by 0, 90, 180 or 270 degrees: exact, whatever the dtype."""
    quarter = _coins(len(images), generator, images.device)
    half = _coins(len(images), generator, images.device)
    images = _choose(quarter, torch.rot90(images, 1, (-2, -1)), images)
    return _choose(half, torch.rot90(images, 2, (-2, -1)), images)


def rotate_any(images: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate each float image by an angle drawn evenly from the circle: bilinear, reflected borders."""
    angles = (torch.rand(len(images), generator=generator) * 2 * math.pi).to(images.device)
    cosine, sine, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    matrices = torch.stack(
        [torch.stack([cosine, -sine, zero], 1), torch.stack([sine, cosine, zero], 1)], 1
    )
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def augment(pixels: Tensor, flips: bool, rotation: str, generator: torch.Generator) -> Tensor:
    """Draw one view of each image: uint8 (n, 3, size, size) to float32 in 0 ... 1.

    Random numbers come from a CPU generator, so that every device draws the same views.
    """
    if flips:
        pixels = flip(pixels, generator)
    if rotation == "right_angles":
        pixels = rotate_right_angles(pixels, generator)
    images = pixels.float() / 255
    if rotation == "any":
        images = rotate_any(images, generator)
    return images


def normalise(images: Tensor) -> Tensor:
    """Standardise images in 0 ... 1 by ImageNet's mean and standard deviation; channels last in memory."""
    mean = torch.tensor(MEAN, device=images.device)[:, None, None]
    std = torch.tensor(STD, device=images.device)[:, None, None]
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)
