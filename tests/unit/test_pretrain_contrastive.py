"""SimCLR: its loss against a case by hand, what it is trained on, what it writes."""

import json
import math

import numpy as np
import pytest
import torch
from builders import CLASSES, SIDE, call, failure
from source_sets import RESULTS, options_of, write_source

from fewlabels.core.files import read_csv
from fewlabels.networks.checkpoints import load_checkpoint, load_encoder
from fewlabels.pretraining import contrastive
from fewlabels.pretraining.contrastive import nt_xent

OWN = {
    "temperature": 0.5,
    "projection_size": 4,
    "crop": 0.5,
    "colour": 0.2,
    "grey": 0.1,
    "blur": 0.5,
}


@pytest.fixture
def options(tmp_path):
    sets = {
        "cells": write_source(tmp_path, "cells", 4),
        "target": write_source(tmp_path, "target", 6, labelled=False),
    }
    return options_of(sets, {"cells": CLASSES}, tmp_path / "out", **OWN)


def run(options: dict[str, object], **changes: object) -> None:
    assert call("pretrain", "contrastive", **options | changes) == 0


def test_the_loss_of_two_images_by_hand():
    """Views at right angles: of each the partner's likeness is 1, that of both others 0."""
    first = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    second = torch.tensor([[5.0, 0.0], [0.0, 0.1]])
    expected = math.log(1 + 2 * math.exp(-1 / 0.5))
    assert nt_xent(first, second, 0.5).item() == pytest.approx(expected, abs=1e-6)
    # Partners exchanged: the likeness to the partner is 0, and one of the others is alike.
    expected = math.log(2 + math.exp(1 / 0.5))
    assert nt_xent(first, second.flip(0), 0.5).item() == pytest.approx(expected, abs=1e-6)


def test_the_loss_is_that_of_the_paper():
    """Equation 1 of Chen et al. 2020, summed by loops."""
    views = torch.randn((2, 5, 3), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    flat = views.reshape(10, 3).numpy()
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    total = 0.0
    for one in range(10):
        partner = (one + 5) % 10
        others = [k for k in range(10) if k != one]
        below = sum(math.exp(flat[one] @ flat[k] / 0.3) for k in others)
        total -= math.log(math.exp(flat[one] @ flat[partner] / 0.3) / below)
    assert nt_xent(views[0], views[1], 0.3).item() == pytest.approx(total / 10, rel=1e-5)


def test_a_run(options, tmp_path):
    run(options)
    history = read_csv(tmp_path / "out/history.csv")
    # The probe of the set with classes; 9 + 13 images in batches of 8.
    assert list(history[0]) == ["epoch", "steps", "train_loss", "held_out_loss", "probe_cells"]
    assert [row["steps"] for row in history] == ["3", "6"]
    record = json.loads((tmp_path / "out/record.json").read_text())
    assert (record["training_images"], record["epochs"]) == (9 + 13, 2)
    _, metadata = load_checkpoint(tmp_path / "out/checkpoint.pt")
    assert (metadata["model"], metadata["seed"], metadata["image_size"]) == ("checkpoint", 3, SIDE)
    assert metadata["training"]["learning_rate"] == 0.01


def test_the_encoder_is_trained_and_the_projection_thrown_away(options, tmp_path):
    run(options)
    before, after = (
        load_encoder(path, SIDE)[0].state_dict()
        for path in (options["start"], tmp_path / "out/checkpoint.pt")
    )
    assert before.keys() == after.keys()
    weights = [name for name in before if name.endswith("weight")]
    assert weights
    assert not any(torch.equal(before[name], after[name]) for name in weights)


def test_it_learns_to_tell_images_apart(options, tmp_path):
    run(options, training=options["training"] | {"epochs": 25}, crop=0.9, blur=0, colour=0)
    history = read_csv(tmp_path / "out/history.csv")
    first, last = float(history[0]["train_loss"]), float(history[-1]["train_loss"])
    assert last < first - 0.2
    assert float(history[-1]["held_out_loss"]) < float(history[0]["held_out_loss"])
    assert float(history[-1]["probe_cells"]) == 1


def test_held_out_images_are_not_trained_on(options, monkeypatch):
    """Nor is any other than a training image: the fixture has no pixels of them."""
    seen = {}

    def instead(model, train, settings, runtime, seed, batch_loss, evaluate):
        seen["train"] = train.take_pixels(torch.arange(len(train)))
        return [{"epoch": 1, "steps": 1, "train_loss": 0.0} | evaluate()]

    drawn = []
    really = contrastive.ContrastiveLoss.mean

    def watched(self, images, seed):
        drawn.append(images.take_pixels(torch.arange(len(images))))
        return really(self, images, seed)

    monkeypatch.setattr(contrastive, "fit", instead)
    monkeypatch.setattr(contrastive.ContrastiveLoss, "mean", watched)
    run(options)
    packed = [np.load(path) for path in options["images"]]
    everything = {image.tobytes() for array in packed for image in array}
    trained, held = (
        {image.permute(1, 2, 0).numpy().tobytes() for image in images}
        for images in (seen["train"], drawn[0])
    )
    assert (len(trained), len(held)) == (22, 3 + 5)
    assert not trained & held
    assert trained | held == everything


def test_equal_seeds_give_equal_files(options, tmp_path):
    contents = []
    for seed in (3, 3, 4):
        run(options, seed=seed, training=options["training"] | {"epochs": 1})
        contents.append([(tmp_path / "out" / name).read_bytes() for name in RESULTS[:2]])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_too_few_images_are_one_line(options, capsys, tmp_path):
    [index, images] = write_source(tmp_path, "few", 1, labelled=False).values()
    few = {"datasets": ["few"], "indexes": [index], "images": [images], "classes": {}}
    line = failure(capsys, "pretrain", "contrastive", **options | few)
    assert "2 images to train on and 1 held out" in line
