"""Checkpoints: a plain state dict and plain metadata, loadable with ``weights_only=True``.

They describe themselves: the metadata say how the network is built again. The weights of a backbone, and a classifier
with a linear head over a single one, are stored under the library's own names (``conv1.weight`` ... ``fc.bias``), so
that ``torchvision.models.get_model(name, num_classes=k)`` or ``timm.create_model(name, num_classes=k)`` loads them; any
other classifier under ``encoders.<name>.`` and ``head.``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fewlabels.core.errors import UserError, is_out_of_memory
from fewlabels.core.failed_runs import FailedRunError, failure_of
from fewlabels.core.files import atomic_path
from fewlabels.networks.autoencoder import AUTOENCODER, Autoencoder, ConvolutionalEncoder
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Encoder, Normalisation
from fewlabels.networks.heads import empty_head
from fewlabels.networks.library import resize_positions
from fewlabels.networks.mask_channel import INPUT_CHANNELS, add_mask_channel

State = dict[str, Tensor]
Metadata = dict[str, Any]


def save_checkpoint(path: Path | str, state: Mapping[str, Tensor], metadata: Metadata) -> None:
    """Write ``{"state_dict", "metadata"}``; tensors go to the CPU, contiguous."""
    plain = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    # Of a path, torch would write the name into the file, and so the process that wrote it.
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        torch.save({"state_dict": plain, "metadata": metadata}, handle)


def load_checkpoint(path: Path | str) -> tuple[State, Metadata]:
    """Read a checkpoint or a bare state dict onto the CPU.

    Raises:
        FailedRunError: it stands in place of the checkpoint of a run that failed.
        UserError: the file is missing, broken, or holds something other than tensors and plain values.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the rule that writes it first") from None
    except Exception as error:  # torch and pickle raise many types on a broken file
        if is_out_of_memory(error):
            raise
        if failure := failure_of(path):
            raise FailedRunError(path, failure) from None
        raise UserError(
            f"{path} is no readable checkpoint ({type(error).__name__}): give another file, or "
            "make it anew (snakemake --forcerun)"
        ) from error
    if not isinstance(content, dict):
        raise UserError(
            f"{path} is no checkpoint but a {type(content).__name__}: give another file"
        )
    if "state_dict" in content:
        return content["state_dict"], content.get("metadata", {})
    return content, {}


def check_state(
    wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], source: Path | str, network: str
) -> None:
    """Check that a state dict has the tensors that a network wants, and no others.

    Raises:
        UserError: names the first that differs, and both shapes.
    """
    for name in [*wanted, *(name for name in state if name not in wanted)]:
        if name not in state:
            reason = f"{name} is missing"
        elif name not in wanted:
            reason = f"{name} is surplus"
        elif not isinstance(state[name], Tensor):
            reason = f"{name} is a {type(state[name]).__name__}"
        elif state[name].shape != wanted[name].shape:
            found, expected = (tuple(tensors[name].shape) for tensors in (state, wanted))
            reason = f"{name} has the shape {found} in place of {expected}"
        else:
            continue
        raise UserError(f"{source} does not fit {network} ({reason}): give another file")


def load_state(
    module: nn.Module, state: Mapping[str, Tensor], source: Path | str, in_place: bool = False
) -> None:
    """Load a state dict whole; ``in_place``: its tensors become the module's own, without a copy.

    Raises:
        UserError: names or shapes differ.
    """
    check_state(module.state_dict(), state, source, "the network")
    module.load_state_dict(dict(state), assign=in_place)


def under(state: Mapping[str, Tensor], prefix: str) -> State:
    """Entries of a state dict below ``prefix``, without it."""
    return {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }


def without(state: Mapping[str, Tensor], prefix: str) -> State:
    """Entries of a state dict that are not below ``prefix``."""
    return {name: value for name, value in state.items() if not name.startswith(prefix)}


def description(encoder: Encoder) -> Metadata:
    """What a checkpoint's metadata say of an encoder, to build it again."""
    return {
        "architecture": dict(encoder.architecture),
        "normalisation": encoder.normalisation.plain(),
    }


def describe_encoders(model: Classifier) -> list[Metadata]:
    """The entry ``encoders`` of a classifier's metadata."""
    return [
        {
            "encoder": name,
            "trained": list(encoder.trained_blocks),
            "batch_norm": encoder.batch_norm,
            **description(encoder),
        }
        for name, encoder in model.named_encoders().items()
    ]


def build_encoder(described: Mapping[str, Any], image_size: int | None = None) -> Encoder:
    """An encoder with random weights, from its :func:`description`.

    Args:
        image_size: pixels, in place of the described ones; not for an autoencoder.
    """
    architecture = described["architecture"]
    normalisation = Normalisation.from_plain(described["normalisation"])
    encoder: Encoder
    if architecture["model"] == AUTOENCODER:
        encoder = ConvolutionalEncoder(**_sizes(architecture), normalisation=normalisation)
    else:
        size = image_size or architecture["image_size"]
        encoder = Backbone(architecture["model"], size, normalisation)
    if INPUT_CHANNELS in architecture:
        add_mask_channel(encoder)
    return encoder


def _sizes(architecture: Mapping[str, Any]) -> dict[str, Any]:
    return {key: architecture[key] for key in ("channels", "latent_size", "image_size")}


