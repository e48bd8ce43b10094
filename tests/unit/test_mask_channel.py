"""A mask as the fourth channel of an encoder: nothing changes at the start, and it must be learnt from."""

import pytest
import torch
from builders import AUTOENCODER, SIDE
from image_sets import CPU

from fewlabels.core.errors import UserError
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.checkpoints import (
    classifier_state,
    describe_encoders,
    load_classifier,
    save_checkpoint,
)
from fewlabels.networks.checks import check_network
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.mask_channel import add_mask_channel, check_mask_is_learnt
from fewlabels.training.augmentation import jitter_colours


def resnet() -> Backbone:
    torch.manual_seed(0)
    return Backbone("torchvision/resnet18", SIDE)


def vit() -> Backbone:
    torch.manual_seed(0)
    return Backbone("timm/vit_tiny_patch16_224", SIDE)


def autoencoder() -> ConvolutionalEncoder:
    torch.manual_seed(0)
    return ConvolutionalEncoder(**AUTOENCODER)


@pytest.mark.parametrize("build", [resnet, vit, autoencoder])
def test_at_the_start_it_gives_what_it_gave_without(build):
    images = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    masks = (images.mean(1, keepdim=True) > 0.5).float()
    encoder = build().eval()
    with torch.no_grad():
        before = encoder(encoder.normalise(images))
        add_mask_channel(encoder)
        after = encoder(encoder.normalise(torch.cat([images, masks], 1)))
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


def test_colours_are_normalised_and_the_mask_is_not():
    encoder = resnet()
    images = torch.rand(1, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    found = encoder.normalise(images)
    torch.testing.assert_close(found[:, :3], encoder.normalise(images[:, :3]))
    torch.testing.assert_close(found[:, 3:], images[:, 3:])


def test_colour_jitter_leaves_the_mask_and_treats_colours_as_without_it():
    images = torch.rand(3, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    found, plain = (
        jitter_colours(some, 0.4, torch.Generator().manual_seed(2))
        for some in (images, images[:, :3])
    )
    assert torch.equal(found[:, 3], images[:, 3])
    assert torch.equal(found[:, :3], plain)
    assert not torch.equal(plain, images[:, :3])


def test_its_weights_are_learnt():
    encoder = resnet()
    add_mask_channel(encoder)
    encoder.open_blocks("all")
    CPU.place(encoder)
    encoder.train()
    encoder(encoder.normalise(torch.rand(4, 4, SIDE, SIDE))).sum().backward()
    weight = encoder.network.conv1.weight
    assert weight.shape == (64, 4, 7, 7)
    assert weight.grad[:, 3].abs().sum() > 0


@pytest.mark.parametrize(
    ("trained", "fits"), [("all", True), (["conv1"], True), (["layer4"], False)]
)
def test_a_frozen_first_block_is_refused(trained, fits):
    encoder = resnet()
    add_mask_channel(encoder)
    encoder.open_blocks(trained)
    if fits:
        check_mask_is_learnt(encoder)
        return
    with pytest.raises(
        UserError, match=r"channel of conv1, which is frozen .*: open conv1, or all"
    ):
        check_mask_is_learnt(encoder)


def test_the_check_of_networks_names_the_key():
    entry = {
        "key": "arms.mine.encoders.0.trained",
        "architecture": {"model": "torchvision/resnet18", "image_size": SIDE},
        "trained": ["layer4"],
    }
    assert check_network(entry)["blocks"] == "layer4.0 layer4.1"
    with pytest.raises(UserError, match=r"key 'arms\.mine\.encoders\.0\.trained': the mask is"):
        check_network(entry | {"mask_channel": True})


def test_a_classifier_comes_back_from_its_file_with_the_channel(tmp_path):
    encoder = resnet()
    add_mask_channel(encoder)
    encoder.open_blocks("all")
    with torch.no_grad():
        encoder.network.conv1.weight[:, 3] = 0.5
    model = Classifier({"imagenet_resnet18": encoder}, 3).eval()
    metadata = {"classes": ["a", "b", "c"], "encoders": describe_encoders(model)}
    save_checkpoint(tmp_path / "model.pt", classifier_state(model), metadata)
    again, _ = load_classifier(tmp_path / "model.pt")
    images = torch.rand(2, 4, SIDE, SIDE)
    with torch.no_grad():
        torch.testing.assert_close(again(images), model(images))
        assert not torch.allclose(
            again(images), again(images * torch.tensor([1, 1, 1, 0])[:, None, None])
        )


def test_a_network_without_a_convolution_of_colours_is_refused():
    encoder = resnet()
    encoder.body.conv1 = torch.nn.Identity()
    with pytest.raises(UserError, match=r"resnet18 begins with no convolution of three channels"):
        add_mask_channel(encoder)
