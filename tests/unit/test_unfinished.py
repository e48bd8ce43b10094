"""A training that was cut off and gone on with ends in the same bytes as one that was not."""

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import (
    TRAINING,
)
from cutting_off import KilledError, at_step, keep_always, keep_never
from image_sets import CPU, images_of
from torch import nn

from fewlabels.core.interruption import STOP, StoppedError
from fewlabels.core.settings import TrainingSettings, Unlabelled
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.classifier import Classifier
from fewlabels.training import loop
from fewlabels.training.loop import train_classifier
from fewlabels.training.unfinished import Unfinished
from fewlabels.training.work_meter import WorkMeter

SIZE = 16
#: Three epochs of three steps.
EPOCHS, STEPS = 3, 3
SHORT = TRAINING | {"epochs": EPOCHS, "batch_size": 4, "learning_rate": 0.01}
#: What of the settings has a state of its own.
RECIPES = {
    "plain": {},
    "one cycle, ema": {"schedule": "one_cycle", "averaging": "ema"},
    "mean": {"averaging": "mean", "epochs": 9, "batch_size": 12},
    "sgd": {"optimizer": "sgd"},
    "views": {"rotation": "any", "colour_jitter": 0.2, "sampling": "balanced"},
    "frozen": {"averaging": "ema", "head_learning_rate": 0.1},
    "steps": {"epochs": 2, "min_steps": 9, "test_every": 2},
    "chosen epoch": {"averaging": "ema"},
    "pseudo labels": {"averaging": "ema"},
    "mean teacher": {"averaging": "ema"},
}
FURTHER = {
    "pseudo labels": Unlabelled(method="pseudo_labels", confidence=0.3),
    "mean teacher": Unlabelled(method="mean_teacher"),
}


def noise(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8)


def small_classifier(recipe: str) -> Classifier:
    """A network that draws, by dropout, from torch's own generator."""
    torch.manual_seed(5)
    encoder = ConvolutionalEncoder([4, 6], 8, SIZE)
    encoder.open_blocks(encoder.block_names[1 if recipe == "frozen" else 0 :])
    model = Classifier({"small": encoder}, 3)
    model.head = nn.Sequential(nn.Dropout(0.3), model.head)
    return model


def train(recipe: str, unfinished: Unfinished | None = None) -> tuple[list[dict], dict]:
    """The history, and the weights that are left, with what they answer."""
    settings = TrainingSettings.from_json(json.dumps(SHORT | RECIPES[recipe]))
    images = images_of(noise(12, 0), np.arange(12) % 3)
    evaluated = {name: images_of(noise(7, 1), np.arange(7) % 3) for name in ("test", "validation")}
    runtime = replace(CPU, meter=WorkMeter(), unfinished=unfinished or Unfinished())
    model = small_classifier(recipe)
    selected = "validation" if recipe == "chosen epoch" else None
    further = (images_of(noise(9, 2)).pixels, FURTHER[recipe]) if recipe in FURTHER else None
    history, logits = train_classifier(
        model, images, evaluated, settings, runtime, 1, selected, further
    )
    return history, dict(model.state_dict()) | {
        f"logits of {name}": logits[name] for name in logits
    }


def same(one: tuple[list[dict], dict], other: tuple[list[dict], dict]) -> bool:
    assert list(one[1]) == list(other[1])
    return one[0] == other[0] and all(torch.equal(one[1][name], other[1][name]) for name in one[1])


@pytest.mark.parametrize("recipe", RECIPES)
def test_killed_at_any_step_it_ends_in_the_same_bytes(recipe, tmp_path, monkeypatch):
    keep_always(monkeypatch)
    undisturbed = train(recipe)
    assert not same(undisturbed, train("plain" if recipe != "plain" else "sgd"))
    path = tmp_path / "state.pt"
    # Within an epoch, between two, and before the last step.
    for step in (2, 4, EPOCHS * STEPS):
        with at_step(step, KilledError), pytest.raises(KilledError):
            train(recipe, Unfinished(path))
        unfinished = Unfinished(path)
        # No step is made twice but the last one.
        with at_step(EPOCHS * STEPS - step + 2, KilledError):
            assert same(train(recipe, unfinished), undisturbed)
        assert unfinished.continued == 1
        path.unlink()


