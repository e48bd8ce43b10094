"""Views of images for contrastive learning, in batch on the device: SimCLR's (Chen et al. 2020, arXiv 2002.05709,
appendix A), with the turns and flips of every training here, and blur by one width per batch."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms.v2.functional import gaussian_blur

from fewlabels.core.settings import TrainingSettings
from fewlabels.training.augmentation import (
    apply_views,
    draw_views,
    grey_values,
    jitter_colours,
    rotate_any,
)

#: Sides of a crop are to each other as this at most (torchvision's and SimCLR's default).
ASPECT = 4 / 3
#: Widths (standard deviations) of the blur, for images of 224 pixels.
BLUR_WIDTHS = (0.1, 2.0)
BLUR_SIZE = 224


@dataclass(frozen=True)
class ViewSettings:
    """How strongly views differ.

    Attributes:
        crop: the least share of the image's area that a view shows.
        colour: strength of the changes of brightness, contrast and saturation.
        grey: share of the views that lose their colours.
        blur: share of the views that are blurred.
    """

    crop: float
    colour: float
    grey: float
    blur: float


def resized_crops(images: Tensor, least: float, generator: torch.Generator) -> Tensor:
    """Cut a rectangle out of each float image (n, 3, size, size) and stretch it to the full size, bilinear.

    Args:
        least: share of the area; shares are drawn evenly from it to 1, aspects evenly in the logarithm.
    """
    draws = torch.rand((4, len(images)), generator=generator).to(images.device, non_blocking=True)
    area = least + (1 - least) * draws[0]
    aspect = ((2 * draws[1] - 1) * math.log(ASPECT)).exp()
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    # Coordinates run from -1 to 1, so that a centre may lie up to 1 - width from the middle.
    left, top = (1 - width) * (2 * draws[2] - 1), (1 - height) * (2 * draws[3] - 1)
    zero = torch.zeros_like(width)
    matrices = torch.stack(
        [torch.stack([width, zero, left], 1), torch.stack([zero, height, top], 1)], 1
    )
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _some(count: int, share: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """Which of some images a change is made to: bool (count, 1, 1, 1)."""
    chosen = torch.rand(count, generator=generator) < share
    return chosen.to(device, non_blocking=True)[:, None, None, None]


def blurred(images: Tensor, generator: torch.Generator) -> Tensor:
    """Blur float images (n, 3, size, size) by a width drawn for all of them."""
    scale = images.shape[-1] / BLUR_SIZE
    low, high = BLUR_WIDTHS
    width = scale * (low + (high - low) * torch.rand((), generator=generator).item())
    # Three widths to both sides.
    kernel = 2 * math.ceil(3 * width) + 1
    return gaussian_blur(images, [kernel, kernel], [width, width])


def contrastive_view(
    pixels: Tensor, views: ViewSettings, settings: TrainingSettings, generator: torch.Generator
) -> Tensor:
    """Draw one view of each image: uint8 (n, 3, size, size) to float32 in 0 ... 1.

    Args:
        settings: their flips and rotation are used.
        generator: on the CPU, which serves every device alike.
    """
    count, device = len(pixels), pixels.device
    turns = draw_views(count, settings.flips, settings.rotation, generator)
    images = apply_views(pixels, turns).float() / 255
    if settings.rotation == "any":
        images = rotate_any(images, generator)
    images = resized_crops(images, views.crop, generator)
    images = jitter_colours(images, views.colour, generator)
    grey = _some(count, views.grey, generator, device)
    images = torch.where(grey, grey_values(images), images)
    blur = _some(count, views.blur, generator, device)
    return torch.where(blur, blurred(images, generator), images)
