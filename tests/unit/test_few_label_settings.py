"""Settings for few labels: rates per step, a head's own rate, averaged weights, views at test, balanced classes."""

import json
import math
from collections import Counter

import numpy as np
import pytest
import torch
from builders import TRAINING
from image_sets import CPU, images_of
from torch import nn
from torch.nn import functional

from fewlabels.core.settings import TrainingSettings
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.classifier import Classifier
from fewlabels.training import loop
from fewlabels.training.augmentation import apply_views
from fewlabels.training.averaging import weight_average
from fewlabels.training.optimisation import epochs_of, make_optimizer, make_schedule

SIZE = 16
SETTINGS = TrainingSettings.from_json(json.dumps(TRAINING))


def settings(**changes) -> TrainingSettings:
    return SETTINGS.model_copy(update=changes)


def classifier() -> Classifier:
    torch.manual_seed(5)
    encoder = ConvolutionalEncoder([4, 8], 6, SIZE)
    encoder.open_blocks(encoder.block_names)
    return Classifier({"small": encoder}, 3)


def noise(count: int, seed: int = 0) -> loop.ImageSet:
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)
    return images_of(pixels, np.arange(count) % 3)


def trained(**changes) -> tuple[Classifier, list[dict[str, float]]]:
    model, chosen = classifier(), settings(**changes)
    history, _ = loop.train_classifier(model, noise(12), {"test": noise(6, 1)}, chosen, CPU, 1)
    return model, history


def test_one_cycle_rates_per_step():
    """Four epochs of five steps, half of them up: from a 25th to the rate and down to (almost) nothing."""
    chosen = settings(schedule="one_cycle", warmup=0.5, learning_rate=2.0, optimizer="sgd")
    optimizer = make_optimizer(nn.Linear(1, 1), chosen)
    schedule = make_schedule(optimizer, chosen, epochs=4, batches=5)
    rates = []
    for _ in range(4):
        for _ in range(5):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch()
    # 21 points: the highest lies at place 0.5 * 21 - 1 = 9.5, the last at 20.
    up = [0.08 + (2 - 0.08) * (1 - math.cos(math.pi * step / 9.5)) / 2 for step in range(10)]
    down = [2 * (1 + math.cos(math.pi * (step - 9.5) / 10.5)) / 2 for step in range(10, 20)]
    assert rates == pytest.approx(up + down, abs=1e-4)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0, abs=1e-5)


def test_the_head_has_a_rate_of_its_own_through_every_schedule():
    for schedule in ("constant", "cosine", "one_cycle"):
        chosen = settings(schedule=schedule, learning_rate=0.5, head_learning_rate=2.0)
        model = classifier()
        optimizer = make_optimizer(model, chosen)
        moving = make_schedule(optimizer, chosen, epochs=3, batches=2)
        body, head = optimizer.param_groups
        assert {id(p) for p in head["params"]} == {id(p) for p in model.head.parameters()}
        assert len(body["params"]) + 2 == len(list(model.parameters()))
        for _ in range(3):
            optimizer.step()
            moving.after_step()
            moving.after_epoch()
            assert head["lr"] == pytest.approx(4 * body["lr"])


def test_an_exponential_mean_of_the_weights_of_all_steps():
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    mean = weight_average(model, settings(averaging="ema", ema_decay=0.2), epochs=1)
    weight, running = model[0].weight, model[1].running_mean
    with mean.in_place():
        assert weight.item() == model[0].weight.item()  # nothing was taken in yet
    for value in (1.0, 2.0, 4.0):
        with torch.no_grad():
            weight.fill_(value)
            running.fill_(-value)
        mean.after_step()
    mean.after_epoch(1)
    # The first is taken whole; then decays of 2/11 and 0.2, as 3/12 is more.
    expected = 0.2 * (1 * 2 / 11 + 2 * 9 / 11) + 0.8 * 4
    with mean.in_place():
        assert model[0].weight.item() == pytest.approx(expected)
        assert model[1].running_mean.item() == pytest.approx(-expected)
    assert (model[0].weight.item(), model[1].running_mean.item()) == (4, -4)
    mean.keep()
    assert model[0].weight.item() == pytest.approx(expected)


def test_the_mean_of_the_last_quarter_of_the_epochs():
    model = nn.Linear(1, 1)
    mean = weight_average(model, settings(averaging="mean"), epochs=8)
    for epoch in range(1, 9):
        with torch.no_grad():
            model.weight.fill_(float(epoch))
        mean.after_step()
        mean.after_epoch(epoch)
    mean.keep()
    assert model.weight.item() == pytest.approx(7.5)


