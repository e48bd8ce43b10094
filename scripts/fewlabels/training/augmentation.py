"""From stored pixels to a network's input: flips and rotations, in batch on the device."""

import math

import torch
from torch import Tensor
from torch.nn import functional

VIEWS = 8


def possible_views(flips: bool, rotation: str) -> list[int] | None:
    """The views that can be drawn, ascending; None where rotation by any angle makes them countless."""
    return None if rotation == "any" else exact_views(flips, rotation)


def exact_views(flips: bool, rotation: str) -> list[int]:
    """The views that flips and ``right_angles`` (or no rotation) can make, ascending."""
    flipped = (0, 4) if flips else (0,)
    turns = range(4) if rotation == "right_angles" else (0, 2) if flips else (0,)
    return [flip + turn for flip in flipped for turn in turns]


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


def augment(pixels: Tensor, flips: bool, rotation: str, generator: torch.Generator) -> Tensor:
    """Draw one view of each image: uint8 (n, 3, size, size) to float32 in 0 ... 1."""
    pixels = apply_views(pixels, draw_views(len(pixels), flips, rotation, generator))
    images = pixels.float() / 255
    return rotate_any(images, generator) if rotation == "any" else images
