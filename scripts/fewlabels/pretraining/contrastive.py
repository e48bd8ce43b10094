"""Train an encoder so that two views of an image are alike and views of different images are not; no labels are needed.

SimCLR (Chen et al. 2020, arXiv 2002.05709): normalised temperature-scaled cross entropy of the views in a batch, behind
a projection of two layers that is thrown away. The history has the loss on held-out training images and, by a linear
probe, the accuracy on those of each source with classes.
"""

import argparse
import time

import torch
from torch import Tensor, nn
from torch.nn import functional

from fewlabels.core.errors import UserError
from fewlabels.networks.encoder import Encoder
from fewlabels.pretraining import several_sets
from fewlabels.pretraining.linear_probe import LinearProbes
from fewlabels.training import run_files
from fewlabels.training.contrastive_views import ViewSettings, contrastive_view
from fewlabels.training.loop import ImageSet, fit
from fewlabels.training.runtime import Runtime


def add_arguments(parser: argparse.ArgumentParser) -> None:
    several_sets.add_arguments(parser)
    parser.add_argument("--temperature", type=float, required=True, help="of the loss")
    parser.add_argument("--projection-size", type=int, required=True, help="outputs it is told by")
    parser.add_argument("--crop", type=float, required=True, help="least share of the area in view")
    parser.add_argument("--colour", type=float, required=True, help="strength of colour changes")
    parser.add_argument("--grey", type=float, required=True, help="share of views without colours")
    parser.add_argument("--blur", type=float, required=True, help="share of blurred views")


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Mean normalised temperature-scaled cross entropy of two views of n images, float (n, d) each.

    Each of the 2 n views is to be told, by the cosine of the angle between them, from all others as the partner
    of its own.
    """
    views = functional.normalize(torch.cat([first, second]).float(), dim=1)
    likeness = views @ views.T / temperature
    itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
    partners = torch.arange(len(views), device=views.device).roll(len(first))
    return functional.cross_entropy(likeness.masked_fill(itself, -torch.inf), partners)


class SimCLR(nn.Module):
    """An encoder and a projection of two layers: images, float (n, 3, size, size) in 0 ... 1, to (n, outputs)."""

    def __init__(self, encoder: Encoder, outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        width = encoder.feature_size
        self.projection = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, outputs)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.projection(self.encoder(self.encoder.normalise(images)))


class ContrastiveLoss:
    """The loss of a batch of images, each in two views."""

    def __init__(self, model: SimCLR, arguments: argparse.Namespace, runtime: Runtime) -> None:
        self.model, self.runtime = model, runtime
        self.settings = arguments.training
        self.temperature = arguments.temperature
        self.views = ViewSettings(arguments.crop, arguments.colour, arguments.grey, arguments.blur)

    def of(self, images: ImageSet, rows: Tensor, generator: torch.Generator) -> Tensor:
        pixels = images.take_pixels(rows)
        views = [contrastive_view(pixels, self.views, self.settings, generator) for _ in range(2)]
        with self.runtime.autocast(self.model):
            first, second = self.model(torch.cat(views)).chunk(2)
        return nt_xent(first, second, self.temperature)

    @torch.inference_mode()
    def mean(self, images: ImageSet, seed: int) -> float:
        """Over batches of the size of training; every call draws the same views."""
        self.model.eval()
        generator = torch.Generator().manual_seed(seed)
        batches = max(1, round(len(images) / self.settings.batch_size))
        total = 0.0
        for rows in torch.randperm(len(images), generator=generator).tensor_split(batches):
            with self.runtime.meter.batch("evaluate", len(rows)):
                total += self.of(images, rows, generator).item() * len(rows)
        return total / len(images)


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = run_files.start_training(arguments)
    sources = several_sets.open_sources(arguments)
    train, held_out = (sources.union(part, runtime) for part in ("train", "held_out"))
    if min(len(train), len(held_out)) < 2:
        raise UserError(
            f"{len(train)} images to train on and {len(held_out)} held out: views are told from those of other "
            "images, so that two of each are needed: name more data sets, or change `held_out`"
        )
    encoder = several_sets.load_start(arguments, sources.size)
    model = SimCLR(encoder, arguments.projection_size)
    runtime.place(model)
    loss, probes = ContrastiveLoss(model, arguments, runtime), LinearProbes(sources, runtime)

    def batch_loss(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        return loss.of(train, rows, generator), None

    def evaluate() -> dict[str, float]:
        return {
            "held_out_loss": loss.mean(held_out, arguments.seed),
            **probes.accuracies(encoder),
        }

    settings = arguments.training
    history = fit(model, train, settings, runtime, arguments.seed, batch_loss, evaluate)
    several_sets.write_results(arguments, encoder, history, sources, runtime, started)