@pytest.mark.parametrize("how", ["ema", "mean"])
def test_averaged_weights_are_evaluated_and_kept_and_training_goes_on_from_its_own(how):
    plain, history = trained(epochs=8)
    averaged, found = trained(epochs=8, averaging=how, ema_decay=0.9)
    assert [row["train_loss"] for row in found] == [row["train_loss"] for row in history]
    assert found[-1]["test_loss"] != history[-1]["test_loss"]
    logits = loop.predict(averaged, noise(6, 1), CPU)
    assert found[-1]["test_loss"] == loop.loss_and_accuracy(logits, noise(6, 1).labels)[0]
    assert not torch.equal(plain.head.weight, averaged.head.weight)
    assert weight_average(plain, settings(), 8) is None


@pytest.mark.parametrize("how", ["none", "ema", "mean"])
def test_what_the_last_evaluation_answered_is_given_and_not_asked_for_again(how, monkeypatch):
    really, asked = loop.predict, []

    def predict(*given):
        asked.append(given)
        return really(*given)

    monkeypatch.setattr(loop, "predict", predict)
    model, chosen = classifier(), settings(epochs=8, test_every=4, averaging=how)
    sets = {"test": noise(6, 1), "validation": noise(5, 2)}
    history, logits = loop.train_classifier(model, noise(12), sets, chosen, CPU, 1)
    assert len(asked) == len(history) * len(sets) == 4
    for name, images in sets.items():
        assert torch.equal(logits[name], really(model, images, CPU))


def test_probabilities_are_averaged_over_the_views():
    model, images = classifier(), noise(5)
    views = (0, 3, 6)
    seen = loop.ImageSet(images.pixels, images.labels, views=views)
    found = loop.predict(model, seen, CPU).exp()
    pixels = images.pixels.take(torch.arange(5))
    each = [apply_views(pixels, torch.full((5,), view)).float() / 255 for view in views]
    expected = torch.stack([model(turned).softmax(1) for turned in each]).mean(0)
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, loop.predict(model, images, CPU).softmax(1))


def test_the_mean_of_views_stays_finite():
    """The loss of an image that every view is surely wrong about is large, and no reason to call a run diverged."""
    found = loop.mean_of_views([torch.tensor([[500.0, 0.0]]), torch.tensor([[300.0, 0.0]])])
    torch.testing.assert_close(found, torch.tensor([[0.0, -300 - math.log(2)]]))


def test_balanced_sampling_draws_each_class_equally_often():
    labels = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
    generator = torch.Generator().manual_seed(0)
    order = loop.order_of_images(labels, settings(sampling="balanced"), generator)
    assert len(order) == 1000
    counts = Counter(labels[order].tolist())
    assert all(abs(counts[label] - 1000 / 3) < 5 * math.sqrt(1000 / 3) for label in range(3))
    # Of the many images of class 0 most are other ones.
    assert len(set(order[labels[order] == 0].tolist())) > 200
    shuffled = loop.order_of_images(labels, settings(), generator)
    assert sorted(shuffled.tolist()) == list(range(1000))


def test_balanced_sampling_is_what_training_does(monkeypatch):
    asked = []
    known = loop.order_of_images

    def watch(labels, chosen, generator):
        asked.append(chosen.sampling)
        return known(labels, chosen, generator)

    monkeypatch.setattr(loop, "order_of_images", watch)
    _, balanced = trained(sampling="balanced", epochs=2)
    assert asked == ["balanced"] * 2
    _, shuffled = trained(epochs=2)
    assert balanced[0]["train_loss"] != shuffled[0]["train_loss"]


def test_labels_are_smoothed(monkeypatch):
    seen = []
    known = functional.cross_entropy

    def watch(logits, labels, weights=None, **options):
        seen.append(options.get("label_smoothing", 0))
        return known(logits, labels, weights, **options)

    monkeypatch.setattr(loop.functional, "cross_entropy", watch)
    trained(epochs=1, label_smoothing=0.25)
    # The test's loss is of the labels as they are.
    assert Counter(seen) == {0.25: len(seen) - 1, 0: 1}


@pytest.mark.parametrize(
    ("epochs", "every", "expected"),
    [(6, 1, {1, 2, 3, 4, 5, 6}), (6, 2, {2, 4, 6}), (7, 3, {3, 6, 7}), (2, 5, {2})],
)
def test_evaluated_at_every_so_manieth_epoch_and_the_last(epochs, every, expected):
    assert epochs_of(settings(epochs=epochs, test_every=every), 1) == (epochs, expected)
    assert [row["epoch"] for row in trained(epochs=epochs, test_every=every)[1]] == sorted(expected)
