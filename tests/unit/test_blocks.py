"""Names of blocks and stages."""

import pytest
from torch import nn

from fewlabels.core.errors import UserError
from fewlabels.networks.blocks import expand_blocks, find_blocks, stages_of

RESNET18_BLOCKS = (
    *("conv1", "bn1", "layer1.0", "layer1.1", "layer2.0", "layer2.1"),
    *("layer3.0", "layer3.1", "layer4.0", "layer4.1"),
)


class Transformer(nn.Module):
    """Parameters of its own, a stem, and a part that owns ``layers``."""

    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(nn.init.zeros_(nn.Linear(2, 1).weight.data))
        self.stem = nn.Conv2d(3, 2, 1)
        self.drop = nn.Dropout()
        self.inner = nn.Module()
        self.inner.place = nn.Parameter(self.token.data)
        self.inner.layers = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        self.inner.norm = nn.LayerNorm(2)
        self.group = nn.ModuleDict({"a": nn.Linear(2, 2)})


def test_blocks_are_found_in_plain_containers_and_in_owners_of_layers():
    blocks, opened = find_blocks(Transformer())
    assert blocks == [
        *("stem", "token", "inner.place", "inner.layers.0", "inner.layers.2", "inner.norm", "group")
    ]
    assert opened == {"", "inner", "inner.layers"}


def test_a_subclass_of_a_container_is_one_block():
    class Cell(nn.Sequential):
        pass

    blocks, _ = find_blocks(nn.Sequential(Cell(nn.Linear(2, 2), nn.Linear(2, 2)), nn.Linear(2, 2)))
    assert blocks == ["0", "1"]


@pytest.mark.parametrize(
    ("names", "blocks"),
    [
        ([], []),
        ("all", list(RESNET18_BLOCKS)),
        (["layer4"], ["layer4.0", "layer4.1"]),
        (["layer4.1", "conv1"], ["conv1", "layer4.1"]),
        (["layer4", "layer4.0"], ["layer4.0", "layer4.1"]),
        (["layer3", "layer4"], ["layer3.0", "layer3.1", "layer4.0", "layer4.1"]),
        (
            ["layer1.1", "layer2", "layer3", "layer4"],
            [
                *("layer1.1", "layer2.0", "layer2.1", "layer3.0"),
                *("layer3.1", "layer4.0", "layer4.1"),
            ],
        ),
    ],
)
def test_stages_are_expanded_in_network_order(names, blocks):
    assert expand_blocks(names, RESNET18_BLOCKS) == blocks


@pytest.mark.parametrize("name", ["layer5", "layer", "layer4.", "layer4.2"])
def test_an_unknown_block_is_named_with_what_it_may_mean(name):
    with pytest.raises(UserError, match=rf"unknown block '{name}': did you mean 'layer\d"):
        expand_blocks(["layer4", name], RESNET18_BLOCKS)


@pytest.mark.parametrize("name", ["head", ""])
def test_a_block_like_none_is_told_with_the_known_ones(name):
    with pytest.raises(UserError, match=rf"unknown block '{name}': known: conv1, bn1, layer1"):
        expand_blocks([name], RESNET18_BLOCKS)


def test_a_number_is_no_prefix_of_another():
    """``conv1`` does not open ``conv10``."""
    assert expand_blocks(["conv1"], [f"conv{n}" for n in range(1, 11)]) == ["conv1"]


def test_stages_are_the_paths_above_blocks():
    assert stages_of(["stem", "a.0.x", "a.1"]) == ["stem", "a", "a.0", "a.0.x", "a.1"]
