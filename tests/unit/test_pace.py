"""A training's log tells how far it is, also where epochs are long and evaluations rare."""

import logging

import pytest
import torch

from fewlabels.training import pace as module
from fewlabels.training.pace import Pace
from fewlabels.training.unfinished import Position
from fewlabels.workflow.progress import read_epoch


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test sets."""
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


def position(batches: int = 4) -> Position:
    return Position(torch.device("cpu"), batches)


def step(place: Position, pace: Pace, loss: float) -> None:
    place.after_step(torch.tensor(loss), None, 16)
    pace.after_step()


def test_long_epochs_are_told_step_by_step(clock, caplog, tmp_path):
    place = position()
    pace = Pace(3, place)
    with caplog.at_level(logging.INFO):
        for loss in (1.0, 0.5):
            clock[0] += 20
            step(place, pace, loss)
    # The first one came too early. 2 of 12 steps took 40 s.
    assert caplog.messages == ["epoch 1/3: train_loss 0.7500, step 2 of 4; 200 s left"]
    (tmp_path / "log").write_text(caplog.text)
    epoch = read_epoch(tmp_path / "log")
    assert (epoch.epoch, epoch.epochs, epoch.loss, epoch.left) == (1, 3, "0.7500", 200)


def test_nothing_is_said_again_soon(clock, caplog):
    place = position()
    pace = Pace(1, place)
    with caplog.at_level(logging.INFO):
        clock[0] += module.EVERY
        step(place, pace, 1.0)
        clock[0] += module.EVERY - 1
        step(place, pace, 1.0)
    assert len(caplog.messages) == 1


def test_an_epochs_end_counts_what_this_process_made(clock, caplog):
    """Gone on with behind step 2 of epoch 2: its other two steps took 10 s, and four are to come."""
    place = position()
    place.epoch, place.step = 2, 2
    pace = Pace(3, place)
    for _ in range(2):
        clock[0] += 5
        step(place, pace, 1.0)
    place.next_epoch({"epoch": 2})
    with caplog.at_level(logging.INFO):
        pace.say(2, "accuracy 0.5")
    assert caplog.messages == ["epoch 2/3: accuracy 0.5; 20 s left"]


def test_before_the_first_step_no_time_is_divided_by_none(clock):
    pace = Pace(2, position())
    clock[0] += 3
    assert pace.seconds_left() == 24
