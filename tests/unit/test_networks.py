"""The networks: what is frozen stays, what is trained moves, and outputs equal torchvision's."""

import pytest
import torch
from builders import SIDE
from torch import nn
from torchvision.models import resnet18, vgg16

from fewlabels.core.errors import UserError
from fewlabels.networks.blocks import RESNET18_BLOCKS
from fewlabels.networks.encoders import (
    Autoencoder,
    Classifier,
    ConvolutionalEncoder,
    Encoder,
    ResNet18Encoder,
    VGG16Features,
)


def images(count: int = 4, size: int = SIDE) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def step(model: nn.Module, batch: torch.Tensor) -> None:
    """One training step."""
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(batch).square().sum().backward()
    optimizer.step()


def blocks_that_change(encoder: Encoder, action) -> set[str]:
    """Blocks of which a parameter or a buffer differs after ``action``."""
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    action()
    after = encoder.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    return {
        block
        for block in encoder.block_names
        if any(name.startswith(f"{block}.") for name in changed)
    }


@pytest.mark.parametrize(
    ("trained", "blocks"),
    [
        (["layer4.0", "layer4.1"], {"layer4.0", "layer4.1"}),
        (["layer4"], {"layer4.0", "layer4.1"}),
        (["layer4.1"], {"layer4.1"}),
        # A frozen block between trained ones.
        (["bn1", "layer4.0"], {"bn1", "layer4.0"}),
        (RESNET18_BLOCKS, set(RESNET18_BLOCKS)),
    ],
)
def test_only_trained_blocks_change_in_a_training_step(trained, blocks):
    encoder = ResNet18Encoder()
    encoder.open_blocks(trained)
    model = Classifier({"resnet": encoder}, 2)
    assert blocks_that_change(encoder, lambda: step(model, images(size=64))) == blocks


def test_batchnorm_of_frozen_blocks_stays_though_the_model_is_in_training_mode():
    encoder = ResNet18Encoder()
    encoder.open_blocks(["layer4.1"])
    model = Classifier({"resnet": encoder}, 2)
    before = {name: value.clone() for name, value in encoder.named_buffers()}
    step(model, images(size=64))
    for name, value in encoder.named_buffers():
        moved = not torch.equal(value, before[name])
        assert moved == name.startswith("layer4.1."), name
    assert model.training
    assert not encoder.get_submodule("layer3.0.bn1").training
    assert encoder.get_submodule("layer4.1.bn1").training


def test_a_wholly_frozen_encoder_trains_the_head_only():
    encoder = ResNet18Encoder()
    encoder.open_blocks([])
    model = Classifier({"resnet": encoder}, 2)
    head = model.head.weight.clone()
    assert blocks_that_change(encoder, lambda: step(model, images())) == set()
    assert not torch.equal(model.head.weight, head)


def test_frozen_and_trained_blocks_of_the_autoencoders_encoder():
    encoder = ConvolutionalEncoder([4, 8], 6, SIDE)
    encoder.open_blocks(["conv2"])
    model = Classifier({"pRCC_autoencoder": encoder}, 2)
    assert blocks_that_change(encoder, lambda: step(model, images())) == {"conv2"}
    encoder.open_blocks(["latent"])
    assert blocks_that_change(encoder, lambda: step(model, images())) == {"latent"}


def test_leading_frozen_blocks_run_without_gradients():
    encoder = ResNet18Encoder()
    encoder.open_blocks(["layer3.1", "layer4"])
    assert encoder.frozen_prefix() == RESNET18_BLOCKS.index("layer3.1")
    graphs = {}
    for name in ("layer3.0", "layer3.1"):
        encoder.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: graphs.update({name: output.requires_grad})
        )
    encoder(images())
    assert graphs == {"layer3.0": False, "layer3.1": True}


def test_blocks_are_opened_anew_each_time():
    encoder = ResNet18Encoder()
    encoder.open_blocks(["layer1"])
    encoder.open_blocks(["layer4"])
    assert encoder.trained_blocks == ("layer4.0", "layer4.1")
    open_parameters = {name for name, value in encoder.named_parameters() if value.requires_grad}
    assert {name.split(".")[0] for name in open_parameters} == {"layer4"}
    with pytest.raises(UserError, match="unknown block 'layer5'"):
        encoder.open_blocks(["layer5"])


def test_resnet_equals_torchvisions(resnet_weights):
    theirs = resnet18(weights=None)
    theirs.load_state_dict(torch.load(resnet_weights))
    encoder = ResNet18Encoder()
    encoder.load_state_dict(
        {key: value for key, value in theirs.state_dict().items() if not key.startswith("fc.")}
    )
    theirs.eval()
    encoder.eval()
    with torch.inference_mode():
        features = encoder(images(size=64))
        assert features.shape == (4, 512)
        torch.testing.assert_close(theirs.fc(features), theirs(images(size=64)))


def test_features_of_several_encoders_are_concatenated_in_order():
    first, second = ResNet18Encoder(), ConvolutionalEncoder([4, 8], 512, SIDE)
    model = Classifier({"pRCC_autoencoder": second, "resnet_cam16": first}, 3).eval()
    assert model.head.in_features == 1024
    assert model.head.out_features == 3
    with torch.inference_mode():
        features = torch.cat([second(images()), first(images())], 1)
        assert features.shape == (4, 1024)
        torch.testing.assert_close(model(images()), model.head(features))


@pytest.mark.parametrize(("channels", "size"), [([4], 32), ([4, 8], 64), ([4, 8, 8, 8, 8], 32)])
def test_the_autoencoder_gives_images_in_0_to_1(channels, size):
    model = Autoencoder(channels, 6, size).eval()
    with torch.inference_mode():
        outputs = model(images(size=size))
        assert model.encoder(images(size=size)).shape == (4, 6)
    assert outputs.shape == (4, 3, size, size)
    assert outputs.dtype == torch.float32
    assert 0 < outputs.min() < outputs.max() < 1


def test_the_autoencoder_trains_everything():
    model = Autoencoder([4, 8], 6, SIDE)
    before = {name: value.clone() for name, value in model.named_parameters()}
    step(model, images())
    for name, value in model.named_parameters():
        assert not torch.equal(before[name], value), name


def test_vgg16_features_are_those_of_torchvision():
    """The real network once: random weights, a small image."""
    theirs = vgg16(weights=None, init_weights=False).eval()
    state = theirs.state_dict()
    batch = images(2)
    with torch.inference_mode():
        maps = theirs.avgpool(theirs.features(batch)).flatten(1)
        for layer, last in ((1, 2), (2, 5)):
            expected = maps
            for module in theirs.classifier[:last]:
                expected = module(expected)
            model = VGG16Features(state, layer).eval()
            found = model(batch)
            assert found.shape == (2, 4096)
            assert found.min() == 0, "after ReLU"
            assert found.max() > 0
            torch.testing.assert_close(found, expected)
            assert (
                model.network.features[0].weight.data_ptr() == state["features.0.weight"].data_ptr()
            )
