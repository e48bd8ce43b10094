"""The training loop that all models share, and their evaluation.

Images stay on the GPU, or in the memory-mapped file, as uint8; batches are taken by index, augmented on the device, and
no step waits for it. An epoch's images are split into batches of nearly equal size (differing by at
most one), so that BatchNorm never meets a tiny last batch.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from fewlabels.core.settings import TrainingSettings, Unlabelled
from fewlabels.data.pictures import Key
from fewlabels.networks.autoencoder import Autoencoder
from fewlabels.networks.classifier import Classifier
from fewlabels.training.augmentation import apply_views, augment, change_of, draw_views
from fewlabels.training.averaging import WeightAverage, weight_average
from fewlabels.training.best_epoch import Answers, BestEpoch
from fewlabels.training.divergence import DivergedError, divergence
from fewlabels.training.optimisation import epochs_of, make_optimizer, make_schedule
from fewlabels.training.pace import Pace
from fewlabels.training.runtime import Runtime
from fewlabels.training.stored_rows import StoredRows
from fewlabels.training.unfinished import Generators, Keeper, Position, Stateful, Trained
from fewlabels.training.unlabelled import UnlabelledLoss

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class ImageSet:
    """Images and their labels.

    Attributes:
        pixels: uint8, (size, size, 3) each; None where ``activations`` say all that is needed.
        labels: int64 (n,), on the device.
        activations: encoder name -> activations of its frozen blocks, computed before, in all views.
        views: in which it is predicted; of several, probabilities are averaged.
        pictures: id and kind of each image; empty where nobody needs to name them.
    """

    pixels: StoredRows | None
    labels: Tensor
    activations: Mapping[str, StoredRows] = field(default_factory=dict)
    views: tuple[int, ...] = (0,)
    pictures: tuple[Key, ...] = ()

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
    views: Sequence[int] = (0,),
    pictures: Sequence[Key] = (),
) -> ImageSet:
    """A set of images with labels, int (n,)."""
    on_device = torch.from_numpy(labels.astype(np.int64)).to(runtime.device)
    return ImageSet(pixels, on_device, activations or {}, tuple(views), tuple(pictures))


def class_weights(labels: Tensor, classes: int, how: str) -> Tensor | None:
    """Weights of the cross entropy: None, or inversely proportional to the class's frequency, mean 1."""
    if how == "none":
        return None
    counts = torch.bincount(labels, minlength=classes).float()
    return len(labels) / (classes * counts.clamp(min=1))


