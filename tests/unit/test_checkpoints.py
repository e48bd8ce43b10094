"""Checkpoints are plain, load safely, describe themselves, and give the same model back."""

import pytest
import timm
import torch
import torchvision
from builders import SIDE

from fewlabels.core.errors import UserError
from fewlabels.networks.autoencoder import Autoencoder, ConvolutionalEncoder
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.checkpoints import (
    classifier_state,
    describe_encoders,
    description,
    load_autoencoder,
    load_checkpoint,
    load_classifier,
    load_encoder,
    load_state,
    save_checkpoint,
)
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Normalisation
from fewlabels.training.unfinished import Unfinished

SIZES = ([4, 8], 6, SIDE)
GREY = Normalisation((0.4, 0.5, 0.6), (0.1, 0.2, 0.3))
MODELS = {
    "imagenet_resnet18": "torchvision/resnet18",
    "small_resnet": "timm/test_resnet",
    "small_efficientnet": "timm/test_efficientnet",
    "small_convnext": "timm/test_convnext",
    "small_vit": "timm/vit_tiny_patch16_224",
}


def images(size: int = SIDE) -> torch.Tensor:
    return torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def classifier(*names: str) -> tuple[Classifier, dict]:
    """A classifier over these encoders, and the metadata that its checkpoint needs."""
    torch.manual_seed(3)
    encoders = {
        name: Backbone(MODELS[name], SIDE) if name in MODELS else ConvolutionalEncoder(*SIZES, GREY)
        for name in names
    }
    for encoder in encoders.values():
        encoder.open_blocks(encoder.block_names[-1:], "frozen")
    model = Classifier(encoders, 3)
    return model, {"classes": ["a", "b", "c"], "encoders": describe_encoders(model)}


