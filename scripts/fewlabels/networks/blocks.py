"""Names of the encoders and of their blocks; free of torch, so that a config is checked in no time."""

from collections.abc import Sequence

from fewlabels.core.errors import UserError

RESNET18_BLOCKS = (
    "conv1",
    "bn1",
    *(f"layer{stage}.{block}" for stage in range(1, 5) for block in range(2)),
)

#: Encoder name in the config -> kind of network.
ENCODER_KINDS = {
    "imagenet_resnet18": "resnet18",
    "resnet_cam16": "resnet18",
    "pRCC_clustered_resnet": "resnet18",
    "pRCC_autoencoder": "autoencoder",
}


def autoencoder_blocks(convolutions: int) -> tuple[str, ...]:
    """Blocks of the autoencoder's encoder: ``conv1 ... convN, latent``."""
    return (*(f"conv{index}" for index in range(1, convolutions + 1)), "latent")


def expand_blocks(names: Sequence[str], blocks: Sequence[str]) -> list[str]:
    """Turn block names and stage names (``layer4`` for ``layer4.0, layer4.1``) into blocks, in network order.

    Raises:
        UserError: a name is neither a block nor a stage.
    """
    chosen = set()
    for name in names:
        found = [block for block in blocks if block == name or block.startswith(f"{name}.")]
        if not found:
            raise UserError(f"unknown block '{name}': use one of {', '.join(blocks)}")
        chosen.update(found)
    return [block for block in blocks if block in chosen]


def blocks_of(encoder: str, convolutions: int) -> tuple[str, ...]:
    """Blocks of an encoder; ``convolutions``: how many the autoencoder's has."""
    return (
        RESNET18_BLOCKS
        if ENCODER_KINDS[encoder] == "resnet18"
        else autoencoder_blocks(convolutions)
    )


def last_frozen_block(trained: Sequence[str], blocks: Sequence[str]) -> str | None:
    """The last of the leading frozen blocks, None where the first block is trained already."""
    opened = expand_blocks(trained, blocks)
    frozen = blocks[: blocks.index(opened[0])] if opened else blocks
    return frozen[-1] if frozen else None
