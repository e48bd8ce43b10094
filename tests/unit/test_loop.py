"""The training loop: its batches, its numbers, its determinism, and that it learns."""

import argparse
import json
import math

import numpy as np
import pytest
import torch
from builders import AUTOENCODER_TRAINING, TRAINING
from image_sets import CPU, images_of, pixels_in
from torch import nn
from torch.nn import functional

from fewlabels.core.settings import TrainingSettings
from fewlabels.networks.autoencoder import Autoencoder, ConvolutionalEncoder
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import IMAGENET, normalise
from fewlabels.training import loop as training
from fewlabels.training.optimisation import epochs_of, make_optimizer, make_schedule
from fewlabels.training.runtime import Runtime
from fewlabels.training.stored_rows import StoredRows

SIZE = 16
SETTINGS = TrainingSettings.from_json(json.dumps(TRAINING))


def settings(**changes) -> TrainingSettings:
    return SETTINGS.model_copy(update=changes)


def coloured(per_class: int, classes: int = 3, seed: int = 0) -> training.ImageSet:
    """Noisy images, class k bright in channel k."""
    generator = np.random.default_rng(seed)
    labels = np.arange(per_class * classes) % classes
    pixels = generator.integers(0, 100, (len(labels), SIZE, SIZE, 3), dtype=np.uint8)
    for place, label in enumerate(labels):
        pixels[place, ..., label] += 120
    return images_of(pixels, labels)


def small_classifier(classes: int = 3) -> Classifier:
    torch.manual_seed(5)
    encoder = ConvolutionalEncoder([8, 8], 8, SIZE)
    encoder.open_blocks(encoder.block_names)
    return Classifier({"pRCC_autoencoder": encoder}, classes)


def train(seed: int = 1, images: training.ImageSet | None = None, **changes):
    model = small_classifier()
    history, _ = training.train_classifier(
        *(
            model,
            images or coloured(10),
            {"test": coloured(4, seed=1)},
            settings(**changes),
            CPU,
            seed,
        )
    )
    return history, model


def test_settings_are_read():
    """What is not given leaves training as the published experiment has it."""
    off = {"min_steps": 0, "head_learning_rate": None, "averaging": "none", "label_smoothing": 0}
    off |= {"sampling": "shuffled", "colour_jitter": 0, "test_views": "one", "test_every": 1}
    unused = {"warmup": 0.3, "ema_decay": 0.99}
    assert SETTINGS.plain() == TRAINING | off | unused


def test_an_autoencoder_needs_no_class_weights():
    assert TrainingSettings.from_json(json.dumps(AUTOENCODER_TRAINING)).class_weights == "none"


@pytest.mark.parametrize("key", AUTOENCODER_TRAINING)
def test_a_missing_key_is_named(key):
    values = {name: value for name, value in TRAINING.items() if name != key}
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{key}'"):
        TrainingSettings.from_json(json.dumps(values))


def test_an_unknown_key_is_named():
    with pytest.raises(argparse.ArgumentTypeError, match="'momentum'"):
        TrainingSettings.from_json(json.dumps({**TRAINING, "momentum": 0.9}))


def test_class_weights_by_hand():
    # n / (classes x count): 6 / (3 x 3), 6 / (3 x 2), 6 / (3 x 1).
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    weights = training.class_weights(labels, 3, "balanced")
    torch.testing.assert_close(weights, torch.tensor([2 / 3, 1.0, 2.0]))
    assert weights[labels].mean().item() == pytest.approx(1)
    assert training.class_weights(labels, 3, "none") is None


def test_class_weights_of_an_absent_class_are_finite():
    assert torch.isfinite(training.class_weights(torch.tensor([0, 0]), 3, "balanced")).all()


def batches(count: int, size: int, epochs: int = 1, seed: int = 0) -> list[torch.Tensor]:
    """The rows of every batch that ``fit`` takes."""
    taken = []
    model = nn.Linear(1, 1)

    def batch_loss(rows, generator):
        taken.append(rows)
        return model.weight.sum() * 0 + rows.float().mean(), torch.tensor(1)

    images = images_of(np.zeros((count, 2, 2, 3), np.uint8))
    history = training.fit(
        model, images, settings(batch_size=size, epochs=epochs), CPU, seed, batch_loss, dict
    )
    # The loss of a batch is the mean of its rows: weighted by size, the epoch's is the mean of all.
    assert history[0]["train_loss"] == pytest.approx((count - 1) / 2, rel=1e-5)
    assert history[0]["train_accuracy"] == pytest.approx(len(taken) / epochs / count)
    return taken