def batches_of(images: ImageSet, settings: TrainingSettings) -> int:
    """How many batches an epoch has."""
    # With batches of two, an odd image joins a batch: BatchNorm can't use a single one.
    return max(1, min(math.ceil(len(images) / settings.batch_size), len(images) // 2))


def order_of_images(
    labels: Tensor, settings: TrainingSettings, generator: torch.Generator
) -> Tensor:
    """Places of an epoch's images, int64 (n,) on the CPU: each once, or as many drawn with replacement, each class
    equally often on average.

    Args:
        labels: int64 (n,), on the CPU.
    """
    if settings.sampling == "shuffled":
        return torch.randperm(len(labels), generator=generator)
    rarity = 1 / torch.bincount(labels).double()[labels]
    return torch.multinomial(rarity, len(labels), replacement=True, generator=generator)


def not_finite(row: Mapping[str, float]) -> list[str]:
    """The columns of a history's row whose values are no finite numbers."""
    return [key for key, value in row.items() if not math.isfinite(value)]


def fit(
    model: nn.Module,
    images: ImageSet,
    settings: TrainingSettings,
    runtime: Runtime,
    seed: int,
    batch_loss: Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor | None]],
    evaluate: Callable[[], Mapping[str, float]],
    average: WeightAverage | None = None,
    carried: Mapping[str, Stateful] | None = None,
) -> list[dict[str, float]]:
    """Train as the settings say and give the history, one row per evaluated epoch: epoch, optimiser steps up to its
    end, losses and accuracies. A training that was cut off goes on from where ``runtime.unfinished`` kept it.

    Args:
        batch_loss: (rows of the batch, generator of their views) -> mean loss, number of right answers
            (None where there are no answers).
        evaluate: called after each evaluated epoch (see :func:`epochs_of`); its values join the row.
        average: of the weights, where the caller needs it, too; None: made here as the settings say.
        carried: what else changes from step to step, or from evaluation to evaluation: kept with the rest.

    Raises:
        DivergedError: a loss is no longer finite.
        StoppedError: the process was asked to leave.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = make_optimizer(model, settings)
    labels = images.labels.cpu()
    batches = batches_of(images, settings)
    epochs, evaluated = epochs_of(settings, batches)
    schedule = make_schedule(optimizer, settings, epochs, batches)
    average = average or weight_average(model, settings, epochs)
    position = Position(images.labels.device, batches)
    parts: dict[str, Stateful] = {
        **{"position": position, "model": Trained(model), "optimizer": optimizer},
        **{"schedule": schedule.rates, "generators": Generators(generator, runtime.device)},
        **{"meter": runtime.meter, **({"average": average} if average else {}), **(carried or {})},
    }
    keeper = Keeper(runtime.unfinished, parts)
    if keeper.resume():
        logging.info("goes on in epoch %d, behind step %d", position.epoch, position.step)

    def train_epoch() -> None:
        model.train()
        if position.order is None:
            position.order = order_of_images(labels, settings, generator)
        for rows in position.order.tensor_split(batches)[position.step :]:
            keeper.between_steps()
            optimizer.zero_grad(set_to_none=True)
            with runtime.meter.batch("train", len(rows)):
                loss, right_answers = batch_loss(rows, generator)
                loss.backward()
            optimizer.step()
            schedule.after_step()
            if average:
                average.after_step()
            position.after_step(loss, right_answers, len(rows))
            pace.after_step()
        # Here a GPU is waited for, and where the pace is told.
        position.end_epoch(epoch * batches, len(images))

    pace = Pace(epochs, position)
    with keeper.keeps_when_stopped(runtime.meter):
        for epoch in range(position.epoch, epochs + 1):
            if not position.row:
                with runtime.meter.part("training"):
                    train_epoch()
                schedule.after_epoch()
                if average:
                    average.after_epoch(epoch)
            keeper.between_steps()
            row = dict(position.row)
            if epoch in evaluated and not not_finite(row):
                mean = average.in_place() if average else nullcontext()
                with runtime.meter.part("evaluation"), mean:
                    row |= evaluate()
            wrong = not_finite(row)
            if wrong:
                losses, rows = position.losses_and_rows()
                before = (epoch - 1) * batches
                found = divergence(wrong[0], row[wrong[0]], losses, rows, before, epoch)
                file = runtime.replay_file.write(found, images.pictures, settings.learning_rate)
                raise DivergedError(
                    f"the {wrong[0].replace('_', ' ')} is {found.value} in epoch {epoch}, "
                    f"{found.place(images.pictures)}{file}: lower the learning rate ({settings.learning_rate:g})",
                    position.history,
                )
            position.next_epoch(row if epoch in evaluated else None)
            if epoch not in evaluated:
                continue
            values = ", ".join(f"{key} {value:.4f}" for key, value in list(row.items())[2:])
            pace.say(epoch, values)
        keeper.between_steps()
    if average:
        average.keep()
    return position.history


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
    """Logits of every image, float32 (n, classes), on the device; in several views: logarithms of the mean of the
    probabilities."""
    model.eval()
    logits = []
    for rows in torch.arange(len(images)).split(EVALUATION_BATCH):
        seen = []
        for view in images.views:
            # The image as it is needs no turning.
            views = torch.full_like(rows, view) if view else None
            with runtime.meter.batch("evaluate", len(rows)):
                seen.append(classify(model, images, rows, runtime, views))
        logits.append(mean_of_views(seen) if len(seen) > 1 else seen[0])
    return torch.cat(logits)


def mean_of_views(logits: Sequence[Tensor]) -> Tensor:
    """Logarithms of mean probabilities, float (n, classes); finite where a probability is too small for a float."""
    return torch.stack(list(logits)).log_softmax(2).logsumexp(0) - math.log(len(logits))


def loss_and_accuracy(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross entropy and share of right answers (0 ... 1) of logits, float (n, classes), for int64 (n,)."""
    loss = functional.cross_entropy(logits, labels).item()
    accuracy = (logits.argmax(1) == labels).double().mean().item()
    return loss, accuracy


