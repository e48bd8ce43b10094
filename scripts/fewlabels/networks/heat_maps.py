"""Where in an image a classifier finds what speaks for one class and against another.

Integrated gradients (Sundararajan, Taly & Yan 2017, ICML; by Captum) of the difference between the two logits: what
each pixel adds to it on the way from an empty field to the image. They sum to the difference itself, and need neither
maps of places nor a certain kind of network.
"""

import torch
from captum.attr import IntegratedGradients
from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from fewlabels.networks.classifier import Classifier

#: Points on the way from the empty field to the image (Gauss-Legendre).
STEPS = 32
#: Images and points that pass through the network at a time.
BATCH = 32
#: Standard deviation of the smoothing, as a share of the image's side: single pixels say little.
SMOOTHING = 1 / 28


def open_for_gradients(model: Classifier) -> None:
    """Let gradients pass through all blocks, frozen ones too, to the pixels; the network stays in eval mode."""
    for encoder in model.named_encoders().values():
        encoder.open_blocks("all")
    model.eval()
    model.requires_grad_(False)


def empty_field(images: Tensor) -> Tensor:
    """Images, float (n, channels, size, size), filled with the median colour of their border: for an image of one cell
    its background. A fourth channel, which is a mask, stays as it is."""
    edges = [images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1]]
    colours = torch.cat(edges, 2).median(2).values[:, :, None, None]
    empty = colours.expand_as(images).clone()
    empty[:, 3:] = images[:, 3:]
    return empty


def pixel_contributions(
    model: Classifier, images: Tensor, answers: Tensor, others: Tensor, steps: int = STEPS
) -> Tensor:
    """What each pixel adds to logit(answer) - logit(other), float (n, size, size), above 0 for the answer.

    Args:
        model: after :func:`open_for_gradients`.
        images: float (n, channels, size, size) in 0 ... 1.
        answers, others: classes, int64 (n,).
        steps: points on the way.
    """

    def difference(pixels: Tensor, first: Tensor, second: Tensor) -> Tensor:
        logits = model(pixels).float()
        return (logits.gather(1, first[:, None]) - logits.gather(1, second[:, None])).squeeze(1)

    found = IntegratedGradients(difference).attribute(
        images,
        empty_field(images),
        additional_forward_args=(answers, others),
        n_steps=steps,
        internal_batch_size=max(BATCH, len(images)),
    )
    return found.detach().sum(1)


def heat_maps(model: Classifier, images: Tensor, answers: Tensor, others: Tensor) -> Tensor:
    """Smoothed :func:`pixel_contributions`, each scaled to -1 ... 1 by its largest; float (n, size, size)."""
    maps = pixel_contributions(model, images, answers, others)
    sigma = max(SMOOTHING * images.shape[-1], 0.5)
    width = 2 * int(3 * sigma) + 1
    smooth = gaussian_blur(maps[:, None], [width, width], [sigma, sigma])[:, 0]
    largest = smooth.abs().flatten(1).max(1).values.clamp(min=torch.finfo(smooth.dtype).tiny)
    return smooth / largest[:, None, None]