def test_killed_again_and_again(tmp_path, monkeypatch):
    keep_always(monkeypatch)
    undisturbed = train("mean teacher")
    # Each time one step is made.
    for times in range(EPOCHS * STEPS - 1):
        unfinished = Unfinished(tmp_path / "state.pt")
        with at_step(2, KilledError), pytest.raises(KilledError):
            train("mean teacher", unfinished)
        assert unfinished.continued == times
    unfinished = Unfinished(tmp_path / "state.pt")
    assert same(train("mean teacher", unfinished), undisturbed)
    assert unfinished.seconds > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT])
def test_a_signal_waits_for_the_step_and_keeps_the_state(number, tmp_path, monkeypatch):
    keep_never(monkeypatch)
    undisturbed = train("chosen epoch")
    path = tmp_path / "state.pt"
    STOP.listen()
    try:
        with at_step(5, number), pytest.raises(StoppedError, match=number.name):
            train("chosen epoch", Unfinished(path))
    finally:
        STOP.forget()
    # The step in which it came was made.
    with at_step(EPOCHS * STEPS - 5 + 1, KilledError):
        assert same(train("chosen epoch", Unfinished(path)), undisturbed)


def test_a_signal_interrupts_an_evaluation(tmp_path, monkeypatch):
    """The steps of the epoch are kept, and neither made again nor counted twice."""
    keep_never(monkeypatch)
    undisturbed = train("chosen epoch")
    path = tmp_path / "state.pt"
    really, evaluations = loop.predict, 0

    def predict(*given):
        nonlocal evaluations
        evaluations += 1
        # Two sets are evaluated each epoch: it comes in front of the second.
        if evaluations == 4:
            signal.raise_signal(signal.SIGTERM)
        return really(*given)

    monkeypatch.setattr(loop, "predict", predict)
    STOP.listen()
    try:
        with pytest.raises(StoppedError):
            train("chosen epoch", Unfinished(path))
    finally:
        STOP.forget()
    with at_step(EPOCHS * STEPS - 6 + 1, KilledError):
        assert same(train("chosen epoch", Unfinished(path)), undisturbed)


@pytest.mark.parametrize("recipe", ["chosen epoch", "one cycle, ema"])
def test_a_signal_behind_the_last_evaluation(recipe, tmp_path, monkeypatch):
    """No step is left to be made, and nothing to be asked for."""
    keep_never(monkeypatch)
    undisturbed = train(recipe)
    path = tmp_path / "state.pt"
    really, evaluations = loop.predict, 0

    def predict(*given):
        nonlocal evaluations
        evaluations += 1
        logits = really(*given)
        if evaluations == 2 * EPOCHS:
            signal.raise_signal(signal.SIGTERM)
        return logits

    STOP.listen()
    try:
        with monkeypatch.context() as patched, pytest.raises(StoppedError):
            patched.setattr(loop, "predict", predict)
            train(recipe, Unfinished(path))
    finally:
        STOP.forget()
    monkeypatch.setattr(loop, "predict", None)
    with at_step(1, KilledError):
        assert same(train(recipe, Unfinished(path)), undisturbed)


@pytest.mark.parametrize("length", [0, 100, -1])
def test_a_broken_state_is_told_and_not_used(length, tmp_path, monkeypatch, caplog):
    keep_always(monkeypatch)
    path = tmp_path / "state.pt"
    with at_step(5, KilledError), pytest.raises(KilledError):
        train("plain", Unfinished(path))
    path.write_bytes(path.read_bytes()[:length])
    unfinished = Unfinished(path)
    assert same(train("plain", unfinished), train("plain"))
    assert "state.pt is no readable state" in caplog.text
    assert unfinished.continued == 0


def test_a_hostile_state_runs_nothing(tmp_path, caplog):
    """A pickle with a call in it."""

    class Call:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"parts": Call(), "seconds": 0, "continued": 0}, tmp_path / "state.pt")
    assert Unfinished(tmp_path / "state.pt").load() is None
    assert "is no readable state" in caplog.text
    assert not (tmp_path / "ran").exists()


def test_states_are_kept_so_seldom_that_it_costs_little(tmp_path):
    unfinished = Unfinished(tmp_path / "state.pt")
    unfinished.expect(0)
    assert not unfinished.is_due()
    unfinished.save({})
    spent = unfinished._cost
    assert spent > 0
    unfinished._last -= 49 * spent
    assert not unfinished.is_due()
    unfinished._last -= 2 * spent
    assert unfinished.is_due()
    # Large states are expected to take long.
    unfinished.expect(10**12)
    assert not unfinished.is_due()
