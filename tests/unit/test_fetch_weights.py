"""Weights that backbones start from: random by seed, checked files, and errors of one line."""

import hashlib
import shutil
from types import SimpleNamespace
from urllib.error import URLError

import pytest
import timm
import torch
from builders import call, failure
from torch import nn
from torchvision.models import get_model_weights, resnet18, vgg16

from fewlabels.networks import weights as sources
from fewlabels.networks.checkpoints import load_checkpoint, load_encoder, save_checkpoint
from fewlabels.networks.library import build_model, torchvision_weights


def state_of(path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path)[0]


@pytest.fixture
def options(tmp_path):
    return {
        "backbone": "mine",
        "model": "torchvision/resnet18",
        "downloads": tmp_path / "downloads",
        "output": tmp_path / "weights.pth",
    }


@pytest.fixture
def published(monkeypatch, resnet_weights):
    """Lets the ResNet-18 file stand for ImageNet's; gives its name."""
    digits = hashlib.sha256(resnet_weights.read_bytes()).hexdigest()[:8]
    name = f"resnet18-{digits}.pth"
    address = SimpleNamespace(url=f"https://example.invalid/models/{name}")
    monkeypatch.setattr(sources, "torchvision_weights", lambda name: address)
    return name


@pytest.fixture
def no_network(monkeypatch):
    def fail(url, target, progress):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)


def test_random_weights_are_fixed_by_the_seed(options):
    states = []
    for seed in (1, 1, 2):
        assert call("fetch_weights", **options, weights="random", seed=seed) == 0
        states.append(state_of(options["output"]))
    one, same, other = states
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])
    assert not options["downloads"].exists()


class SmallLinear(nn.Linear):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(4, outputs % 7 + 1)


@pytest.mark.parametrize("build", [resnet18, vgg16])
def test_random_weights_are_those_that_torchvision_draws(monkeypatch, build):
    """Of VGG16's linear layers, half a gigabyte, stand-ins."""
    if build is vgg16:
        monkeypatch.setattr(nn, "Linear", SmallLinear)
    torch.manual_seed(4)
    expected = build(weights=None).state_dict()
    torch.manual_seed(4)
    found = build_model(f"torchvision/{build.__name__}", 224).state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_file_says_what_it_is(options):
    call_options = options | {"model": "timm/test_vit", "image_size": 64}
    assert call("fetch_weights", **call_options, weights="random", seed=3) == 0
    _, metadata = load_checkpoint(options["output"])
    assert metadata == {
        "backbone": "mine",
        "architecture": {"model": "timm/test_vit", "image_size": 64},
        "normalisation": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
        "weights": "random",
        "seed": 3,
    }
    encoder, _ = load_encoder(options["output"])
    assert encoder.architecture == metadata["architecture"]


def test_imagenet_weights_from_the_folder_of_downloads(
    options, published, no_network, resnet_weights
):
    options["downloads"].mkdir()
    shutil.copy(resnet_weights, options["downloads"] / published)
    assert call("fetch_weights", **options, weights="default") == 0
    expected = state_of(resnet_weights)
    found = state_of(options["output"])
    assert set(found) == set(expected), "the last layer, too"
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_imagenet_weights_are_downloaded_once(options, published, monkeypatch, resnet_weights):
    asked = []

    def copy(url, target, progress):
        asked.append(url)
        shutil.copy(resnet_weights, target)

    monkeypatch.setattr(torch.hub, "download_url_to_file", copy)
    for _ in range(2):
        assert call("fetch_weights", **options, weights="default") == 0
    assert asked == [f"https://example.invalid/models/{published}"]
    assert [path.name for path in options["downloads"].iterdir()] == [published]


def test_a_wrong_checksum_is_one_line(options, published, no_network, resnet_weights, capsys):
    options["downloads"].mkdir()
    path = options["downloads"] / published
    path.write_bytes(resnet_weights.read_bytes()[:-1])
    line = failure(capsys, "fetch_weights", **options, weights="default")
    assert str(path) in line
    assert "sha256" in line
    assert "delete it" in line
    assert not options["output"].exists()


