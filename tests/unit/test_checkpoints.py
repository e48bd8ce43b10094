"""Checkpoints are plain, load safely, and give the same model back."""

import pytest
import torch
from builders import SIDE
from torchvision.models import resnet18

from fewlabels.core.errors import UserError
from fewlabels.networks.checkpoints import (
    classifier_state,
    load_autoencoder,
    load_checkpoint,
    load_classifier,
    load_encoder,
    load_state,
    save_checkpoint,
)
from fewlabels.networks.encoders import (
    Autoencoder,
    Classifier,
    ConvolutionalEncoder,
    ResNet18Encoder,
)

AUTOENCODER = {"channels": [4, 8], "latent_size": 6, "image_size": SIDE}


def images() -> torch.Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def classifier(*names: str, trained=("layer4.1",)) -> tuple[Classifier, dict]:
    """A classifier over these encoders, and the metadata that its checkpoint needs."""
    torch.manual_seed(3)
    encoders, recipe = {}, []
    for name in names:
        if name == "pRCC_autoencoder":
            encoders[name], blocks = ConvolutionalEncoder(*AUTOENCODER.values()), []
        else:
            encoders[name], blocks = ResNet18Encoder(), list(trained)
        encoders[name].open_blocks(blocks)
        recipe.append({"encoder": name, "trained": blocks})
    metadata = {"classes": ["a", "b", "c"], "encoders": recipe, "autoencoder": AUTOENCODER}
    return Classifier(encoders, 3), metadata


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A checkpoint of a classifier over one ResNet-18, and the model."""
    path = tmp_path_factory.mktemp("checkpoint") / "single.pt"
    model, metadata = classifier("imagenet_resnet18")
    save_checkpoint(path, classifier_state(model), metadata)
    return path, model.eval()


def test_a_checkpoint_loads_safely(single):
    path, model = single
    content = torch.load(path, weights_only=True)
    assert set(content) == {"state_dict", "metadata"}
    assert content["metadata"]["classes"] == ["a", "b", "c"]
    torch.testing.assert_close(content["state_dict"]["fc.weight"], model.head.weight)


def test_torchvision_loads_a_single_resnet(single):
    path, model = single
    theirs = resnet18(num_classes=3)
    theirs.load_state_dict(torch.load(path, weights_only=True)["state_dict"], strict=True)
    with torch.inference_mode():
        torch.testing.assert_close(theirs.eval()(images()), model(images()))


@pytest.mark.parametrize(
    "names",
    [
        ("imagenet_resnet18",),
        ("pRCC_autoencoder",),
        ("pRCC_autoencoder", "resnet_cam16"),
        ("pRCC_clustered_resnet", "resnet_cam16"),
    ],
)
def test_a_classifier_comes_back_from_its_checkpoint_alone(tmp_path, names):
    model, metadata = classifier(*names)
    save_checkpoint(tmp_path / "model.pt", classifier_state(model), metadata)
    loaded, found = load_classifier(tmp_path / "model.pt")
    assert found == metadata
    assert not loaded.training
    with torch.inference_mode():
        assert torch.equal(loaded(images()), model.eval()(images()))
    for name, encoder in model.encoders.items():
        assert loaded.encoders[name].trained_blocks == encoder.trained_blocks


def test_encoders_of_a_classifier_are_loaded_without_its_head(single):
    path, model = single
    encoder, metadata = load_encoder("resnet_cam16", path)
    assert metadata["classes"] == ["a", "b", "c"]
    ours = model.encoders["imagenet_resnet18"].state_dict()
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, ours[name])


def test_encoders_are_loaded_from_torchvisions_file(resnet_weights):
    encoder, metadata = load_encoder("imagenet_resnet18", resnet_weights)
    assert metadata == {}
    assert torch.equal(encoder.conv1.weight, torch.load(resnet_weights)["conv1.weight"])


def test_an_autoencoder_comes_back(tmp_path):
    model = Autoencoder(*AUTOENCODER.values())
    save_checkpoint(tmp_path / "model.pt", model.state_dict(), AUTOENCODER)
    loaded, _ = load_autoencoder(tmp_path / "model.pt")
    encoder, metadata = load_encoder("pRCC_autoencoder", tmp_path / "model.pt")
    assert metadata == AUTOENCODER
    model.eval()
    with torch.inference_mode():
        assert torch.equal(loaded(images()), model(images()))
        assert torch.equal(encoder.eval()(images()), model.encoder(images()))


def test_channels_last_tensors_are_stored_plainly(tmp_path):
    value = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "model.pt", {"a": value.requires_grad_()}, {})
    state, _ = load_checkpoint(tmp_path / "model.pt")
    assert state["a"].is_contiguous()
    assert not state["a"].requires_grad
    assert torch.equal(state["a"], value)


def test_a_bare_state_dict_has_no_metadata(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "bare.pth")
    state, metadata = load_checkpoint(tmp_path / "bare.pth")
    assert list(state) == ["a"]
    assert metadata == {}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.pt does not exist"):
        load_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 half a zip file"])
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "broken.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.pt is no readable checkpoint"):
        load_checkpoint(tmp_path / "broken.pt")


def test_a_truncated_checkpoint_is_named(tmp_path):
    path = tmp_path / "half.pt"
    save_checkpoint(path, {"a": torch.zeros(1000)}, {})
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"half\.pt is no readable checkpoint"):
        load_checkpoint(path)


def test_code_in_a_checkpoint_is_refused(tmp_path):
    torch.save({"state_dict": torch.nn.Linear(1, 1)}, tmp_path / "code.pt")
    with pytest.raises(UserError, match=r"code\.pt is no readable checkpoint"):
        load_checkpoint(tmp_path / "code.pt")


@pytest.mark.parametrize("content", [[1, 2], torch.ones(3), "text"])
def test_something_other_than_a_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"other\.pt is no"):
        load_checkpoint(tmp_path / "other.pt")


@pytest.mark.parametrize("change", ["shape", "missing", "surplus"])
def test_weights_that_do_not_fit_are_one_line(tmp_path, change):
    state = dict(torch.nn.Linear(3, 2).state_dict())
    if change == "shape":
        state["weight"] = torch.zeros(5, 5)
    elif change == "missing":
        del state["weight"]
    else:
        state["more"] = torch.zeros(1)
    with pytest.raises(UserError, match=r"file\.pt does not fit the network") as caught:
        load_state(torch.nn.Linear(3, 2), state, "file.pt")
    assert "\n" not in str(caught.value)


def test_a_file_of_another_network_is_one_line(tmp_path, single, resnet_weights):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="does not fit"):
        load_encoder("resnet_cam16", tmp_path / "other.pth")
    for path in (resnet_weights, single[0]):
        with pytest.raises(UserError, match="no autoencoder"):
            load_encoder("pRCC_autoencoder", path)
        with pytest.raises(UserError, match="no autoencoder"):
            load_autoencoder(path)
    with pytest.raises(UserError, match="no classifier of this workflow"):
        load_classifier(resnet_weights)
