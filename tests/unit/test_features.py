"""Features at a node of a backbone."""

import pytest
import torch
from torchvision.models import vgg16

from fewlabels.core.errors import UserError
from fewlabels.networks.checkpoints import save_checkpoint
from fewlabels.networks.encoder import IMAGENET
from fewlabels.networks.features import NodeFeatures, loaded_model
from fewlabels.networks.library import build_model


def images(size: int) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def backbone_file(path, model: str, size: int, state: dict | None = None):
    """A file as fetch_weights writes it."""
    state = build_model(model, size).state_dict() if state is None else state
    metadata = {
        "backbone": "mine",
        "architecture": {"model": model, "image_size": size},
        "normalisation": IMAGENET.plain(),
    }
    save_checkpoint(path, state, metadata)
    return path


def test_vgg16_features_are_those_of_torchvision():
    """The real network once: random weights, used in place, a small image."""
    theirs = vgg16(weights=None, init_weights=False).eval()
    state = theirs.state_dict()
    network = loaded_model("torchvision/vgg16", state, 224, "vgg16.pth")
    assert network.features[0].weight.data_ptr() == state["features.0.weight"].data_ptr()
    model = NodeFeatures(network, "classifier.4", IMAGENET)
    assert not any(part.training for part in model.modules())
    with torch.inference_mode():
        expected = theirs.avgpool(theirs.features(images(32))).flatten(1)
        for module in theirs.classifier[:5]:
            expected = module(expected)
        found = model(images(32))
    assert found.shape == (2, 4096)
    assert found.min() == 0, "after ReLU"
    assert found.max() > 0
    assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("model", "node", "shape"),
    [
        ("timm/test_resnet", "layer2", (2, 48)),
        ("timm/test_resnet", "layer4.0", (2, 96)),
        ("timm/test_efficientnet", "global_pool", (2, 256)),
        ("torchvision/resnet18", "layer4.1.relu_1", (2, 512)),
        ("timm/test_convnext", "head.fc", (2, 1000)),
        ("timm/vit_tiny_patch16_224", "norm", (2, (16 + 1) * 192)),
    ],
)
def test_maps_are_averaged_and_anything_else_is_flattened(tmp_path, model, node, shape):
    path = backbone_file(tmp_path / "backbone.pth", model, 64)
    features = NodeFeatures.load(path, node, 64)
    with torch.inference_mode():
        assert features(images(64)).shape == shape
    white = features.normalise(torch.ones(1, 3, 2, 2))
    torch.testing.assert_close(
        white[0, :, 0, 0], (1 - torch.tensor(IMAGENET.mean)) / torch.tensor(IMAGENET.std)
    )


@pytest.mark.parametrize("model", ["timm/test_resnet", "torchvision/swin_t"])
@pytest.mark.parametrize("classes", [0, 5, 1000])
def test_the_last_layer_may_be_absent_or_another(tmp_path, model, classes):
    """Swin keeps buffers that no file has."""
    network = build_model(model, 64, classes or None)
    state = dict(network.state_dict())
    head = "fc" if "resnet" in model else "head"
    if not classes:
        del state[f"{head}.weight"], state[f"{head}.bias"]
    path = backbone_file(tmp_path / "backbone.pth", model, 64, state)
    pool = "global_pool" if "resnet" in model else "flatten"
    with torch.inference_mode():
        found = NodeFeatures.load(path, pool, 64)(images(64))
        setattr(network, head, torch.nn.Identity())
        assert torch.equal(found, network.eval()(images(64)))


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ("layer4.1", "did you mean 'layer4.0"),
        ("global_pol", r"did you mean 'global_pool'\?"),
        ("???", "its last ones: "),
    ],
)
def test_an_unknown_node_is_one_line(tmp_path, node, told):
    path = backbone_file(tmp_path / "backbone.pth", "timm/test_resnet", 64)
    with pytest.raises(UserError, match=told) as caught:
        NodeFeatures.load(path, node, 64)
    assert "timm/test_resnet" in str(caught.value)


def test_a_file_that_does_not_fit_is_one_line(tmp_path):
    torch.save(build_model("timm/test_resnet", 64).state_dict(), tmp_path / "bare.pth")
    with pytest.raises(UserError, match=r"bare\.pth holds no backbone"):
        NodeFeatures.load(tmp_path / "bare.pth", "fc", 64)
    path = backbone_file(tmp_path / "backbone.pth", "timm/test_resnet", 64)
    with pytest.raises(UserError, match="made for images of 64 pixels, these have 96"):
        NodeFeatures.load(path, "fc", 96)
    path = backbone_file(path, "timm/test_resnet", 64, torch.nn.Linear(2, 2).state_dict())
    with pytest.raises(UserError, match="does not fit the network"):
        NodeFeatures.load(path, "fc", 64)
