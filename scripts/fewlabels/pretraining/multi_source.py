"""Train one encoder on the labels of several data sets together: a shared body, and a linear head for each.

Every step takes a batch of each data set, and their cross entropies are added (Caruana 1997, "Multitask learning"); an
epoch is a pass over the largest, smaller ones are gone through again. With --labels (CSV: id, cluster) cluster numbers
are the classes of the data set that --labelled names. The history has the accuracy of each head, and of a linear
probe, on held-out training images.
"""

import argparse
import time
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.core.settings import TrainingSettings
from fewlabels.networks.encoder import Encoder
from fewlabels.pretraining import several_sets
from fewlabels.pretraining.linear_probe import LinearProbes, features_of
from fewlabels.pretraining.several_sets import Sources
from fewlabels.training import run_files
from fewlabels.training.augmentation import augment
from fewlabels.training.loop import ImageSet, class_weights, fit, order_of_images
from fewlabels.training.runtime import Runtime


def add_arguments(parser: argparse.ArgumentParser) -> None:
    several_sets.add_arguments(parser)
    parser.add_argument("--labels", help="CSV of pseudo-labels of one data set")
    parser.add_argument("--labelled", help="the data set that they are of")


class SharedBody(nn.Module):
    """An encoder with a linear head for each data set; ``head`` are those of all, as of a classifier."""

    def __init__(self, encoder: Encoder, classes: list[int]) -> None:
        super().__init__()
        self.encoder, self.classes = encoder, classes
        self.head = nn.ModuleList(nn.Linear(encoder.feature_size, count) for count in classes)

    def forward(self, batches: list[Tensor]) -> list[Tensor]:
        """Logits of a batch of each data set, float (n, 3, size, size) in 0 ... 1 each."""
        images = self.encoder.normalise(torch.cat(batches))
        features = self.encoder(images).split([len(batch) for batch in batches])
        return [head(part) for head, part in zip(self.head, features, strict=True)]


class EndlessOrder:
    """Places in a set of images, pass after pass, each in an order of its own."""

    def __init__(self, images: ImageSet, settings: TrainingSettings) -> None:
        self.labels, self.settings = images.labels.cpu(), settings
        self.left = torch.empty(0, dtype=torch.int64)

    def take(self, count: int, generator: torch.Generator) -> Tensor:
        """The next ``count`` places, or all of a smaller set: int64, on the CPU."""
        count = min(count, len(self.labels))
        while len(self.left) < count:
            order = order_of_images(self.labels, self.settings, generator)
            self.left = torch.cat([self.left, order])
        taken, self.left = self.left[:count], self.left[count:]
        return taken


class SummedLoss:
    """The sum of the data sets' mean cross entropies over a batch of each."""

    def __init__(
        self,
        model: SharedBody,
        sets: list[ImageSet],
        settings: TrainingSettings,
        runtime: Runtime,
    ) -> None:
        self.model, self.sets, self.settings, self.runtime = model, sets, settings, runtime
        self.largest = max(range(len(sets)), key=lambda place: len(sets[place]))
        self.orders = [EndlessOrder(images, settings) for images in sets]
        self.weights = [
            class_weights(images.labels, count, settings.class_weights)
            for images, count in zip(sets, model.classes, strict=True)
        ]

    def state_dict(self) -> dict[str, list[Tensor]]:
        return {"orders": [order.left for order in self.orders]}

    def load_state_dict(self, state: Mapping[str, list[Tensor]]) -> None:
        for order, left in zip(self.orders, state["orders"], strict=True):
            order.left = left

    def batch(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        """Of these rows of the largest set, and as many of each other."""
        chosen = [
            rows if place == self.largest else order.take(len(rows), generator)
            for place, order in enumerate(self.orders)
        ]
        pixels = [
            augment(images.take_pixels(places), self.settings, generator)
            for images, places in zip(self.sets, chosen, strict=True)
        ]
        with self.runtime.autocast(self.model):
            logits = self.model(pixels)
        losses = [
            functional.cross_entropy(
                outputs.float(),
                images.labels[places.to(self.runtime.device, non_blocking=True)],
                weights,
                label_smoothing=self.settings.label_smoothing,
            )
            for outputs, images, places, weights in zip(
                logits, self.sets, chosen, self.weights, strict=True
            )
        ]
        return torch.stack(losses).sum(), None


@torch.inference_mode()
def head_scores(
    model: SharedBody, sources: Sources, held_out: list[ImageSet], runtime: Runtime
) -> dict[str, float]:
    """Sum of the data sets' mean cross entropies, and the accuracy of each head, on held-out images."""
    row, total = {}, 0.0
    for source, images, head in zip(sources.sets, held_out, model.head, strict=True):
        features = torch.from_numpy(features_of(model.encoder, images, runtime))
        logits = head(features.to(runtime.device))
        total += functional.cross_entropy(logits, images.labels).item()
        right = logits.argmax(1) == images.labels
        row[f"head_{source.name}"] = right.double().mean().item()
    return {"held_out_loss": total, **row}


def open_labelled(arguments: argparse.Namespace) -> Sources:
    """The data sets, every one with classes.

    Raises:
        UserError: one has none, no image is held out of it, or pseudo-labels are of no set.
    """
    labels = {}
    if bool(arguments.labels) != bool(arguments.labelled):
        raise UserError("--labels and --labelled belong together: give both or neither")
    if arguments.labels:
        found = {row["id"]: row["cluster"] for row in read_csv(arguments.labels)}
        labels[arguments.labelled] = found
        arguments.classes[arguments.labelled] = sorted(set(found.values()), key=int)
    sources = several_sets.open_sources(arguments, labels)
    for source in sources.sets:
        if not source.classes:
            raise UserError(
                f"{source.name} has no labels: give --classes or --labels, or leave it out"
            )
        if not len(source.held_out):
            raise UserError(f"no image of {source.name} is held out: change `held_out`")
    return sources


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = run_files.start_training(arguments)
    sources = open_labelled(arguments)
    sets = [sources.images(source.train, runtime) for source in sources.sets]
    held_out = [sources.images(source.held_out, runtime) for source in sources.sets]
    encoder = several_sets.load_start(arguments, sources.size)
    model = SharedBody(encoder, [len(source.classes) for source in sources.sets])
    runtime.place(model)
    settings, probes = arguments.training, LinearProbes(sources, runtime)
    loss = SummedLoss(model, sets, settings, runtime)

    def evaluate() -> dict[str, float]:
        scores = head_scores(model, sources, held_out, runtime)
        return scores | probes.accuracies(encoder)

    largest = sets[loss.largest]
    carried = {"orders": loss}
    history = fit(
        model, largest, settings, runtime, arguments.seed, loss.batch, evaluate, carried=carried
    )
    several_sets.write_results(arguments, encoder, history, sources, runtime, started)