def test_no_network_is_one_line_that_names_file_and_folder(options, published, no_network, capsys):
    line = failure(capsys, "fetch_weights", **options, weights="default")
    assert published in line
    assert f"https://example.invalid/models/{published}" in line
    assert f"into {options['downloads']}/ by hand" in line
    assert not options["output"].exists()
    assert list(options["downloads"].iterdir()) == []


def test_a_model_without_published_weights_is_one_line(options, monkeypatch, capsys):
    monkeypatch.setattr(sources, "torchvision_weights", lambda name: None)
    line = failure(capsys, "fetch_weights", **options, weights="default")
    assert "torchvision has no weights of torchvision/resnet18" in line
    line = failure(
        capsys, "fetch_weights", **options | {"model": "timm/efficientnet_l2"}, weights="default"
    )
    assert "timm has no weights of timm/efficientnet_l2: set weights to random or a path" in line


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "vit_b_16", "convnext_tiny", "vit_h_14"])
def test_the_real_addresses_carry_their_checksums(name):
    weights = torchvision_weights(name)
    choices = get_model_weights(name)
    assert weights is getattr(choices, "IMAGENET1K_V1", choices.DEFAULT)
    digits = weights.url.rsplit("/", 1)[1].removesuffix(".pth").rsplit("-", 1)[1]
    assert len(digits) == 8
    assert int(digits, 16)


def test_timms_weights_are_fetched_by_timm(options, monkeypatch):
    create, asked = timm.create_model, []

    def fetch(name, pretrained=False, cache_dir=None, **more):
        if pretrained:
            asked.append((name, cache_dir))
            torch.manual_seed(8)
        return create(name, **more)

    monkeypatch.setattr(timm, "create_model", fetch)
    call_options = options | {"model": "timm/test_vit.r160_in1k", "image_size": 64}
    assert call("fetch_weights", **call_options, weights="default") == 0
    assert asked == [("test_vit.r160_in1k", str(options["downloads"]))]
    torch.manual_seed(8)
    expected = create("test_vit.r160_in1k", img_size=64).state_dict()
    found = state_of(options["output"])
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        ("timm/test_resnet.r160_in1k", "set weights to random or a path"),
        ("timm/tf_efficientnet_lite0", "set weights to packaged, random or a path"),
    ],
)
def test_timm_without_a_network_is_one_line(options, monkeypatch, capsys, model, remedy):
    create = timm.create_model

    def fail(name, pretrained=False, **more):
        if pretrained:
            raise RuntimeError("the hub\ncan't be reached")
        return create(name, **more)

    monkeypatch.setattr(timm, "create_model", fail)
    line = failure(capsys, "fetch_weights", **options | {"model": model}, weights="default")
    assert f"the weights of {model} could not be downloaded (RuntimeError: the hub)" in line
    assert remedy in line
    assert not options["output"].exists()


def test_packaged_weights(options, capsys):
    call_options = options | {"model": "timm/tf_efficientnet_lite0"}
    assert call("fetch_weights", **call_options, weights="packaged") == 0
    state, metadata = load_checkpoint(options["output"])
    assert metadata["normalisation"] == {"mean": [0.5] * 3, "std": [0.5] * 3}
    assert state["classifier.weight"].shape == (1000, 1280)
    encoder, _ = load_encoder(options["output"])
    assert torch.equal(encoder.network.conv_stem.weight, state["conv_stem.weight"])
    line = failure(capsys, "fetch_weights", **options, weights="packaged")
    assert "no package carries weights of torchvision/resnet18" in line
    assert "timm/tf_efficientnet_lite0" in line


@pytest.mark.parametrize("last_layer", ["as it was", "five classes", "none"])
def test_weights_of_ones_own(options, tmp_path, resnet_weights, last_layer):
    state = state_of(resnet_weights)
    if last_layer == "five classes":
        state |= {"fc.weight": torch.ones(5, 512), "fc.bias": torch.ones(5)}
    elif last_layer == "none":
        del state["fc.weight"], state["fc.bias"]
    torch.save(state, tmp_path / "mine.pth")
    digest = hashlib.sha256((tmp_path / "mine.pth").read_bytes()).hexdigest()
    assert call("fetch_weights", **options, weights=tmp_path / "mine.pth", sha256=digest) == 0
    found = state_of(options["output"])
    assert set(found) == set(state)
    assert all(torch.equal(found[name], state[name]) for name in state)
    load_encoder(options["output"])