def train_classifier(
    model: Classifier,
    train: ImageSet,
    evaluated: Mapping[str, ImageSet],
    settings: TrainingSettings,
    runtime: Runtime,
    seed: int,
    selected_on: str | None = None,
    unlabelled: tuple[StoredRows, Unlabelled] | None = None,
) -> tuple[list[dict[str, float]], dict[str, Tensor]]:
    """Train a classifier in place, and give its history and its logits in the end, float32 (n, classes), for each of
    ``evaluated``. The history has loss and accuracy of ``train`` and of each of these.

    Args:
        selected_on: one of ``evaluated``: the model ends in its state of the epoch with the highest accuracy
            there (of equals: the lowest loss), marked 1 in the history's column ``selected``. None: it
            ends in that of the last epoch.
        unlabelled: pixels of images without labels, and how they are used.
    """
    runtime.place(model)
    weights = class_weights(train.labels, model.classes, settings.class_weights)
    average, further = None, None
    if unlabelled:
        batches = batches_of(train, settings)
        epochs, _ = epochs_of(settings, batches)
        average = WeightAverage(model, settings, epochs)
        further = UnlabelledLoss(*unlabelled, settings, runtime, average, epochs * batches)

    def batch_loss(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        labels = train.labels[rows.to(runtime.device, non_blocking=True)]
        views = draw_views(len(rows), settings.flips, settings.rotation, generator)
        logits = classify(model, train, rows, runtime, views, change_of(settings, generator))
        loss = functional.cross_entropy(
            logits, labels, weights, label_smoothing=settings.label_smoothing
        )
        if further:
            loss = loss + further(model, len(rows), generator)
        return loss, (logits.argmax(1) == labels).sum()

    def evaluate() -> dict[str, float]:
        row = {}
        for name, images in evaluated.items():
            latest.logits[name] = predict(model, images, runtime)
            of_all = loss_and_accuracy(latest.logits[name], images.labels)
            row[f"{name}_loss"], row[f"{name}_accuracy"] = of_all
        if selected_on:
            score = (row[f"{selected_on}_accuracy"], -row[f"{selected_on}_loss"])
            row["selected"] = 0
            best.take(score, latest.logits)
        return row

    latest, best = Answers(), BestEpoch(model)
    carried: dict[str, Stateful] = {"answers": latest}
    if selected_on:
        carried["best"] = best
    if further:
        carried["unlabelled"] = further
    history = fit(model, train, settings, runtime, seed, batch_loss, evaluate, average, carried)
    if selected_on:
        best.load()
        scores = [(row[f"{selected_on}_accuracy"], -row[f"{selected_on}_loss"]) for row in history]
        history[scores.index(best.score)]["selected"] = 1
        return history, best.logits
    return history, latest.logits


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
        views = augment(train.take_pixels(rows), settings, generator)
        inputs = model.encoder.normalise(views)
        with runtime.autocast(model):
            outputs = model(inputs)
        return functional.mse_loss(outputs.float(), views), None

    def evaluate() -> dict[str, float]:
        return {"test_loss": reconstruction_error(model, test, runtime)}

    return fit(model, train, settings, runtime, seed, batch_loss, evaluate)
