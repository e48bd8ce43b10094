"""The training loop that all models share, and their evaluation.

Images stay on the GPU, or in the memory-mapped file, as uint8; batches are taken by index, augmented on the device, and
no step waits for it. An epoch's images are split into batches of nearly equal size (differing by at
most one), so that BatchNorm never meets a tiny last batch.
"""

import copy
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fewlabels.core.errors import UserError
from fewlabels.core.settings import TrainingSettings
from fewlabels.networks.autoencoder import Autoencoder
from fewlabels.networks.classifier import Classifier
from fewlabels.training.augmentation import apply_views, augment, draw_views, rotate_any
from fewlabels.training.runtime import Runtime
from fewlabels.training.stored_rows import StoredRows

EVALUATION_BATCH = 256


class DivergedError(UserError):
    """A loss is no longer finite. ``history`` holds the epochs before."""

    def __init__(self, message: str, history: list[dict[str, float]]) -> None:
        super().__init__(message)
        self.history = history


@dataclass(frozen=True)
class ImageSet:
    """Images and their labels.

    Attributes:
        pixels: uint8, (size, size, 3) each; None where ``activations`` say all that is needed.
        labels: int64 (n,), on the device.
        activations: encoder name -> activations of its frozen blocks, computed before, in all views.
    """

    pixels: StoredRows | None
    labels: Tensor
    activations: Mapping[str, StoredRows] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def take_pixels(self, rows: Tensor) -> Tensor:
        """Pixels of some rows, uint8 (n, 3, size, size).

        Raises:
            ValueError: there are activations alone.
        """
        if self.pixels is None:
            raise ValueError("the images' pixels are asked for, and only activations are at hand")
        return self.pixels.take(rows)


def image_set(
    pixels: StoredRows | None,
    labels: np.ndarray,
    runtime: Runtime,
    activations: Mapping[str, StoredRows] | None = None,
) -> ImageSet:
    """A set of images with labels, int (n,)."""
    on_device = torch.from_numpy(labels.astype(np.int64)).to(runtime.device)
    return ImageSet(pixels, on_device, activations or {})


def class_weights(labels: Tensor, classes: int, how: str) -> Tensor | None:
    """Weights of the cross entropy: None, or inversely proportional to the class's frequency, mean 1."""
    if how == "none":
        return None
    counts = torch.bincount(labels, minlength=classes).float()
    return len(labels) / (classes * counts.clamp(min=1))


