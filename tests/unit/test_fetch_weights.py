"""Weights that pretraining starts from: random by seed, checked files, and errors of one line."""

import hashlib
import shutil
from types import SimpleNamespace
from urllib.error import URLError

import pytest
import torch
from builders import call, failure
from torch import nn
from torchvision.models import resnet18

import fetch_weights


def state_of(path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)


@pytest.fixture
def options(tmp_path):
    return {
        "network": "resnet18",
        "downloads": tmp_path / "downloads",
        "weights": tmp_path / "weights.pth",
    }


@pytest.fixture
def published(monkeypatch, tmp_path, resnet_weights):
    """Lets the ResNet-18 file stand for ImageNet's; gives its name."""
    digits = hashlib.sha256(resnet_weights.read_bytes()).hexdigest()[:8]
    name = f"resnet18-{digits}.pth"
    address = SimpleNamespace(url=f"https://example.invalid/models/{name}")
    monkeypatch.setattr(fetch_weights, "IMAGENET", {"resnet18": address})
    return name


@pytest.fixture
def no_network(monkeypatch):
    def fail(url, target, progress):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)


def test_random_weights_are_fixed_by_the_seed(options, tmp_path):
    states = []
    for seed in (1, 1, 2):
        assert call("fetch_weights", **options, source="random", seed=seed) == 0
        states.append(state_of(options["weights"]))
    one, same, other = states
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])
    resnet18(weights=None).load_state_dict(one, strict=True)
    assert not options["downloads"].exists()


def test_random_vgg16_is_torchvisions(options, monkeypatch):
    """A small stand-in: the real one takes half a gigabyte."""
    built = []

    def small(weights):
        built.append(weights)
        return nn.Linear(3, 2)

    monkeypatch.setitem(fetch_weights.NETWORKS, "vgg16", small)
    assert call("fetch_weights", **options | {"network": "vgg16"}, source="random") == 0
    assert built == [None]
    assert set(state_of(options["weights"])) == {"weight", "bias"}


def test_imagenet_weights_from_the_folder_of_downloads(
    options, published, no_network, resnet_weights
):
    options["downloads"].mkdir()
    shutil.copy(resnet_weights, options["downloads"] / published)
    assert call("fetch_weights", **options, source="imagenet") == 0
    expected = state_of(resnet_weights)
    found = state_of(options["weights"])
    assert set(found) == set(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_imagenet_weights_are_downloaded_once(options, published, monkeypatch, resnet_weights):
    asked = []

    def copy(url, target, progress):
        asked.append(url)
        shutil.copy(resnet_weights, target)

    monkeypatch.setattr(torch.hub, "download_url_to_file", copy)
    for _ in range(2):
        assert call("fetch_weights", **options, source="imagenet") == 0
    assert asked == [f"https://example.invalid/models/{published}"]
    assert [path.name for path in options["downloads"].iterdir()] == [published]


def test_a_wrong_checksum_is_one_line(options, published, no_network, resnet_weights, capsys):
    options["downloads"].mkdir()
    path = options["downloads"] / published
    path.write_bytes(resnet_weights.read_bytes()[:-1])
    line = failure(capsys, "fetch_weights", **options, source="imagenet")
    assert str(path) in line
    assert "sha256" in line
    assert "delete it" in line
    assert not options["weights"].exists()


def test_no_network_is_one_line_that_names_file_and_folder(options, published, no_network, capsys):
    line = failure(capsys, "fetch_weights", **options, source="imagenet")
    assert published in line
    assert f"https://example.invalid/models/{published}" in line
    assert f"into {options['downloads']}/ by hand" in line
    assert not options["weights"].exists()
    assert list(options["downloads"].iterdir()) == []


def test_the_real_addresses_carry_their_checksums():
    for network, weights in fetch_weights.IMAGENET.items():
        name = weights.url.rsplit("/", 1)[1]
        stem, digits = name.removesuffix(".pth").rsplit("-", 1)
        assert stem == network
        assert len(digits) == 8
        assert int(digits, 16)


def test_weights_of_ones_own(options, tmp_path, resnet_weights):
    shutil.copy(resnet_weights, tmp_path / "mine.pth")
    assert call("fetch_weights", **options, source=tmp_path / "mine.pth") == 0
    assert torch.equal(
        state_of(options["weights"])["conv1.weight"], state_of(resnet_weights)["conv1.weight"]
    )


def test_weights_from_before_batchnorm_had_counters(options, tmp_path, resnet_weights):
    old = {
        name: value
        for name, value in state_of(resnet_weights).items()
        if not name.endswith("num_batches_tracked")
    }
    torch.save(old, tmp_path / "old.pth")
    assert call("fetch_weights", **options, source=tmp_path / "old.pth") == 0
    resnet18(weights=None).load_state_dict(state_of(options["weights"]), strict=True)


@pytest.mark.parametrize("damage", ["other network", "missing", "shape", "no state dict"])
def test_weights_of_another_network_are_one_line(options, tmp_path, resnet_weights, capsys, damage):
    state = state_of(resnet_weights)
    if damage == "other network":
        state = nn.Linear(2, 2).state_dict()
    elif damage == "missing":
        del state["layer4.1.bn2.weight"]
    elif damage == "shape":
        state["fc.weight"] = torch.zeros(5, 512)
    else:
        state = [1, 2]
    torch.save(state, tmp_path / "mine.pth")
    line = failure(capsys, "fetch_weights", **options, source=tmp_path / "mine.pth")
    assert "mine.pth is no" in line
    assert "give another file" in line
    assert not options["weights"].exists()


def test_a_missing_path_is_one_line(options, capsys):
    line = failure(capsys, "fetch_weights", **options, source="nowhere.pth")
    assert "nowhere.pth does not exist" in line
