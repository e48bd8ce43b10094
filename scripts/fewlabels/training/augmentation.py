"""From stored pixels to a network's input: flips and rotations, in batch on the device."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from fewlabels.core.settings import TrainingSettings

VIEWS = 8


def possible_views(settings: TrainingSettings) -> list[int] | None:
    """The views that can be drawn, ascending; None where other changes of pixels make them countless."""
    return None if settings.changes_pixels else exact_views(settings.flips, settings.rotation)


def exact_views(flips: bool, rotation: str) -> list[int]:
    """The views that flips and ``right_angles`` (or no rotation) can make, ascending."""
    flipped = (0, 4) if flips else (0,)
    turns = range(4) if rotation == "right_angles" else (0, 2) if flips else (0,)
    return [flip + turn for flip in flipped for turn in turns]


def predicted_views(settings: TrainingSettings) -> list[int]:
    """The views that images are predicted in, ascending: the image as it is, or all exact ones that training draws."""
    return exact_views(settings.flips, settings.rotation) if settings.test_views == "all" else [0]


def draw_views(count: int, flips: bool, rotation: str, generator: torch.Generator) -> Tensor:
    """Draw a view for each image: int64 (count,) on the CPU, whose generator serves every device alike.

    View ``4 * f + k`` is the image flipped left to right if f, then rotated by k quarter turns. Flips draw
    two coins, left to right and top to bottom; ``right_angles`` two, a quarter and a half turn.
    """

    def coins() -> Tensor:
        return torch.randint(2, (count,), generator=generator)

    flipped, turns = torch.zeros(count, dtype=torch.int64), torch.zeros(count, dtype=torch.int64)
    if flips:
        flipped, top_to_bottom = coins(), coins()
        # A flip top to bottom is one left to right and a half turn.
        flipped, turns = flipped ^ top_to_bottom, 2 * top_to_bottom
    if rotation == "right_angles":
        turns = turns + coins() + 2 * coins()
    return 4 * flipped + turns % 4


def apply_views(images: Tensor, views: Tensor) -> Tensor:
    """Turn square images (n, c, size, size), of any dtype, into their views: exact."""
    # Chosen on the CPU, so that no device is waited for.
    flipped, quarter, half = views >= 4, views % 2 == 1, views % 4 >= 2
    for chosen, changed in (
        (flipped, lambda pixels: pixels.flip(-1)),
        (quarter, lambda pixels: torch.rot90(pixels, 1, (-2, -1))),
        (half, lambda pixels: torch.rot90(pixels, 2, (-2, -1))),
    ):
        if chosen.any():
            places = chosen.to(images.device, non_blocking=True)[:, None, None, None]
            images = torch.where(places, changed(images), images)
    return images


def rotate_any(images: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate each float image by an angle drawn evenly from the circle: bilinear, reflected borders."""
    angles = torch.rand(len(images), generator=generator) * 2 * math.pi
    angles = angles.to(images.device, non_blocking=True)
    cosine, sine, zero = angles.cos(), angles.sin(), torch.zeros_like(angles)
    matrices = torch.stack(
        [torch.stack([cosine, -sine, zero], 1), torch.stack([sine, cosine, zero], 1)], 1
    )
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def jitter_colours(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast and saturation of each image, float (n, 3, size, size) in 0 ... 1, by factors drawn
    evenly from 1 - strength ... 1 + strength, as torchvision's ColorJitter does in this order. A fourth channel, which
    is a mask, stays."""
    images, mask = images[:, :3], images[:, 3:]
    factors = 1 + strength * (2 * torch.rand((3, len(images)), generator=generator) - 1)
    brightness, contrast, saturation = factors.to(images.device, non_blocking=True)[
        ..., None, None, None
    ]
    images = (images * brightness).clamp(0, 1)
    mean = grey_values(images).mean((2, 3), keepdim=True)
    images = (mean + contrast * (images - mean)).clamp(0, 1)
    grey = grey_values(images)
    return torch.cat([(grey + saturation * (images - grey)).clamp(0, 1), mask], 1)


def grey_values(images: Tensor) -> Tensor:
    """Luma (ITU-R BT.601) of images, float (n, 3, size, size), as (n, 1, size, size)."""
    parts = torch.tensor([0.2989, 0.587, 0.114], device=images.device)
    return (images * parts[:, None, None]).sum(1, keepdim=True)


def change_of(
    settings: TrainingSettings, generator: torch.Generator
) -> Callable[[Tensor], Tensor] | None:
    """What is done to turned images, float in 0 ... 1, beside the exact views; None: nothing."""
    if not settings.changes_pixels:
        return None

    def change(images: Tensor) -> Tensor:
        if settings.rotation == "any":
            images = rotate_any(images, generator)
        if settings.colour_jitter:
            images = jitter_colours(images, settings.colour_jitter, generator)
        return images

    return change


def augment(pixels: Tensor, settings: TrainingSettings, generator: torch.Generator) -> Tensor:
    """Draw one view of each image: uint8 (n, 3, size, size) to float32 in 0 ... 1."""
    views = draw_views(len(pixels), settings.flips, settings.rotation, generator)
    images = apply_views(pixels, views).float() / 255
    change = change_of(settings, generator)
    return change(images) if change else images