def make_optimizer(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Optimiser over the parameters that are open for updates, in its fused form."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    common: dict[str, Any] = {
        "lr": settings.learning_rate,
        "weight_decay": settings.weight_decay,
        "fused": True,
    }
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=0.9, **common)
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[settings.optimizer]
    return kind(parameters, **common)


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, epochs: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Learning rate per epoch: constant, or a cosine from the initial rate towards 0 over all ``epochs``."""
    if settings.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0, total_iters=0)
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)


def epochs_of(settings: TrainingSettings, batches: int) -> tuple[int, set[int]]:
    """How many epochs a training of so many batches an epoch takes, and after which of them it is evaluated.

    As many as ``settings.epochs``, or as ``settings.min_steps`` optimiser steps need; evaluated ``settings.epochs``
    times in either case, evenly, and at the end.
    """
    epochs = max(settings.epochs, math.ceil(settings.min_steps / batches))
    return epochs, {epochs * number // settings.epochs for number in range(1, settings.epochs + 1)}


def fit(
    model: nn.Module,
    images: ImageSet,
    settings: TrainingSettings,
    runtime: Runtime,
    seed: int,
    batch_loss: Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor | None]],
    evaluate: Callable[[], Mapping[str, float]],
) -> list[dict[str, float]]:
    """Train as the settings say and give the history, one row per evaluated epoch: epoch, optimiser steps up to its
    end, losses and accuracies.

    Args:
        batch_loss: (rows of the batch, generator of their views) -> mean loss, number of right answers
            (None where there are no answers).
        evaluate: called after each evaluated epoch (see :func:`epochs_of`); its values join the row.

    Raises:
        DivergedError: a loss is no longer finite.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = make_optimizer(model, settings)
    # With batches of two, an odd image joins a batch: BatchNorm can't use a single one.
    batches = max(1, min(math.ceil(len(images) / settings.batch_size), len(images) // 2))
    epochs, evaluated = epochs_of(settings, batches)
    schedule = make_schedule(optimizer, settings, epochs)
    history: list[dict[str, float]] = []
    started = time.perf_counter()
    for epoch in range(1, epochs + 1):
        model.train()
        # Summed on the device and read once per epoch.
        loss_sum = torch.zeros((), device=images.labels.device)
        right = torch.zeros((), device=images.labels.device)
        with runtime.meter.part("training"):
            for rows in torch.randperm(len(images), generator=generator).tensor_split(batches):
                optimizer.zero_grad(set_to_none=True)
                with runtime.meter.batch("train", len(rows)):
                    loss, right_answers = batch_loss(rows, generator)
                    loss.backward()
                optimizer.step()
                loss_sum += loss.detach() * len(rows)
                if right_answers is not None:
                    right += right_answers
            row = {
                "epoch": epoch,
                "steps": epoch * batches,
                "train_loss": loss_sum.item() / len(images),
            }
        schedule.step()
        if right_answers is not None:
            row["train_accuracy"] = right.item() / len(images)
        if epoch in evaluated:
            with runtime.meter.part("evaluation"):
                row |= evaluate()
        wrong = [key for key, value in row.items() if not math.isfinite(value)]
        if wrong:
            raise DivergedError(
                f"the {wrong[0].replace('_', ' ')} is {row[wrong[0]]} in epoch {epoch}: "
                f"lower the learning rate ({settings.learning_rate:g})",
                history,
            )
        if epoch not in evaluated:
            continue
        history.append(row)
        left = (time.perf_counter() - started) / epoch * (epochs - epoch)
        values = ", ".join(f"{key} {value:.4f}" for key, value in list(row.items())[2:])
        logging.info("epoch %d/%d: %s; %.0f s left", epoch, epochs, values, left)
    return history


def classify(
    model: Classifier,
    images: ImageSet,
    rows: Tensor,
    runtime: Runtime,
    views: Tensor | None = None,
    change: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Logits of some rows, float32 (n, classes): from their activations where there are some, else pixels.

    Args:
        views: one view per row; None for the images as they are.
        change: what else is done to pixels, float (n, 3, size, size) in 0 ... 1.
    """
    known = {name: found.take(rows, views) for name, found in images.activations.items()}
    if runtime.precision_of(model) is torch.float32:
        # They may come from a machine with bfloat16.
        known = {name: values.float() for name, values in known.items()}
    inputs = None
    if images.pixels is not None:
        pixels = images.pixels.take(rows)
        pixels = (pixels if views is None else apply_views(pixels, views)).float() / 255
        inputs = change(pixels) if change else pixels
    with runtime.autocast(model):
        return model(inputs, known).float()


@torch.inference_mode()
def predict(model: Classifier, images: ImageSet, runtime: Runtime) -> Tensor:
    """Logits of every image, float32 (n, classes), on the device."""
    model.eval()
    logits = []
    for rows in torch.arange(len(images)).split(EVALUATION_BATCH):
        with runtime.meter.batch("evaluate", len(rows)):
            logits.append(classify(model, images, rows, runtime))
    return torch.cat(logits)


def loss_and_accuracy(model: Classifier, images: ImageSet, runtime: Runtime) -> tuple[float, float]:
    """Mean cross entropy and share of right answers (0 ... 1)."""
    logits = predict(model, images, runtime)
    loss = functional.cross_entropy(logits, images.labels).item()
    accuracy = (logits.argmax(1) == images.labels).double().mean().item()
    return loss, accuracy


def train_classifier(
    model: Classifier,
    train: ImageSet,
    evaluated: Mapping[str, ImageSet],
    settings: TrainingSettings,
    runtime: Runtime,
    seed: int,
    selected_on: str | None = None,
) -> list[dict[str, float]]:
    """Train a classifier in place; the history has loss and accuracy of ``train`` and of each of ``evaluated``.

    Args:
        selected_on: one of ``evaluated``: the model ends in its state of the epoch with the highest accuracy
            there (of equals: the lowest loss), marked 1 in the history's column ``selected``. None: it
            ends in that of the last epoch.
    """
    runtime.place(model)
    weights = class_weights(train.labels, model.head.out_features, settings.class_weights)

    def batch_loss(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        labels = train.labels[rows.to(runtime.device, non_blocking=True)]
        views = draw_views(len(rows), settings.flips, settings.rotation, generator)
        rotate = partial(rotate_any, generator=generator) if settings.rotation == "any" else None
        logits = classify(model, train, rows, runtime, views, rotate)
        return functional.cross_entropy(logits, labels, weights), (logits.argmax(1) == labels).sum()

    def evaluate() -> dict[str, float]:
        row = {}
        for name, images in evaluated.items():
            row[f"{name}_loss"], row[f"{name}_accuracy"] = loss_and_accuracy(model, images, runtime)
        if selected_on:
            score = (row[f"{selected_on}_accuracy"], -row[f"{selected_on}_loss"])
            row["selected"] = 0
            if score > best["score"]:
                best.update(score=score, state=copy.deepcopy(model.state_dict()))
        return row

    best: dict = {"score": (-math.inf, -math.inf), "state": None}
    history = fit(model, train, settings, runtime, seed, batch_loss, evaluate)
    if selected_on:
        model.load_state_dict(best["state"])
        scores = [(row[f"{selected_on}_accuracy"], -row[f"{selected_on}_loss"]) for row in history]
        history[scores.index(best["score"])]["selected"] = 1
    return history


@torch.inference_mode()
def reconstruct(
    model: Autoencoder, images: ImageSet, runtime: Runtime
) -> Iterator[tuple[Tensor, float]]:
    """Batches of reconstructions, float32 (n, 3, size, size) in 0 ... 1, with the sum of their mean squared errors."""
    model.eval()
    for rows in torch.arange(len(images)).split(EVALUATION_BATCH):
        targets = images.take_pixels(rows).float() / 255
        inputs = model.encoder.normalise(targets)
        with runtime.meter.batch("evaluate", len(rows)), runtime.autocast(model):
            outputs = model(inputs).float()
        yield outputs, functional.mse_loss(outputs, targets).item() * len(rows)


def reconstruction_error(model: Autoencoder, images: ImageSet, runtime: Runtime) -> float:
    """Mean squared error over all pixels of all images, of values in 0 ... 1."""
    return sum(error for _, error in reconstruct(model, images, runtime)) / len(images)


def train_autoencoder(
    model: Autoencoder,
    train: ImageSet,
    test: ImageSet,
    settings: TrainingSettings,
    runtime: Runtime,
    seed: int,
) -> list[dict[str, float]]:
    """Train an autoencoder in place by mean squared error; its history has losses and no accuracies."""
    runtime.place(model)

    def batch_loss(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        views = augment(train.take_pixels(rows), settings.flips, settings.rotation, generator)
        inputs = model.encoder.normalise(views)
        with runtime.autocast(model):
            outputs = model(inputs)
        return functional.mse_loss(outputs.float(), views), None

    def evaluate() -> dict[str, float]:
        return {"test_loss": reconstruction_error(model, test, runtime)}

    return fit(model, train, settings, runtime, seed, batch_loss, evaluate)
