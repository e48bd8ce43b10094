"""Checkpoints: a plain state dict and plain metadata, loadable with ``weights_only=True``.

A classifier over one ResNet-18 is stored under torchvision's own names (``conv1.weight`` ... ``fc.bias``),
so that ``torchvision.models.resnet18(num_classes=k)`` loads it; any other classifier under
``encoders.<name>.`` and ``head.``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fewlabels.core.errors import UserError
from fewlabels.core.files import atomic_path
from fewlabels.networks.blocks import ENCODER_KINDS
from fewlabels.networks.encoders import (
    Autoencoder,
    Classifier,
    ConvolutionalEncoder,
    Encoder,
    ResNet18Encoder,
)

#: Mean and standard deviation of ImageNet's RGB values in 0 ... 1: what torchvision's weights expect.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

State = dict[str, Tensor]


def save_checkpoint(path: Path | str, state: Mapping[str, Tensor], metadata: dict) -> None:
    """Write ``{"state_dict", "metadata"}``; tensors go to the CPU, contiguous."""
    plain = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    with atomic_path(path) as temporary:
        torch.save({"state_dict": plain, "metadata": metadata}, temporary)


def load_checkpoint(path: Path | str) -> tuple[State, dict[str, Any]]:
    """Read a checkpoint or a bare state dict onto the CPU.

    Raises:
        UserError: the file is missing, broken, or holds something other than tensors and plain values.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the rule that writes it first") from None
    except Exception as error:  # torch and pickle raise many types on a broken file
        raise UserError(
            f"{path} is no readable checkpoint ({type(error).__name__}): delete it and run again"
        ) from error
    if not isinstance(content, dict):
        raise UserError(
            f"{path} is no checkpoint but a {type(content).__name__}: give another file"
        )
    if "state_dict" in content:
        return content["state_dict"], content.get("metadata", {})
    return content, {}


def load_state(module: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Load a state dict whole.

    Raises:
        UserError: names or shapes differ.
    """
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{source} does not fit the network ({reason}): give another file"
        ) from error


def under(state: Mapping[str, Tensor], prefix: str) -> State:
    """Entries of a state dict below ``prefix``, without it."""
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


def build_encoder(name: str, metadata: Mapping[str, Any]) -> Encoder:
    """An encoder without its weights; the autoencoder's sizes stand in its checkpoint's metadata."""
    if ENCODER_KINDS[name] == "resnet18":
        return ResNet18Encoder()
    return ConvolutionalEncoder(
        metadata["channels"], metadata["latent_size"], metadata["image_size"]
    )


def _check_autoencoder(metadata: Mapping[str, Any], source: Path | str) -> None:
    if not {"channels", "latent_size", "image_size"} <= set(metadata):
        raise UserError(f"{source} is no autoencoder of this workflow: give another checkpoint")


def load_encoder(name: str, path: Path | str) -> tuple[Encoder, dict[str, Any]]:
    """An encoder with the weights of a checkpoint of this workflow or of torchvision, and its metadata."""
    state, metadata = load_checkpoint(path)
    if ENCODER_KINDS[name] == "autoencoder":
        _check_autoencoder(metadata, path)
        state = under(state, "encoder.")
    else:
        state = {key: value for key, value in state.items() if not key.startswith("fc.")}
    encoder = build_encoder(name, metadata)
    load_state(encoder, state, path)
    return encoder, metadata


def classifier_state(model: Classifier) -> State:
    """A classifier's state dict under the names that its checkpoint uses."""
    state = model.state_dict()
    if not _is_single_resnet(list(model.encoders)):
        return state
    (name,) = model.encoders
    heads = {f"fc.{key}": value for key, value in under(state, "head.").items()}
    return under(state, f"encoders.{name}.") | heads


def _is_single_resnet(names: list[str]) -> bool:
    return len(names) == 1 and ENCODER_KINDS[names[0]] == "resnet18"


def load_classifier(path: Path | str) -> tuple[Classifier, dict[str, Any]]:
    """Rebuild a classifier, in eval mode, from its checkpoint alone."""
    state, metadata = load_checkpoint(path)
    if "encoders" not in metadata:
        raise UserError(f"{path} is no classifier of this workflow: give a checkpoint of train_*")
    names = [choice["encoder"] for choice in metadata["encoders"]]
    encoders = {name: build_encoder(name, metadata.get("autoencoder", {})) for name in names}
    model = Classifier(encoders, len(metadata["classes"]))
    if _is_single_resnet(names):
        body = {f"encoders.{names[0]}.{k}": v for k, v in state.items() if not k.startswith("fc.")}
        state = body | {f"head.{key}": value for key, value in under(state, "fc.").items()}
    load_state(model, state, path)
    for choice in metadata["encoders"]:
        model.encoders[choice["encoder"]].open_blocks(choice["trained"])
    return model.eval(), metadata


def load_autoencoder(path: Path | str) -> tuple[Autoencoder, dict[str, Any]]:
    """Rebuild an autoencoder, in eval mode, from its checkpoint alone."""
    state, metadata = load_checkpoint(path)
    _check_autoencoder(metadata, path)
    model = Autoencoder(metadata["channels"], metadata["latent_size"], metadata["image_size"])
    load_state(model, state, path)
    return model.eval(), metadata
