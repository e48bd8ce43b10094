"""Names of blocks and stages."""

import pytest
from builders import REPOSITORY

from fewlabels.core.errors import UserError
from fewlabels.networks.blocks import (
    ENCODER_KINDS,
    RESNET18_BLOCKS,
    autoencoder_blocks,
    expand_blocks,
)


def test_the_blocks_of_resnet18():
    assert list(RESNET18_BLOCKS) == [
        *("conv1", "bn1", "layer1.0", "layer1.1", "layer2.0", "layer2.1"),
        *("layer3.0", "layer3.1", "layer4.0", "layer4.1"),
    ]


def test_the_blocks_of_the_autoencoder():
    assert autoencoder_blocks(2) == ("conv1", "conv2", "latent")


@pytest.mark.parametrize(
    ("names", "blocks"),
    [
        ([], []),
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


@pytest.mark.parametrize("name", ["layer5", "layer", "layer4.", "layer4.2", "fc", ""])
def test_an_unknown_block_is_named_with_the_known_ones(name):
    with pytest.raises(UserError, match=rf"unknown block '{name}'.*layer4\.1"):
        expand_blocks(["layer4", name], RESNET18_BLOCKS)


def test_a_number_is_no_prefix_of_another():
    """``conv1`` does not open ``conv10``."""
    assert expand_blocks(["conv1"], autoencoder_blocks(10)) == ["conv1"]


def test_the_schema_knows_every_encoder():
    schema = (REPOSITORY / "schemas/config.schema.yaml").read_text(encoding="utf-8")
    assert f"encoder: {{enum: [{', '.join(ENCODER_KINDS)}]}}" in schema