@pytest.mark.parametrize("size", [2, 3, 4, 7, 64])
def test_every_image_once_an_epoch_and_never_a_batch_of_one(size):
    for count in range(2, 30):
        rows = batches(count, size)
        sizes = [len(batch) for batch in rows]
        assert torch.cat(rows).sort().values.tolist() == list(range(count))
        assert min(sizes) >= 2
        assert max(sizes) - min(sizes) <= 1
        # With batches of two, an odd image joins one of them.
        assert max(sizes) <= max(size, 3)


def test_the_order_is_drawn_anew_each_epoch_by_the_seed():
    one, same, other = (batches(40, 8, 2, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.cat(one), torch.cat(same))
    assert not torch.equal(torch.cat(one), torch.cat(other))
    assert not torch.equal(torch.cat(one[:5]), torch.cat(one[5:]))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_the_optimizer_holds_open_parameters_only(name, kind):
    model = small_classifier()
    model.encoders["pRCC_autoencoder"].open_blocks(["latent"])
    chosen = settings(optimizer=name, learning_rate=0.25, weight_decay=0.125)
    optimizer = make_optimizer(model, chosen)
    assert type(optimizer) is kind
    [group] = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.25, 0.125)
    # Weight and bias of the linear layer and of the head.
    assert len(group["params"]) == 4
    if name == "sgd":
        assert group["momentum"] == 0.9


@pytest.mark.parametrize(
    ("schedule", "rates"),
    # A cosine over four epochs: (1 + cos(pi k / 4)) / 2.
    [("constant", [1, 1, 1, 1]), ("cosine", [1, 0.8535534, 0.5, 0.1464466])],
)
def test_the_learning_rate_of_each_epoch(schedule, rates):
    chosen = settings(schedule=schedule, epochs=4, learning_rate=2.0, optimizer="sgd")
    optimizer = make_optimizer(nn.Linear(1, 1), chosen)
    schedule = make_schedule(optimizer, chosen, chosen.epochs, batches=1)
    found = []
    for _ in range(4):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.after_step()
        schedule.after_epoch()
    assert found == pytest.approx([2 * rate for rate in rates], rel=1e-6)


def test_it_learns_colours():
    history, _ = train(epochs=12, learning_rate=0.01)
    assert [row["epoch"] for row in history] == list(range(1, 13))
    assert set(history[0]) == {
        "epoch",
        "steps",
        "train_loss",
        "train_accuracy",
        "test_loss",
        "test_accuracy",
    }
    assert history[-1]["train_loss"] < history[0]["train_loss"] / 3
    assert history[-1]["test_loss"] < history[0]["test_loss"]
    assert history[-1]["train_accuracy"] == 1.0
    assert history[-1]["test_accuracy"] == 1.0


@pytest.mark.parametrize("rotation", ["right_angles", "any"])
def test_equal_seeds_give_equal_histories_and_weights(rotation):
    history, model = train(rotation=rotation)
    again, other_model = train(rotation=rotation)
    assert history == again
    for name, value in model.state_dict().items():
        assert torch.equal(value, other_model.state_dict()[name]), name
    assert train(seed=2, rotation=rotation)[0] != history


def test_class_weights_join_the_loss():
    images = coloured(10)
    unequal = images_of(pixels_in(images)[:13], images.labels[:13].clamp(max=1).numpy())
    plain, _ = train(images=unequal)
    balanced, _ = train(images=unequal, class_weights="balanced")
    assert plain[0]["train_loss"] != pytest.approx(balanced[0]["train_loss"], rel=1e-3)


def test_a_loss_that_is_not_finite_is_one_line():
    with pytest.raises(
        training.DivergedError,
        match=r"train loss is (nan|inf) in epoch \d, first in step \d with the images row \d+, .*: lower the learning",
    ):
        train(optimizer="sgd", learning_rate=1e30, epochs=3)


def test_predictions_are_those_of_the_model(monkeypatch):
    images, model = coloured(3), small_classifier()
    whole = training.predict(model, images, CPU)
    monkeypatch.setattr(training, "EVALUATION_BATCH", 4)
    in_parts = training.predict(model, images, CPU)
    model.eval()
    with torch.inference_mode():
        expected = model(images.pixels.take(torch.arange(9)).float() / 255)
    assert whole.dtype == torch.float32
    torch.testing.assert_close(whole, expected)
    torch.testing.assert_close(in_parts, expected)