def load_encoder(path: Path | str, image_size: int | None = None) -> tuple[Encoder, Metadata]:
    """An encoder with its weights, all blocks frozen, and the metadata of its file.

    Random numbers are drawn as by building the network anew.

    Args:
        path: of a backbone's weights, an autoencoder, or a classifier over a single encoder.
        image_size: pixels of the images to come; None: those that the file was written for. Position
            embeddings are interpolated.

    Raises:
        UserError: the file holds no single encoder, or an autoencoder for images of another size.
    """
    state, metadata = load_checkpoint(path)
    described, state = _single_encoder(state, metadata, path)
    architecture = described["architecture"]
    made_for = architecture["image_size"]
    if architecture["model"] == AUTOENCODER and image_size not in (None, made_for):
        raise UserError(
            f"{path} takes images of {made_for} pixels, these have {image_size}: "
            "train it again with the same images.size"
        )
    encoder = build_encoder(described, image_size)
    if isinstance(encoder, Backbone):
        state = without(state, f"{encoder.head_name}.")
        state = resize_positions(encoder.network, state, encoder.architecture["image_size"])
    load_state(encoder.network, state, path)
    encoder.open_blocks([])
    return encoder, metadata


def _single_encoder(state: State, metadata: Metadata, path: Path | str) -> tuple[Metadata, State]:
    """The description of the one encoder that a file holds, and its weights."""
    if "encoders" in metadata:
        choices = metadata["encoders"]
        if len(choices) > 1:
            raise UserError(
                f"{path} is a classifier over {len(choices)} encoders: give one over a single encoder"
            )
        return choices[0], _library_or_below(state, f"encoders.{choices[0]['encoder']}.")
    if "architecture" not in metadata:
        raise UserError(
            f"{path} does not say which network it is of: name it under `backbones`, with its model, "
            "and use what fetch_weights makes of it"
        )
    return metadata, _library_or_below(state, "encoder.") if _is_autoencoder(metadata) else state


def _library_or_below(state: State, prefix: str) -> State:
    return under(state, prefix) or state


def _is_autoencoder(described: Mapping[str, Any]) -> bool:
    return described.get("architecture", {}).get("model") == AUTOENCODER


def _single_backbone(model: Classifier) -> tuple[str, Backbone] | None:
    """Name and encoder of a classifier that its library can build, too: a linear head over a single backbone."""
    (name, encoder), *more = model.named_encoders().items()
    built = isinstance(model.head, nn.Linear) and not more
    return (name, encoder) if built and isinstance(encoder, Backbone) else None


def classifier_state(model: Classifier) -> State:
    """A classifier's state dict under the names that its checkpoint uses."""
    head = model.head.state_dict()
    single = _single_backbone(model)
    if single:
        _, encoder = single
        heads = {f"{encoder.head_name}.{key}": value for key, value in head.items()}
        return encoder.network.state_dict() | heads
    state = {
        f"encoders.{name}.{key}": value
        for name, encoder in model.named_encoders().items()
        for key, value in encoder.network.state_dict().items()
    }
    return state | {f"head.{key}": value for key, value in head.items()}


def load_classifier(path: Path | str) -> tuple[Classifier, Metadata]:
    """Rebuild a classifier, in eval mode, from its checkpoint alone.

    Raises:
        UserError: the file is no classifier of this workflow.
    """
    state, metadata = load_checkpoint(path)
    return rebuild_classifier(state, metadata, path), metadata


def rebuild_classifier(state: State, metadata: Metadata, path: Path | str) -> Classifier:
    """A classifier, in eval mode, from what :func:`classifier_state` gave and its checkpoint's metadata.

    Args:
        path: of the file that both come from.

    Raises:
        UserError: they are of no classifier of this workflow.
    """
    if "encoders" not in metadata or "classes" not in metadata:
        raise UserError(f"{path} is no classifier of this workflow: give a checkpoint of training")
    encoders = {choice["encoder"]: build_encoder(choice) for choice in metadata["encoders"]}
    head = empty_head(
        metadata.get("classifier", {}).get("kind", "network"),
        sum(encoder.feature_size for encoder in encoders.values()),
        len(state.get("head.labels", ())),
        len(metadata["classes"]),
    )
    model = Classifier(encoders, len(metadata["classes"]), head)
    single = _single_backbone(model)
    if single:
        name, backbone = single
        last = f"{backbone.head_name}."
        below = {f"encoders.{name}.{k}": value for k, value in without(state, last).items()}
        state = below | {f"head.{key}": value for key, value in under(state, last).items()}
    for name, encoder in encoders.items():
        load_state(encoder.network, under(state, f"encoders.{name}."), path)
    load_state(model.head, under(state, "head."), path)
    for choice in metadata["encoders"]:
        encoders[choice["encoder"]].open_blocks(choice["trained"], choice["batch_norm"])
    return model.eval()


def load_autoencoder(path: Path | str) -> tuple[Autoencoder, Metadata]:
    """Rebuild an autoencoder, in eval mode, from its checkpoint alone.

    Raises:
        UserError: the file is no autoencoder of this workflow.
    """
    state, metadata = load_checkpoint(path)
    if not _is_autoencoder(metadata):
        raise UserError(f"{path} is no autoencoder of this workflow: give another checkpoint")
    normalisation = Normalisation.from_plain(metadata["normalisation"])
    model = Autoencoder(**_sizes(metadata["architecture"]), normalisation=normalisation)
    load_state(model, state, path)
    return model.eval(), metadata
