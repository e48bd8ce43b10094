"""Where numbers cease to be finite: the step and its images are found, told, and seen by a watch."""

import argparse
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import TRAINING
from cutting_off import KilledError, at_step, keep_always
from image_sets import CPU, images_of
from torch import nn
from torch.nn import functional

from fewlabels.core.errors import UserError
from fewlabels.core.settings import TrainingSettings
from fewlabels.training.divergence import (
    DivergedError,
    Divergence,
    ReplayFile,
    divergence,
    open_replay_file,
    read_replay_file,
    replay_path,
)
from fewlabels.training.loop import fit
from fewlabels.training.replay import StepWatch, watched
from fewlabels.training.runtime import Runtime
from fewlabels.training.unfinished import Unfinished
from fewlabels.training.work_meter import WorkMeter

#: Twelve images in three steps an epoch; the bad one is black.
COUNT, BATCHES, BAD = 12, 3, 7
SETTINGS = TrainingSettings.from_json(
    json.dumps(TRAINING | {"epochs": 3, "batch_size": 4, "flips": False, "rotation": "none"})
)
PICTURES = [(f"cell{place:02}", "plain") for place in range(COUNT)]


class Brightness(nn.Module):
    """One over the mean of an image: infinite for a black one."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 1 / images.mean((2, 3))


def runtime_with(**parts: object) -> Runtime:
    return replace(CPU, meter=WorkMeter(), **parts)


def train(runtime: Runtime, bad_from: int = 1) -> list[list[int]]:
    """Train with one black image, which is grey before a step (of the whole training); gives the rows of all steps."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Sequential(Brightness()), nn.Linear(3, 2))
    pixels = np.full((COUNT, 4, 4, 3), 100, np.uint8)
    pixels[BAD] = 0
    images = replace(images_of(pixels, np.arange(COUNT) % 2), pictures=tuple(PICTURES))
    batches: list[list[int]] = []
    steps = runtime.meter

    def batch_loss(rows: torch.Tensor, _: torch.Generator) -> tuple[torch.Tensor, None]:
        batches.append(rows.tolist())
        # The meter counts over continued trainings, too.
        grey = 0 if steps.images // 4 + 1 >= bad_from else 10
        outputs = model(images.take_pixels(rows).float() + grey)
        return functional.cross_entropy(outputs, images.labels[rows]), None

    try:
        fit(model, images, SETTINGS, runtime, 3, batch_loss, dict)
    except DivergedError as error:
        train.message = str(error)
        train.history = error.history
    return batches


def with_bad(batches: list[list[int]], first: int) -> int:
    """The first step from ``first`` on whose batch holds the bad image."""
    return next(step for step, rows in enumerate(batches, start=1) if step >= first and BAD in rows)


@pytest.mark.parametrize("first", [1, 2, 4])
def test_the_first_step_and_its_images_are_told(first):
    batches = train(runtime_with(), bad_from=first)
    bad = with_bad(batches, first)
    epoch, step = (bad - 1) // BATCHES + 1, (bad - 1) % BATCHES + 1
    names = [PICTURES[row][0] for row in batches[bad - 1]]
    assert train.message == (
        f"the train loss is nan in epoch {epoch}, first in step {step} with the images {', '.join(names[:3])} and 1 "
        "more: lower the learning rate (0.001)"
    )
    # No step behind the epoch was made, and the epochs before are kept.
    assert len(batches) == epoch * BATCHES
    assert [row["epoch"] for row in train.history] == list(range(1, epoch))


def test_it_is_known_in_a_training_that_was_cut_off_behind_the_step(tmp_path, monkeypatch):
    keep_always(monkeypatch)
    whole = train(runtime_with())
    told = train.message
    bad = with_bad(whole, 1)
    assert bad < BATCHES
    state = tmp_path / "state.pt"
    with at_step(bad + 1, KilledError), pytest.raises(KilledError):
        train(runtime_with(unfinished=Unfinished(state)))
    train.message = ""
    batches = train(runtime_with(unfinished=Unfinished(state)))
    assert batches == whole[bad:]
    assert train.message == told


