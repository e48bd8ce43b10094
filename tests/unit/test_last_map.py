"""The last map of an encoder: which block gives it, for networks of convolutions and of tokens."""

import pytest
import torch

from fewlabels.core.errors import UserError
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.maps import LastMap, as_map


@pytest.mark.parametrize("prefix", [0, 1, 2])
def test_tokens_become_places_and_the_first_ones_are_left_out(prefix):
    tokens = torch.arange(2 * (prefix + 9) * 4).view(2, prefix + 9, 4)
    found = as_map(tokens)
    assert found.shape == (2, 4, 3, 3)
    # Row by row.
    assert torch.equal(found[1, :, 1, 2], tokens[1, prefix + 5])


def test_maps_with_channels_behind_are_turned():
    maps = torch.rand(2, 5, 5, 7)
    assert torch.equal(as_map(maps), maps.permute(0, 3, 1, 2))
    first = torch.rand(2, 7, 5, 5)
    assert as_map(first) is first


@pytest.mark.parametrize("values", [torch.rand(2, 7), torch.rand(2, 3, 4, 5), None, "text"])
def test_what_is_no_map(values):
    assert as_map(values) is None


@pytest.mark.parametrize(
    ("model", "size", "block", "shape"),
    [
        ("torchvision/resnet18", 64, "layer4.1", (512, 2)),
        # Where the last stage has one place left, that before.
        ("torchvision/resnet18", 32, "layer3.1", (256, 2)),
        ("timm/tf_efficientnet_lite0", 64, "bn2", (1280, 2)),
        ("timm/vit_tiny_patch16_224", 64, "norm", (192, 4)),
        ("timm/convnext_atto", 64, "stages.3", (320, 2)),
    ],
)
def test_the_block_of_the_last_map(model, size, block, shape):
    torch.manual_seed(0)
    encoder = Backbone(model, size)
    found = LastMap(encoder, size)
    assert found.block.startswith(block), found.block
    assert (found.channels, found.side) == shape
    encoder.open_blocks("all")
    found.train()
    maps = found(torch.rand(2, 3, size, size))
    assert maps.shape == (2, shape[0], shape[1], shape[1])
    maps.sum().backward()
    first = next(encoder.parameters())
    assert first.grad is not None and first.grad.abs().sum() > 0


def test_the_map_is_what_the_block_gave():
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder([4, 8], 6, 16)
    found = LastMap(encoder, 16)
    assert (found.block, found.unused()) == ("conv2", ["latent"])
    images = torch.rand(3, 3, 16, 16)
    found.eval()
    expected = encoder.conv2(encoder.conv1(images))
    assert torch.equal(found(images), expected)
    # The other blocks are watched no more.
    hooks = [len(module._forward_hooks) for module in encoder.modules()]
    assert sum(hooks) == 1


def test_what_lies_behind_is_told():
    torch.manual_seed(0)
    found = LastMap(Backbone("torchvision/resnet18", 32), 32)
    assert found.unused() == ["layer4.0", "layer4.1"]


def test_an_image_of_one_place_is_one_line():
    encoder = ConvolutionalEncoder([4], 6, 2)
    with pytest.raises(UserError, match="autoencoder tells places of images of 2 pixels apart"):
        LastMap(encoder, 2)
