"""Heads of light classifiers: votes of neighbours by hand, float32, and their checkpoints."""

import math

import pytest
import torch
from builders import AUTOENCODER, SIDE
from torch import nn

from fewlabels.core.errors import UserError
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.checkpoints import (
    classifier_state,
    describe_encoders,
    load_classifier,
    load_encoder,
    save_checkpoint,
)
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.heads import LogisticHead, NeighboursHead, empty_head


def at_angles(*degrees: float, length: float = 1.0) -> torch.Tensor:
    """Features of two numbers whose cosine similarity is that of their angles."""
    angles = torch.tensor(degrees) * math.pi / 180
    return length * torch.stack([angles.cos(), angles.sin()], 1)


def test_votes_of_the_nearest_images_by_hand():
    """Of the query at 0 degrees: the images at 0 (class 0), 60 (class 1) and -60 degrees (class 1) vote, that at 90
    does not. Their votes weigh 1 and twice exp(-0.5 / 0.07); one is added for each of three classes."""
    head = NeighboursHead(at_angles(0, 60, -60, 90), torch.tensor([0, 1, 1, 2]), 3, classes=3)
    further = math.exp(-0.5 / 0.07)
    votes = torch.tensor([[1 + 1, 1 + 2 * further, 1.0]])
    torch.testing.assert_close(head(at_angles(0)).exp(), votes / votes.sum())
    # Lengths do not count.
    torch.testing.assert_close(head(at_angles(0, length=7)), head(at_angles(0)))


@pytest.mark.parametrize(("angle", "expected"), [(10, 0), (80, 1), (40, 0), (50, 1)])
def test_equal_votes_go_to_the_nearer_image(angle, expected):
    head = NeighboursHead(at_angles(90, 0), torch.tensor([1, 0]), 2, classes=2)
    assert head(at_angles(angle)).argmax().item() == expected


def test_a_class_without_neighbours_has_a_probability():
    head = NeighboursHead(at_angles(0, 1), torch.tensor([0, 0]), 2, classes=4)
    shares = head(at_angles(0, 180)).exp()
    assert shares.min() > 0.1
    torch.testing.assert_close(shares.sum(1), torch.ones(2))


@pytest.mark.parametrize("kind", ["logistic_regression", "nearest_neighbours"])
def test_heads_compute_in_float32_within_autocast(kind):
    features = torch.linspace(0.1, 0.9, 12).view(3, 4).bfloat16()
    head = NeighboursHead(features.float(), torch.tensor([0, 1, 1]), 2, 2)
    if kind == "logistic_regression":
        head = LogisticHead(4, 2)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = head(features)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, head(features.float()), rtol=0, atol=0)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return ConvolutionalEncoder(**AUTOENCODER).eval()


def saved(path, model, kind):
    metadata = {"classes": ["a", "b"], "encoders": describe_encoders(model)}
    save_checkpoint(path, classifier_state(model), metadata | {"classifier": {"kind": kind}})
    return path


@pytest.mark.parametrize("kind", ["logistic_regression", "nearest_neighbours"])
def test_a_checkpoint_gives_the_same_outputs(encoder, tmp_path, kind):
    images = torch.rand(4, 3, SIDE, SIDE)
    head = NeighboursHead(torch.rand(5, 6), torch.tensor([0, 1, 1, 0, 1]), 3, 2)
    if kind == "logistic_regression":
        head = LogisticHead(6, 2)
    model = Classifier({"e": encoder}, 2, head).eval()
    loaded, _ = load_classifier(saved(tmp_path / "a.pt", model, kind))
    assert type(loaded.head) is type(head)
    with torch.inference_mode():
        assert torch.equal(loaded(images), model(images))


def test_only_a_linear_head_is_stored_under_the_librarys_names(tmp_path):
    backbone = Backbone("torchvision/resnet18", SIDE)
    head = NeighboursHead(torch.rand(2, 512), torch.tensor([0, 1]), 1, 2)
    neighbours = Classifier({"resnet": backbone}, 2, head).eval()
    names = classifier_state(neighbours)
    assert {"head.features", "head.labels", "head.neighbours"} <= set(names)
    assert "encoders.resnet.conv1.weight" in names
    logistic = classifier_state(Classifier({"resnet": backbone}, 2, LogisticHead(512, 2)))
    assert {"fc.weight", "fc.bias", "conv1.weight"} <= set(logistic)
    # The encoder alone is found in either.
    path = saved(tmp_path / "a.pt", neighbours, "nearest_neighbours")
    found, _ = load_encoder(path)
    assert torch.equal(found.network.conv1.weight, backbone.network.conv1.weight)


def test_a_checkpoint_without_neighbours_is_refused(encoder, tmp_path):
    model = Classifier({"e": encoder}, 2, LogisticHead(6, 2))
    path = saved(tmp_path / "a.pt", model, "nearest_neighbours")
    with pytest.raises(UserError, match=r"a\.pt does not fit the network \(.* is missing\)"):
        load_classifier(path)


def test_a_network_keeps_its_own_head():
    assert empty_head("network", 6, 0, 2) is None


def test_a_classifier_draws_a_head_only_where_none_is_given(encoder):
    given = nn.Identity()
    assert Classifier({"e": encoder}, 2, given).head is given
    assert Classifier({"e": encoder}, 2).head.weight.shape == (2, 6)