def saved(path, *names: str) -> Classifier:
    model, metadata = classifier(*names)
    save_checkpoint(path, classifier_state(model), metadata)
    return model.eval()


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A checkpoint of a classifier over one ResNet-18, and the model."""
    path = tmp_path_factory.mktemp("checkpoint") / "single.pt"
    return path, saved(path, "imagenet_resnet18")


def test_a_checkpoint_loads_safely_and_describes_itself(single):
    path, model = single
    content = torch.load(path, weights_only=True)
    assert set(content) == {"state_dict", "metadata"}
    assert content["metadata"] == {
        "classes": ["a", "b", "c"],
        "encoders": [
            {
                "encoder": "imagenet_resnet18",
                "trained": ["layer4.1"],
                "batch_norm": "frozen",
                "architecture": {"model": "torchvision/resnet18", "image_size": SIDE},
                "normalisation": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
            }
        ],
    }
    assert torch.equal(content["state_dict"]["fc.weight"], model.head.weight)


@pytest.mark.parametrize("name", list(MODELS))
def test_the_library_itself_loads_a_classifier_over_one_backbone(tmp_path, name):
    model = saved(tmp_path / "model.pt", name)
    library, _, known = MODELS[name].partition("/")
    if library == "torchvision":
        theirs = torchvision.models.get_model(known, num_classes=3)
    else:
        sized = {"img_size": SIDE} if "vit" in known else {}
        theirs = timm.create_model(known, num_classes=3, **sized)
    state = torch.load(tmp_path / "model.pt", weights_only=True)["state_dict"]
    theirs.load_state_dict(state, strict=True)
    batch = model.encoders[name].normalise(images())
    with torch.inference_mode():
        assert torch.equal(theirs.eval()(batch), model(images()))


@pytest.mark.parametrize(
    "names",
    [
        *((name,) for name in MODELS),
        ("pRCC_autoencoder",),
        ("pRCC_autoencoder", "imagenet_resnet18"),
        ("small_resnet", "small_vit"),
    ],
)
def test_a_classifier_comes_back_from_its_checkpoint_alone(tmp_path, names):
    model = saved(tmp_path / "model.pt", *names)
    loaded, found = load_classifier(tmp_path / "model.pt")
    assert found["encoders"] == describe_encoders(loaded) == describe_encoders(model)
    assert not loaded.training
    with torch.inference_mode():
        assert torch.equal(loaded(images()), model(images()))


def test_a_classifier_over_several_encoders_keeps_their_names(tmp_path):
    saved(tmp_path / "model.pt", "pRCC_autoencoder", "imagenet_resnet18")
    state, _ = load_checkpoint(tmp_path / "model.pt")
    for name in (
        "encoders.imagenet_resnet18.layer4.1.bn2.weight",
        "encoders.pRCC_autoencoder.conv1.0.weight",
        "encoders.pRCC_autoencoder.latent.bias",
        "head.weight",
    ):
        assert name in state
    assert {name.split(".")[0] for name in state} == {"encoders", "head"}


@pytest.mark.parametrize("name", ["imagenet_resnet18", "small_convnext", "pRCC_autoencoder"])
def test_the_encoder_of_a_classifier_is_loaded_without_its_head(tmp_path, name):
    model = saved(tmp_path / "model.pt", name)
    encoder, metadata = load_encoder(tmp_path / "model.pt")
    assert metadata["classes"] == ["a", "b", "c"]
    assert encoder.trained_blocks == ()
    assert encoder.normalisation == model.encoders[name].normalisation
    with torch.inference_mode():
        assert torch.equal(encoder.eval()(images()), model.encoders[name](images()))
    assert description(encoder) == description(model.encoders[name])


def test_loading_draws_the_random_numbers_of_building():
    """So that the head behind it starts as it always did."""
    torch.manual_seed(1)
    torchvision.models.resnet18(weights=None)
    expected = torch.rand(3)
    torch.manual_seed(1)
    Backbone("torchvision/resnet18", SIDE)
    assert torch.equal(torch.rand(3), expected)


def test_an_encoder_is_loaded_for_images_of_another_size(tmp_path):
    saved(tmp_path / "vit.pt", "small_vit")
    encoder, _ = load_encoder(tmp_path / "vit.pt", 64)
    assert encoder.architecture["image_size"] == 64
    assert encoder(images(64)).shape == (2, encoder.feature_size)
    autoencoder = Autoencoder(*SIZES)
    metadata = description(autoencoder.encoder)
    save_checkpoint(tmp_path / "auto.pt", autoencoder.state_dict(), metadata)
    with pytest.raises(UserError, match=rf"auto\.pt takes images of {SIDE} pixels, these have 64"):
        load_encoder(tmp_path / "auto.pt", 64)


def test_an_autoencoder_comes_back(tmp_path):
    model = Autoencoder(*SIZES, normalisation=GREY)
    metadata = description(model.encoder)
    save_checkpoint(tmp_path / "model.pt", model.state_dict(), metadata)
    assert metadata == {
        "architecture": {
            "model": "autoencoder",
            "channels": [4, 8],
            "latent_size": 6,
            "image_size": SIDE,
        },
        "normalisation": GREY.plain(),
    }
    loaded, _ = load_autoencoder(tmp_path / "model.pt")
    encoder, found = load_encoder(tmp_path / "model.pt", SIDE)
    assert found == metadata
    assert loaded.encoder.normalisation == encoder.normalisation == GREY
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


def test_equal_checkpoints_are_equal_files(tmp_path):
    """Neither their names nor the process that wrote them stand inside."""
    state, metadata = {"weight": torch.ones(3)}, {"seed": 1}
    for name in ("one", "other"):
        save_checkpoint(tmp_path / f"{name}.pt", state, metadata)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "other.pt").read_bytes()


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


def test_too_little_memory_is_no_fault_of_the_file(tmp_path, monkeypatch):
    def load(*_, **__):
        raise RuntimeError(
            f"unable to mmap 9 bytes from file <{tmp_path}>: Cannot allocate memory (12)"
        )

    save_checkpoint(tmp_path / "good.pt", {"a": torch.zeros(1)}, {})
    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(RuntimeError, match="Cannot allocate memory"):
        load_checkpoint(tmp_path / "good.pt")
    with pytest.raises(RuntimeError, match="Cannot allocate memory"):
        Unfinished(tmp_path / "good.pt").load()


def test_code_in_a_checkpoint_is_refused(tmp_path):
    torch.save({"state_dict": torch.nn.Linear(1, 1)}, tmp_path / "code.pt")
    with pytest.raises(UserError, match=r"code\.pt is no readable checkpoint"):
        load_checkpoint(tmp_path / "code.pt")


@pytest.mark.parametrize("content", [[1, 2], torch.ones(3), "text"])
def test_something_other_than_a_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(UserError, match=r"other\.pt is no"):
        load_checkpoint(tmp_path / "other.pt")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("shape", r"weight has the shape \(5, 5\) in place of \(2, 3\)"),
        ("missing", "weight is missing"),
        ("surplus", "more is surplus"),
        ("type", "weight is a str"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(change, told):
    state = dict(torch.nn.Linear(3, 2).state_dict())
    if change == "shape":
        state["weight"] = torch.zeros(5, 5)
    elif change == "missing":
        del state["weight"]
    elif change == "surplus":
        state["more"] = torch.zeros(1)
    else:
        state["weight"] = "text"
    with pytest.raises(UserError, match=rf"file\.pt does not fit the network \({told}\)") as caught:
        load_state(torch.nn.Linear(3, 2), state, "file.pt")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_something_else_is_one_line(tmp_path, single):
    bare = tmp_path / "bare.pth"
    torch.save(load_checkpoint(single[0])[0], bare)
    with pytest.raises(UserError, match=r"bare\.pth does not say which network it is of"):
        load_encoder(bare)
    for path in (bare, single[0]):
        with pytest.raises(UserError, match="no autoencoder"):
            load_autoencoder(path)
    with pytest.raises(UserError, match="no classifier of this workflow"):
        load_classifier(bare)
    saved(tmp_path / "two.pt", "small_resnet", "pRCC_autoencoder")
    with pytest.raises(UserError, match=r"two\.pt is a classifier over 2 encoders"):
        load_encoder(tmp_path / "two.pt")
    state, metadata = load_checkpoint(single[0])
    del state["layer1.0.conv1.weight"]
    save_checkpoint(tmp_path / "less.pt", state, metadata)
    for load in (load_encoder, load_classifier):
        with pytest.raises(UserError, match=r"layer1\.0\.conv1\.weight is missing"):
            load(tmp_path / "less.pt")