def test_loss_and_accuracy_by_hand():
    # Right, right, wrong.
    logits, labels = torch.tensor([[0.0, 0], [0, 2], [0, 2]]), torch.tensor([0, 1, 0])
    loss, accuracy = training.loss_and_accuracy(logits, labels)
    terms = [math.log(2), math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))]
    assert loss == pytest.approx(sum(terms) / 3, rel=1e-5)
    assert accuracy == pytest.approx(2 / 3)


def test_the_autoencoder_learns_and_its_history_has_no_accuracy():
    torch.manual_seed(0)
    model = Autoencoder([8, 8], 8, SIZE)
    chosen = TrainingSettings.from_json(
        json.dumps(AUTOENCODER_TRAINING | {"epochs": 15, "learning_rate": 0.01})
    )
    history = training.train_autoencoder(model, coloured(10), coloured(3, seed=1), chosen, CPU, 0)
    assert set(history[0]) == {"epoch", "steps", "train_loss", "test_loss"}
    assert history[-1]["train_loss"] < history[0]["train_loss"] / 2


def test_images_without_pixels_are_not_reconstructed():
    only_activations = training.ImageSet(None, torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="only activations are at hand"):
        training.reconstruction_error(Autoencoder([8], 8, SIZE), only_activations, CPU)


def test_reconstructions_and_their_error(monkeypatch):
    torch.manual_seed(0)
    images, model = coloured(3), Autoencoder([8], 8, SIZE)
    monkeypatch.setattr(training, "EVALUATION_BATCH", 4)  # 9 images: batches of 4, 4, 1
    pictures = torch.cat([batch for batch, _ in training.reconstruct(model, images, CPU)])
    error = training.reconstruction_error(model, images, CPU)
    targets = images.pixels.take(torch.arange(9)).float() / 255
    with torch.inference_mode():
        expected = model.eval()(normalise(targets, IMAGENET))
    torch.testing.assert_close(pictures, expected)
    assert error == pytest.approx(functional.mse_loss(expected, targets).item(), rel=1e-5)


def test_activations_of_another_precision_are_taken(monkeypatch):
    """A run without bfloat16 may find activations that a machine with it made."""
    images, model = coloured(3), small_classifier()
    (name,) = model.encoders
    encoder = model.encoders[name]
    encoder.open_blocks(encoder.block_names[1:])
    model.eval()
    with torch.inference_mode():
        prefix = encoder.prefix(
            normalise(images.pixels.take(torch.arange(9)).float() / 255, IMAGENET)
        )
    array = prefix.permute(0, 2, 3, 1).contiguous()
    known = {name: StoredRows([array.bfloat16()], torch.arange(9)[:, None], CPU.device)}
    found = training.predict(model, training.ImageSet(None, images.labels, known), CPU)
    torch.testing.assert_close(found, training.predict(model, images, CPU), rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("epochs", "min_steps", "batches", "expected"),
    [
        (3, 0, 5, (3, {1, 2, 3})),
        (3, 15, 5, (3, {1, 2, 3})),
        (3, 16, 5, (4, {1, 2, 4})),
        (2, 300, 3, (100, {50, 100})),
    ],
)
def test_a_training_takes_the_steps_asked_for_and_is_evaluated_as_often(
    epochs, min_steps, batches, expected
):
    chosen = settings(epochs=epochs, min_steps=min_steps)
    assert epochs_of(chosen, batches) == expected


def test_the_history_counts_optimiser_steps():
    """30 images in batches of at most 8: four steps an epoch, and seven epochs for 28 steps, evaluated twice."""
    history, _ = train(epochs=2, batch_size=8, min_steps=28)
    assert [(row["epoch"], row["steps"]) for row in history] == [(3, 12), (7, 28)]


def test_depthwise_networks_train_in_float32_where_precision_is_automatic():
    depthwise = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4))
    dense = nn.Sequential(nn.Conv2d(4, 4, 3))
    automatic = Runtime(torch.device("cpu"), torch.bfloat16, 1, chosen=True)
    asked = Runtime(torch.device("cpu"), torch.bfloat16, 1)
    assert automatic.precision_of(depthwise.train()) is torch.float32
    assert automatic.precision_of(depthwise.eval()) is torch.bfloat16
    assert automatic.precision_of(dense.train()) is torch.bfloat16
    assert asked.precision_of(depthwise.train()) is torch.bfloat16
