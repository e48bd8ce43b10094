"""Checks of networks before anything is trained: models, blocks and nodes by name, without weights."""

import logging
from collections.abc import Mapping
from typing import Any

import torch

from fewlabels.core.errors import UserError
from fewlabels.networks.autoencoder import AUTOENCODER
from fewlabels.networks.checkpoints import build_encoder
from fewlabels.networks.encoder import IMAGENET, Encoder
from fewlabels.networks.features import check_node
from fewlabels.networks.library import meta_model
from fewlabels.networks.mask_channel import check_mask_is_learnt

COLUMNS = ["key", "model", "blocks", "cut"]


def check_network(entry: Mapping[str, Any]) -> dict[str, str]:
    """Check one use of a network; give its row of the record.

    Args:
        entry: ``key`` in the config and ``architecture``, as in a checkpoint's metadata; and ``trained`` (blocks,
            stages or ``all``) with ``name``, the encoder's, or ``node``.

    Returns:
        ``key``, ``model``, ``blocks`` (open ones, or the node), and ``cut``: the block behind which activations are
        kept, empty where there are none.

    Raises:
        UserError: names the key, and what it may have meant.
    """
    key, architecture = entry["key"], entry["architecture"]
    try:
        if "node" in entry:
            return _check_node(entry)
        with torch.device("meta"):
            encoder = build_encoder(
                {"architecture": architecture, "normalisation": IMAGENET.plain()}
            )
        encoder.open_blocks(entry["trained"])
        if entry.get("mask_channel"):
            check_mask_is_learnt(encoder)
    except UserError as error:
        raise UserError(f"key '{key}': {error}") from error
    _log(entry.get("name", key), encoder)
    return {
        "key": key,
        "model": architecture["model"],
        "blocks": " ".join(encoder.trained_blocks),
        "cut": cut_block(encoder) or "",
    }


def cut_block(encoder: Encoder) -> str | None:
    """The block behind which activations are kept; None where they are not."""
    frozen = encoder.frozen_prefix()
    return encoder.block_names[frozen - 1] if frozen else None


def _check_node(entry: Mapping[str, Any]) -> dict[str, str]:
    key, node = entry["key"], entry["node"]
    model, image_size = entry["architecture"]["model"], entry["architecture"]["image_size"]
    if model == AUTOENCODER:
        raise UserError("an autoencoder has no nodes to extract: start from a backbone")
    check_node(meta_model(model, image_size), model, node)
    logging.info("%s: %s, features at %s", key, model, node)
    return {"key": key, "model": model, "blocks": node, "cut": ""}


def _log(name: str, encoder: Encoder) -> None:
    trained = encoder.trained_blocks
    frozen = [block for block in encoder.block_names if block not in trained]
    cut = cut_block(encoder)
    leading = encoder.leading_frozen()
    if cut is None and leading:
        kept = "activations are not kept: the network can't be cut behind a frozen block"
    elif cut is None:
        kept = "activations are not kept: the first block is open"
    else:
        kept = f"activations are kept behind {cut}"
    logging.info(
        "%s (%s): open %s; frozen %s; %s",
        name,
        encoder.architecture["model"],
        ", ".join(trained) or "none",
        ", ".join(frozen) or "none",
        kept,
    )
