"""The networks: what is frozen stays, what is trained moves."""

import pytest
import torch
from builders import SIDE
from torch import nn

from fewlabels.core.errors import UserError
from fewlabels.networks.autoencoder import Autoencoder, ConvolutionalEncoder
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Encoder, Normalisation

HALF = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def resnet() -> Backbone:
    return Backbone("torchvision/resnet18", 64)


def images(count: int = 4, size: int = SIDE) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def step(model: nn.Module, batch: torch.Tensor) -> None:
    """One training step."""
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(batch).square().sum().backward()
    optimizer.step()


def blocks_that_change(encoder: Encoder, action) -> set[str]:
    """Blocks of which a parameter or a buffer differs after ``action``."""
    before = {name: value.clone() for name, value in encoder.network.state_dict().items()}
    action()
    after = encoder.network.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    return {
        block
        for block in encoder.block_names
        if any(name == block or name.startswith(f"{block}.") for name in changed)
    }


@pytest.mark.parametrize(
    ("trained", "blocks"),
    [
        (["layer4.0", "layer4.1"], {"layer4.0", "layer4.1"}),
        (["layer4"], {"layer4.0", "layer4.1"}),
        (["layer4.1"], {"layer4.1"}),
        # A frozen block between trained ones.
        (["bn1", "layer4.0"], {"bn1", "layer4.0"}),
        ("all", set(resnet().block_names)),
    ],
)
def test_only_trained_blocks_change_in_a_training_step(trained, blocks):
    encoder = resnet()
    encoder.open_blocks(trained)
    model = Classifier({"resnet": encoder}, 2)
    assert blocks_that_change(encoder, lambda: step(model, images(size=64))) == blocks


def test_batchnorm_of_frozen_blocks_stays_though_the_model_is_in_training_mode():
    encoder = resnet()
    encoder.open_blocks(["layer4.1"])
    model = Classifier({"resnet": encoder}, 2)
    before = {name: value.clone() for name, value in encoder.network.named_buffers()}
    step(model, images(size=64))
    for name, value in encoder.network.named_buffers():
        moved = not torch.equal(value, before[name])
        assert moved == name.startswith("layer4.1."), name
    assert model.training
    assert not encoder.network.get_submodule("layer3.0.bn1").training
    assert encoder.network.get_submodule("layer4.1.bn1").training


def test_a_wholly_frozen_encoder_trains_the_head_only():
    encoder = resnet()
    model = Classifier({"resnet": encoder}, 2)
    head = model.head.weight.clone()
    assert blocks_that_change(encoder, lambda: step(model, images())) == set()
    assert not torch.equal(model.head.weight, head)


def test_frozen_and_trained_blocks_of_the_autoencoders_encoder():
    encoder = ConvolutionalEncoder([4, 8], 6, SIDE)
    assert encoder.block_names == ("conv1", "conv2", "latent")
    for name in ("conv2", "latent"):
        encoder.open_blocks([name])
        model = Classifier({"pRCC_autoencoder": encoder}, 2)
        assert encoder.frozen_prefix() == encoder.block_names.index(name)
        assert blocks_that_change(encoder, lambda model=model: step(model, images())) == {name}
        whole = images()
        for part in (encoder.conv1, encoder.conv2):
            whole = part(whole)
        assert torch.equal(encoder(images()), encoder.latent(whole.flatten(1)))


def test_leading_frozen_blocks_run_without_gradients():
    encoder = resnet()
    encoder.open_blocks(["layer3.1", "layer4"])
    assert encoder.frozen_prefix() == encoder.block_names.index("layer3.1")
    graphs = {}
    for name in ("layer3.0", "layer3.1"):
        encoder.network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: graphs.update({name: output.requires_grad})
        )
    encoder(images())
    assert graphs == {"layer3.0": False, "layer3.1": True}


def test_blocks_are_opened_anew_each_time():
    encoder = resnet()
    encoder.open_blocks(["layer1"])
    encoder.open_blocks(["layer4"])
    assert encoder.trained_blocks == ("layer4.0", "layer4.1")
    open_ones = {name for name, p in encoder.network.named_parameters() if p.requires_grad}
    assert {name.split(".")[0] for name in open_ones} == {"layer4"}
    with pytest.raises(UserError, match="unknown block 'layer5'"):
        encoder.open_blocks(["layer5"])


def test_each_encoder_normalises_for_itself_and_features_keep_their_order():
    first, second = resnet(), ConvolutionalEncoder([4, 8], 512, SIDE, HALF)
    model = Classifier({"pRCC_autoencoder": second, "resnet_cam16": first}, 3).eval()
    assert model.head.in_features == 1024
    assert model.head.out_features == 3
    with torch.inference_mode():
        parts = [second(images() * 2 - 1), first(first.normalise(images()))]
        features = torch.cat(parts, 1)
        assert features.shape == (4, 1024)
        torch.testing.assert_close(model(images()), model.head(features))


def test_activations_stand_for_images():
    first, second = resnet(), ConvolutionalEncoder([4, 8], 6, SIDE, HALF)
    first.open_blocks(["layer4"])
    model = Classifier({"first": first, "second": second}, 2).eval()
    known = {name: e.prefix(e.normalise(images())) for name, e in model.named_encoders().items()}
    expected = model(images())
    assert torch.equal(model(None, known), expected)
    assert torch.equal(model(images(), {"first": known["first"]}), expected)
    with pytest.raises(ValueError, match="'second' has neither images nor activations"):
        model(None, {"first": known["first"]})


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