def test_the_file_says_what_a_replay_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["scripts/train_classifier.py", "--seed", "3"])
    (tmp_path / "a.diverged.json").write_text("of an earlier training")
    arguments = argparse.Namespace(checkpoint=str(tmp_path / "a.pt"), seed=3)
    file = open_replay_file(arguments, {"device": "cpu"})
    assert not file.path.exists()
    batches = train(runtime_with(replay_file=file))
    bad = with_bad(batches, 1)
    assert file.path == replay_path(arguments.checkpoint) == tmp_path / "a.diverged.json"
    assert (
        f"more (`python scripts/replay_batch.py {file.path}` shows the batch): lower"
        in train.message
    )
    told = read_replay_file(file.path)
    assert told.found == Divergence("train_loss", "nan", 1, bad, bad, tuple(batches[bad - 1]))
    assert list(told.images) == [PICTURES[row] for row in batches[bad - 1]]
    assert told.command == ("train_classifier.py", "--seed", "3")
    content = json.loads(file.path.read_text())
    assert (content["seed"], content["learning_rate"], content["machine"]) == (
        3,
        0.001,
        told.machine,
    )


def test_without_a_command_line_nothing_is_written():
    assert ReplayFile().write(Divergence("train_loss", "nan", 1, 1, 1, (0,)), [], 0.1) == ""


def test_a_step_of_a_later_epoch_is_counted_from_the_beginning():
    losses, rows = [0.5, float("inf"), float("nan")], [[1], [2, 0], [3]]
    found = divergence("train_loss", float("nan"), losses, rows, 6, 3)
    assert found == Divergence("train_loss", "nan", 3, 2, 8, (2, 0))
    assert found.place(()) == "first in step 2 with the images row 2, row 0"


def test_an_evaluation_is_told_by_the_step_before_it():
    found = divergence("test_loss", float("inf"), [0.5, 0.4], [[1], [0, 2]], 2, 2)
    assert found == Divergence("test_loss", "inf", 2, 2, 4, (0, 2))
    assert found.place(PICTURES) == "behind step 2 with the images cell00, cell02"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"what": 1}', "null"])
def test_another_file_is_one_line(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=r"a\.json is no readable file of a training that diverged"):
        read_replay_file(tmp_path / "a.json")


def test_a_watch_sees_module_image_loss_and_gradient():
    undisturbed = train(runtime_with())
    bad = with_bad(undisturbed, 1)
    told = train.message
    watch = StepWatch(bad, 4)
    with watched(watch):
        assert train(runtime_with()) == undisturbed
    assert train.message == told
    assert watch.made == BATCHES
    place = undisturbed[bad - 1].index(BAD)
    assert watch.module == "0.0"
    assert watch.module_of == ["0.0" if one == place else None for one in range(4)]
    losses = watch.losses["cross_entropy"]
    assert losses.isfinite().tolist() == [one != place for one in range(4)]
    assert np.isnan(watch.loss)
    assert watch.gradient == (bad, "1.weight")
    assert watch.weight == (bad, "1.weight")
    assert watch.rates == (SETTINGS.learning_rate,)


def test_a_watch_of_a_step_that_is_finite_sees_its_losses_and_nothing_else():
    undisturbed = train(runtime_with(), bad_from=4)
    watch = StepWatch(2, 4)
    with watched(watch):
        train(runtime_with(), bad_from=4)
    assert (watch.module, watch.gradient, watch.weight) == (None, None, None)
    assert watch.losses["cross_entropy"].mean().item() == pytest.approx(watch.loss)
    assert len(undisturbed) > BATCHES


def test_two_views_of_an_image_count_for_it():
    watch = StepWatch(1, 3, views=2)
    values = torch.ones(6, 2, requires_grad=True)
    with watched(watch):
        outputs = nn.Linear(2, 2)(values * torch.tensor([1, 1, 1, 1, torch.nan, 1])[:, None])
        functional.cross_entropy(outputs, torch.zeros(6, dtype=torch.int64))
    assert watch.module == "input of the network"
    assert watch.module_of == [None, "input of the network", None]
    assert watch.losses["cross_entropy"].isnan().tolist() == [False, True, False]
