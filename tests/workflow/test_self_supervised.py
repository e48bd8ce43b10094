"""Encoders that learn from several sets of images at once, each by a whole run on tiny images."""

import csv
import json
from pathlib import Path

import pytest
import torch
from conftest import Workflow
from own_images import SHORT

pytestmark = pytest.mark.long

OVERLAY = "overlays/self_supervised.yaml"
BRIEF = """
pathvars: {results: results/several}
pretraining:
  lite_contrastive: {held_out: 0.25, training: {epochs: 2, batch_size: 16}}
  resnet_masked: {held_out: 0.25, patch_size: 8, training: {epochs: 2, batch_size: 16}}
  lite_multi_source: {held_out: 0.25, training: {epochs: 1, batch_size: 8}}
arms:
  liteContrastive: {training: {epochs: 1, min_steps: 0}}
  liteMultiSource: {training: {epochs: 1, min_steps: 0}}
  resnetMasked: {training: {epochs: 1, min_steps: 0}}
"""
#: Pretraining -> columns of its history behind the loss of training, and images that it is trained on.
PRETRAINED = {
    # The target has 40 training images, CAM16 12, pRCC 9; a quarter of each, rounded up, is held out.
    "lite_contrastive": (["held_out_loss", "probe_cam16"], 30 + 9 + 6),
    "resnet_masked": (["held_out_loss", "probe_cam16"], 30 + 9 + 6),
    "lite_multi_source": (
        ["held_out_loss", "head_cam16", "head_prcc", "probe_cam16", "probe_prcc"],
        9 + 6,
    ),
}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def state_of(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def several(own: Workflow) -> Path:
    (own.folder / "brief.yaml").write_text(BRIEF)
    own.run(SHORT, "brief.yaml", overlay=OVERLAY)
    return own.folder / "results/several"


@pytest.mark.parametrize("name", PRETRAINED)
def test_its_history_has_held_out_images_and_its_record_the_others(several, name):
    columns, images = PRETRAINED[name]
    history = read(several / f"history/{name}.csv")
    assert list(history[0]) == ["epoch", "steps", "train_loss", *columns]
    record = json.loads((several / f"records/{name}.json").read_text())
    assert record["training_images"] == images


@pytest.mark.parametrize(
    ("name", "start", "weight"),
    [
        ("lite_contrastive", "imagenet_efficientnet_lite0_32_packaged", "conv_head.weight"),
        ("lite_multi_source", "imagenet_efficientnet_lite0_32_packaged", "conv_head.weight"),
        ("resnet_masked", "imagenet_resnet18_32_random", "layer2.0.conv1.weight"),
    ],
)
def test_classifiers_go_on_from_what_it_learnt(several, own, name, start, weight):
    before = state_of(own.folder / f"resources/weights/{start}.pth")
    after = state_of(several / f"models/{name}.pt")
    moved = (after[weight] - before[weight]).norm() / before[weight].norm()
    assert 0 < moved < 0.5
    arm = {"lite_contrastive": "liteContrastive", "lite_multi_source": "liteMultiSource"}
    arm = arm.get(name, "resnetMasked")
    classifier = state_of(several / f"models/replicate1/{arm}_wbc_100.pt")
    nearer = (classifier[weight] - after[weight]).norm()
    assert 0 < nearer < (classifier[weight] - before[weight]).norm()


def test_every_set_that_was_learnt_from_is_audited_against_the_test_images(several):
    rows = read(several / "leakage/compared.csv")
    compared = {
        (row["first_dataset"], row["first_split"])
        for row in rows
        if (row["second_dataset"], row["second_split"]) == ("wbc", "test")
    }
    assert {("wbc", "train"), ("cam16", "train"), ("prcc", "train")} <= compared


def test_costs_and_table_list_them(several):
    costs = {row["model"] for row in read(several / "costs.csv")}
    assert {*PRETRAINED, "liteContrastive", "liteMultiSource", "resnetMasked"} <= costs
    arms = {row["arm"] for row in read(several / "summary.csv")}
    assert {"liteContrastive", "liteMultiSource", "resnetMasked"} <= arms


def test_a_second_run_has_nothing_to_do(several, own):
    assert own.planned(SHORT, "brief.yaml", overlay=OVERLAY) == {}
