"""Train an encoder to fill in patches of an image that were taken out; no labels are needed.

SimMIM (Xie et al. 2022, arXiv 2111.09886): random patches get the mean colour (0 behind the normalisation), and a light
decoder, one convolution of the last map's places, tells their pixels; the loss is the mean absolute error of
normalised values in these patches alone. The history has the loss on held-out training images and, by a linear probe,
the accuracy on those of each source with classes.
"""

import argparse
import logging
import time

import torch
from torch import Tensor, nn

from fewlabels.core.errors import UserError
from fewlabels.networks.encoder import Encoder
from fewlabels.networks.maps import LastMap
from fewlabels.pretraining import several_sets
from fewlabels.pretraining.linear_probe import LinearProbes
from fewlabels.training import run_files
from fewlabels.training.augmentation import augment
from fewlabels.training.loop import EVALUATION_BATCH, fit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    several_sets.add_arguments(parser)
    parser.add_argument("--patch-size", type=int, required=True, help="side of a patch in pixels")
    parser.add_argument(
        "--mask-share", type=float, required=True, help="share of patches taken out"
    )


def draw_masks(
    count: int, image_size: int, patch_size: int, share: float, generator: torch.Generator
) -> Tensor:
    """Which pixels of some images are taken out: bool (count, 1, image_size, image_size) on the CPU.

    The same number of patches in each image, ``share`` of them rounded, but at least one and not all.
    """
    side = image_size // patch_size
    patches = side * side
    masked = min(max(round(share * patches), 1), patches - 1)
    ranks = torch.rand((count, patches), generator=generator).argsort(1).argsort(1)
    masks = (ranks < masked).view(count, 1, side, side)
    return masks.repeat_interleave(patch_size, 2).repeat_interleave(patch_size, 3)


def masked_error(outputs: Tensor, targets: Tensor, masks: Tensor) -> Tensor:
    """Mean absolute error, float (n, 3, size, size) both, over the pixels of ``masks``, bool (n, 1, size, size)."""
    errors = (outputs - targets).abs().mean(1, keepdim=True)
    return (errors * masks).sum() / masks.sum()


class MaskedImageModel(nn.Module):
    """An encoder and a decoder of its last map: normalised images, float (n, 3, size, size), to their like."""

    def __init__(self, encoder: Encoder, image_size: int) -> None:
        super().__init__()
        self.map = LastMap(encoder, image_size)
        if image_size % self.map.side:
            raise UserError(
                f"the last map of {encoder.architecture['model']} has {self.map.side} places a side, into which "
                f"images of {image_size} pixels can't be parted: choose another images.size"
            )
        scale = image_size // self.map.side
        self.decoder = nn.Sequential(
            nn.Conv2d(self.map.channels, 3 * scale * scale, kernel_size=1), nn.PixelShuffle(scale)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.map(images))


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = run_files.start_training(arguments)
    sources = several_sets.open_sources(arguments)
    size, patch_size, share = sources.size, arguments.patch_size, arguments.mask_share
    if size % patch_size or size == patch_size:
        raise UserError(
            f"--patch-size is {patch_size}: images of {size} pixels are parted into several patches by its divisors"
        )
    train, held_out = (sources.union(part, runtime) for part in ("train", "held_out"))
    if not len(held_out):
        raise UserError("no image is held out: change `held_out`")
    encoder = several_sets.load_start(arguments, size)
    model = MaskedImageModel(encoder, size)
    unused = [name for name in model.map.unused() if name in encoder.trained_blocks]
    if unused:
        logging.info("behind the last map, %s, and not trained: %s", model.map.block, unused)
    runtime.place(model)
    settings, probes = arguments.training, LinearProbes(sources, runtime)

    def error(images: Tensor, generator: torch.Generator) -> Tensor:
        """Of images, float in 0 ... 1."""
        masks = draw_masks(len(images), size, patch_size, share, generator)
        masks = masks.to(runtime.device, non_blocking=True)
        targets = encoder.normalise(images)
        with runtime.autocast(model):
            outputs = model(targets.masked_fill(masks, 0))
        return masked_error(outputs.float(), targets, masks)

    def batch_loss(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        return error(augment(train.take_pixels(rows), settings, generator), generator), None

    @torch.inference_mode()
    def held_out_loss() -> float:
        model.eval()
        # Every time the same patches.
        generator = torch.Generator().manual_seed(arguments.seed)
        total = 0.0
        for rows in torch.arange(len(held_out)).split(EVALUATION_BATCH):
            images = held_out.take_pixels(rows).float() / 255
            with runtime.meter.batch("evaluate", len(rows)):
                total += error(images, generator).item() * len(rows)
        return total / len(held_out)

    def evaluate() -> dict[str, float]:
        return {"held_out_loss": held_out_loss(), **probes.accuracies(encoder)}

    history = fit(model, train, settings, runtime, arguments.seed, batch_loss, evaluate)
    several_sets.write_results(arguments, encoder, history, sources, runtime, started)
