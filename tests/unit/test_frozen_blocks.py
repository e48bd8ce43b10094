"""Training changes the blocks that are open, parameters and BatchNorm statistics alike, and nothing else."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from builders import TRAINING
from image_sets import CPU, images_of
from watching import steps_taken

from fewlabels.core.settings import TrainingSettings
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Encoder
from fewlabels.training import loop

SIZE = 32
SETTINGS = TrainingSettings.from_json(
    json.dumps(TRAINING | {"epochs": 2, "batch_size": 4, "schedule": "constant"})
)
BATCHES = 3 * 2


def images() -> loop.ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, 3), dtype=np.uint8)
    return images_of(pixels, np.arange(12) % 3)


def resnet() -> Encoder:
    return Backbone("torchvision/resnet18", SIZE)


def convolutions() -> Encoder:
    return ConvolutionalEncoder([4, 8, 8], 6, SIZE)


def state_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def check(encoder: Encoder, trained: Sequence[str], before: dict, after: dict, prefix: str) -> None:
    """Every value of an open block differs; every one of a frozen block is the same to the bit."""
    for block in encoder.block_names:
        below = prefix if encoder.network is encoder else f"{prefix}body."
        names = [name for name in before if name.startswith(f"{below}{block}.")]
        assert names
        for name in names:
            if block not in trained:
                assert torch.equal(before[name], after[name]), name
            elif name.endswith("num_batches_tracked"):
                # Of every batch of every epoch, and of none of evaluation.
                assert after[name] == before[name] + BATCHES, name
            else:
                assert not torch.equal(before[name], after[name]), name


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize(
    ("make", "trained"),
    [
        (convolutions, []),
        (convolutions, ["latent"]),
        (convolutions, ["conv3", "latent"]),
        # A frozen block behind an open one.
        (convolutions, ["conv2"]),
        (convolutions, ["conv1", "conv3"]),
        (convolutions, ["conv1", "conv2", "conv3", "latent"]),
        (resnet, ["layer4.1"]),
        (resnet, ["bn1", "layer2.0"]),
    ],
)
def test_open_blocks_change_and_frozen_ones_do_not(make, trained, optimizer):
    torch.manual_seed(0)
    encoder = make()
    encoder.open_blocks(trained)
    model = Classifier({"pRCC_autoencoder": encoder}, 3)
    before = state_of(model)
    with steps_taken() as steps:
        loop.train_classifier(
            *(model, images(), {"test": images()}),
            SETTINGS.model_copy(update={"optimizer": optimizer}),
            *(CPU, 1),
        )
    after = state_of(model)
    check(encoder, trained, before, after, "encoders.pRCC_autoencoder.")
    assert not torch.equal(before["head.weight"], after["head.weight"])
    assert not torch.equal(before["head.bias"], after["head.bias"])
    assert len(steps) == BATCHES


def test_each_of_two_encoders_has_open_blocks_of_its_own():
    torch.manual_seed(0)
    chosen = {"pRCC_autoencoder": ["conv1"], "resnet_cam16": ["layer4.1"]}
    encoders = {"pRCC_autoencoder": convolutions(), "resnet_cam16": resnet()}
    for name, encoder in encoders.items():
        encoder.open_blocks(chosen[name])
    model = Classifier(encoders, 3)
    before = state_of(model)
    loop.train_classifier(model, images(), {"test": images()}, SETTINGS, CPU, 1)
    for name, encoder in encoders.items():
        check(encoder, chosen[name], before, state_of(model), f"encoders.{name}.")
