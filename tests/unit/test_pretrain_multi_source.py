"""One encoder for the labels of several sets: batches of each, heads of their own, losses added."""

import json

import numpy as np
import pytest
import torch
from builders import CLASSES, SIDE, call, failure
from image_sets import CPU, images_of
from source_sets import RESULTS, options_of, write_source
from torch.nn import functional

from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.settings import TrainingSettings
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.checkpoints import load_encoder
from fewlabels.pretraining import multi_source
from fewlabels.pretraining.multi_source import EndlessOrder, SharedBody, SummedLoss


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def options(tmp_path):
    sets = {
        "cells": write_source(tmp_path, "cells", 4),
        "tissue": write_source(tmp_path, "tissue", 8, labelled=False),
    }
    # Pseudo-labels by colour, of training images and of others.
    names = [row["id"] for row in read_csv(sets["tissue"]["index"])]
    labels = [{"id": name, "cluster": str(int("Basophil" in name))} for name in names]
    write_csv(tmp_path / "labels.csv", ["id", "cluster"], labels)
    own = {"labels": tmp_path / "labels.csv", "labelled": "tissue"}
    return options_of(sets, {"cells": CLASSES}, tmp_path / "out", **own)


def run(options: dict[str, object], **changes: object) -> None:
    assert call("pretrain", "multi_source", **options | changes) == 0


def small_sets() -> list:
    draws = np.random.default_rng(0)
    return [
        images_of(
            draws.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8),
            np.arange(count) % classes,
        )
        for count, classes in ((5, 2), (12, 3))
    ]


def small_model() -> SharedBody:
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder([4, 8], 6, SIDE)
    encoder.open_blocks("all")
    return SharedBody(encoder, [2, 3])


def settings(**changes) -> TrainingSettings:
    plain = {
        **{"epochs": 1, "batch_size": 4, "optimizer": "sgd", "learning_rate": 0.1},
        **{"weight_decay": 0, "schedule": "constant", "flips": False, "rotation": "none"},
    }
    return TrainingSettings.from_json(json.dumps(plain | changes))


def test_a_smaller_set_is_gone_through_again_and_evenly():
    order = EndlessOrder(small_sets()[0], settings())
    drawn = [order.take(4, chosen).tolist() for chosen in [generator()] * 5]
    flat = [place for batch in drawn for place in batch]
    assert [len(batch) for batch in drawn] == [4] * 5
    # Four passes over five images, each in full.
    passes = [flat[first : first + 5] for first in range(0, 20, 5)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in passes)
    assert len(set(map(tuple, passes))) > 1


def test_a_set_smaller_than_the_batch_is_taken_whole():
    order = EndlessOrder(small_sets()[0], settings())
    assert sorted(order.take(9, generator()).tolist()) == [0, 1, 2, 3, 4]


def test_the_loss_is_the_sum_of_the_sets_losses():
    sets, model = small_sets(), small_model().eval()
    loss = SummedLoss(model, sets, settings(), CPU)
    assert loss.largest == 1
    rows = torch.tensor([0, 3, 7, 8, 10, 11])
    found, right = loss.batch(rows, generator())
    assert right is None
    expected = 0
    # All five of the smaller set, in any order; of the larger one what was asked for.
    for images, places, head in zip(sets, (torch.arange(5), rows), model.head, strict=True):
        pixels = images.take_pixels(places).float() / 255
        logits = head(model.encoder(model.encoder.normalise(pixels)))
        expected += functional.cross_entropy(logits, images.labels[places])
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    found.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.head.parameters())


@pytest.mark.parametrize("changes", [{"class_weights": "balanced"}, {"label_smoothing": 0.3}])
def test_settings_of_the_loss_are_used(changes):
    sets, model = small_sets(), small_model().eval()
    rows = torch.arange(4)
    plain, other = (
        SummedLoss(model, sets, chosen, CPU).batch(rows, generator())[0].item()
        for chosen in (settings(), settings(**changes))
    )
    assert abs(plain - other) > 1e-4


def test_a_run(options, tmp_path):
    run(options, training=options["training"] | {"epochs": 12})
    history = read_csv(tmp_path / "out/history.csv")
    assert list(history[0]) == [
        *("epoch", "steps", "train_loss", "held_out_loss", "head_cells", "head_tissue"),
        *("probe_cells", "probe_tissue"),
    ]
    # A pass over the larger set: 18 images in batches of 8.
    assert history[0]["steps"] == "3"
    assert float(history[-1]["train_loss"]) < 0.5 * float(history[0]["train_loss"])
    for column in ("head_cells", "head_tissue", "probe_cells", "probe_tissue"):
        assert float(history[-1][column]) == 1, column
    record = json.loads((tmp_path / "out/record.json").read_text())
    assert (record["training_images"], record["epochs"]) == (9 + 18, 12)


def test_the_checkpoint_is_the_shared_body(options, tmp_path):
    run(options)
    before, after = (
        load_encoder(path, SIDE)[0].state_dict()
        for path in (options["start"], tmp_path / "out/checkpoint.pt")
    )
    assert before.keys() == after.keys()
    assert not torch.equal(before["conv1.0.weight"], after["conv1.0.weight"])


def test_pseudo_labels_are_those_of_their_set(options, monkeypatch):
    seen = {}

    def instead(model, images, settings, runtime, seed, batch_loss, evaluate, carried):
        seen.update(labels=images.labels, pixels=images.take_pixels(torch.arange(len(images))))
        return [{"epoch": 1, "steps": 1, "train_loss": 0.0} | evaluate()]

    monkeypatch.setattr(multi_source, "fit", instead)
    run(options)
    # Basophils are red: cluster 1.
    red = seen["pixels"].float().mean((2, 3)).argmax(1) == 0
    assert torch.equal(seen["labels"] == 1, red)
    assert 0 < int(red.sum()) < len(red)


def test_equal_seeds_give_equal_files(options, tmp_path):
    contents = []
    for seed in (3, 3, 4):
        run(options, seed=seed, training=options["training"] | {"epochs": 1})
        contents.append([(tmp_path / "out" / name).read_bytes() for name in RESULTS[:2]])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_a_set_without_labels_is_one_line(options, capsys):
    del options["labelled"]
    line = failure(capsys, "pretrain", "multi_source", **options)
    assert "--labels and --labelled belong together" in line
    del options["labels"]
    line = failure(capsys, "pretrain", "multi_source", **options)
    assert "tissue has no labels" in line
