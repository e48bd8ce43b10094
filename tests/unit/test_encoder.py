"""What all encoders share: normalisation, the blocks by name, depthwise convolutions told from others."""

import pytest
import torch
from builders import SIDE
from torch import nn

from fewlabels.core.errors import UserError
from fewlabels.networks import encoder as module
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.encoder import (
    IMAGENET,
    Normalisation,
    has_depthwise_convolutions,
    normalise,
)


def test_normalise_uses_imagenets_constants():
    # (v - mean) / std of each channel, by hand.
    images = torch.zeros(2, 3, 2, 2)
    images[1] = 1
    values = normalise(images, IMAGENET)
    expected = torch.tensor(
        [
            [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225],
            [0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225],
        ]
    )
    torch.testing.assert_close(values, expected[:, :, None, None].expand(2, 3, 2, 2))
    assert values.is_contiguous(memory_format=torch.channels_last)


def test_every_encoder_normalises_by_its_own_constants():
    grey = Normalisation((0.5, 0.25, 0.0), (0.5, 0.25, 2.0))
    encoder = ConvolutionalEncoder([4], 2, SIDE, grey)
    values = encoder.normalise(torch.ones(1, 3, 2, 2))
    torch.testing.assert_close(values[0, :, 0, 0], torch.tensor([1.0, 3.0, 0.5]))


def test_normalisation_that_evaluation_asked_for_first_serves_training():
    module._on_device.cache_clear()
    images = torch.rand(2, 3, 4, 4)
    with torch.inference_mode():
        expected = normalise(images, IMAGENET)
    open_images = images.clone().requires_grad_()
    found = normalise(open_images, IMAGENET)
    found.sum().backward()
    assert torch.equal(found.detach(), expected)
    deviations = torch.tensor(IMAGENET.std)[None, :, None, None]
    torch.testing.assert_close(open_images.grad, (1 / deviations).expand_as(images))


def test_normalisation_as_plain_values_there_and_back():
    plain = IMAGENET.plain()
    assert plain == {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    assert Normalisation.from_plain(plain) == IMAGENET


def test_leading_frozen_blocks_are_counted():
    encoder = ConvolutionalEncoder([4, 4], 2, SIDE)
    for trained, count in ([], 3), (["latent"], 2), (["conv2"], 1), (["conv1", "latent"], 0):
        encoder.open_blocks(trained)
        assert encoder.leading_frozen() == count


def test_batch_norm_is_trained_or_frozen():
    with pytest.raises(UserError, match="batch_norm is 'thawed': use trained or frozen"):
        ConvolutionalEncoder([4], 2, SIDE).open_blocks("all", "thawed")


@pytest.mark.parametrize(
    ("part", "depthwise"),
    [
        (nn.Conv2d(4, 4, 3, groups=4), True),
        (nn.Conv2d(4, 8, 3, groups=4), True),
        (nn.Conv2d(4, 4, 3, groups=2), False),
        (nn.Conv2d(4, 4, 3), False),
        # One channel is one group, whatever the network.
        (nn.Conv2d(1, 4, 3), False),
        (nn.Linear(4, 4), False),
    ],
)
def test_depthwise_convolutions(part, depthwise):
    assert has_depthwise_convolutions(nn.Sequential(nn.ReLU(), part)) == depthwise