def test_a_file_with_another_sha256_is_refused(options, resnet_weights, capsys):
    line = failure(capsys, "fetch_weights", **options, weights=resnet_weights, sha256="0" * 64)
    assert f"{resnet_weights} has the sha256" in line
    assert "expected 00000000" in line
    assert not options["output"].exists()


def test_a_checkpoint_of_ones_own_keeps_its_normalisation(options, tmp_path, capsys):
    network = build_model("timm/test_resnet", 64)
    described = {
        "architecture": {"model": "timm/test_resnet", "image_size": 64},
        "normalisation": {"mean": [0.1] * 3, "std": [0.2] * 3},
    }
    for place, metadata in enumerate([described, {"encoders": [described]}]):
        path = tmp_path / f"mine{place}.pt"
        save_checkpoint(path, network.state_dict(), metadata)
        call_options = options | {"model": "timm/test_resnet"}
        assert call("fetch_weights", **call_options, weights=path) == 0
        assert load_checkpoint(options["output"])[1]["normalisation"] == described["normalisation"]
        line = failure(capsys, "fetch_weights", **options, weights=path)
        assert f"{path} is of timm/test_resnet, not of torchvision/resnet18" in line


def test_positions_are_interpolated_to_the_images(options, tmp_path):
    torch.save(build_model("timm/test_vit", 96).state_dict(), tmp_path / "vit.pth")
    call_options = options | {"model": "timm/test_vit", "image_size": 64}
    assert call("fetch_weights", **call_options, weights=tmp_path / "vit.pth") == 0
    assert load_encoder(options["output"])[0].network.pos_embed.shape[1] == 16 + 1


def test_weights_from_before_batchnorm_had_counters(options, tmp_path, resnet_weights):
    old = {
        name: value
        for name, value in state_of(resnet_weights).items()
        if not name.endswith("num_batches_tracked")
    }
    torch.save(old, tmp_path / "old.pth")
    assert call("fetch_weights", **options, weights=tmp_path / "old.pth") == 0
    resnet18(weights=None).load_state_dict(state_of(options["output"]), strict=True)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("other network", "conv1.weight is missing"),
        ("missing", "layer4.1.bn2.weight is missing"),
        ("surplus", "more is surplus"),
        ("shape", "conv1.weight has the shape (64, 3, 3, 3) in place of (64, 3, 7, 7)"),
        ("last layer", "fc.weight has the shape (5, 2) in place of (5, 512)"),
        ("no state dict", "is no checkpoint but a list"),
    ],
)
def test_weights_of_another_network_are_one_line(
    options, tmp_path, resnet_weights, capsys, damage, told
):
    state = state_of(resnet_weights)
    if damage == "other network":
        state = nn.Linear(2, 2).state_dict()
    elif damage == "missing":
        del state["layer4.1.bn2.weight"]
    elif damage == "surplus":
        state["more"] = torch.zeros(1)
    elif damage == "shape":
        state["conv1.weight"] = torch.zeros(64, 3, 3, 3)
    elif damage == "last layer":
        state |= {"fc.weight": torch.zeros(5, 2), "fc.bias": torch.zeros(5)}
    else:
        state = [1, 2]
    torch.save(state, tmp_path / "mine.pth")
    line = failure(capsys, "fetch_weights", **options, weights=tmp_path / "mine.pth")
    assert "mine.pth" in line
    assert told in line
    assert "give another file" in line
    assert not options["output"].exists()


@pytest.mark.parametrize("more", [{}, {"sha256": "0" * 64}])
def test_a_missing_path_is_one_line(options, capsys, more):
    line = failure(capsys, "fetch_weights", **options, weights="nowhere.pth", **more)
    assert "nowhere.pth does not exist" in line


def test_an_unknown_model_is_one_line(options, capsys):
    line = failure(
        capsys, "fetch_weights", **options | {"model": "timm/restnet18"}, weights="random"
    )
    assert "unknown model 'timm/restnet18': did you mean 'timm/resnet18'?" in line
