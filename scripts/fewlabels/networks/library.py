"""Models of torchvision and timm by name: ``torchvision/resnet18``, ``timm/tf_efficientnet_lite0``."""

import difflib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import timm
import torch
import torchvision
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

from fewlabels.core.errors import UserError
from fewlabels.networks.encoder import IMAGENET, Normalisation

#: torchvision's models that are built for one size, by the start of their names: the argument's name.
SIZED_BY = {"vit_": "image_size", "maxvit_": "input_size"}
#: torchvision's models with classifiers beside the last one, which fine-tuning here does not use.
WITH_SIDE_HEADS = ("googlenet", "inception_v3")


@dataclass(frozen=True)
class Head:
    """The last layer of a library's model: its path there, its inputs and its outputs (classes)."""

    name: str
    features: int
    classes: int


def split_model(model: str) -> tuple[str, str]:
    """Library and name of a model.

    Raises:
        UserError: the library is neither torchvision nor timm.
    """
    library, _, name = model.partition("/")
    if library not in ("torchvision", "timm") or not name:
        raise UserError(
            f"unknown model '{model}': write torchvision/<name> or timm/<name>, as torchvision/resnet18"
        )
    return library, name


def _known_models(library: str) -> Sequence[str]:
    if library == "timm":
        return timm.list_models()
    return torchvision.models.list_models(module=torchvision.models)


def check_model(model: str) -> None:
    """Check that the library has the model.

    Raises:
        UserError: it has not.
    """
    library, name = split_model(model)
    known = _known_models(library)
    name, _, tag = name.partition(".")
    if name in known and not tag:
        return
    if name in known and library == "timm":
        try:
            timm.get_pretrained_cfg(f"{name}.{tag}")
        except RuntimeError as error:
            raise UserError(f"unknown model '{model}': {error}") from error
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{library}/{near[0]}'?" if near else f"see {library}'s list_models()"
    raise UserError(f"unknown model '{model}': {hint}")


def build_model(
    model: str, image_size: int, classes: int | None = None, **options: Any
) -> nn.Module:
    """The library's own model with random weights.

    Args:
        image_size: pixels; only models that are built for one size depend on it.
        classes: None for the library's own number, most often ImageNet's 1000.
        options: more arguments of timm's ``create_model``.

    Raises:
        UserError: the library has no such model, or it can't take images of this size.
    """
    check_model(model)
    library, name = split_model(model)
    if classes is not None:
        options["num_classes"] = classes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how long the drawing of initial weights takes
            if library == "torchvision":
                return _build_torchvision(name, image_size, options)
            return _build_timm(name, image_size, options)
    except (AssertionError, ValueError) as error:
        raise UserError(
            f"{model} can't be built for images of {image_size} pixels "
            f"({' '.join(str(error).split())[:150]}): "
            "choose another images.size or another model"
        ) from error


def _build_torchvision(name: str, image_size: int, options: dict[str, Any]) -> nn.Module:
    for start, argument in SIZED_BY.items():
        if name.startswith(start):
            size = image_size if argument == "image_size" else (image_size, image_size)
            options = options | {argument: size}
    if name in WITH_SIDE_HEADS:
        options = options | {"aux_logits": False}
    return torchvision.models.get_model(name, weights=None, **options)


def _build_timm(name: str, image_size: int, options: dict[str, Any]) -> nn.Module:
    try:
        return timm.create_model(name, img_size=image_size, **options)
    except TypeError as error:  # most models take images of any size
        if "img_size" not in str(error):
            raise
    return timm.create_model(name, **options)


def find_head(network: nn.Module, model: str) -> Head:
    """The last layer of a library's model.

    Raises:
        UserError: it is no single linear layer.
    """
    linear = [name for name, part in network.named_modules() if isinstance(part, nn.Linear)]
    name = linear[-1] if linear else ""
    if split_model(model)[0] == "timm":
        name = getattr(network, "pretrained_cfg", {}).get("classifier")
    part = network.get_submodule(name) if isinstance(name, str) and name in linear else None
    if not isinstance(part, nn.Linear) or part.bias is None:
        raise UserError(f"{model} does not end in one linear layer: choose another model")
    return Head(name, part.in_features, part.out_features)


def take_head_off(network: nn.Module, head: Head) -> None:
    """Let the model give the features that its last layer took."""
    above, _, last = head.name.rpartition(".")
    setattr(network.get_submodule(above), last, nn.Identity())


def torchvision_weights(name: str) -> Any:
    """ImageNet's weights of a torchvision model: ``IMAGENET1K_V1`` where there is one, else the default; None
    where torchvision has none."""
    choices = torchvision.models.get_model_weights(name)
    if not len(choices):
        return None
    return getattr(choices, "IMAGENET1K_V1", choices.DEFAULT)


def library_normalisation(model: str) -> Normalisation:
    """How images are standardised for the library's own weights; ImageNet's where it does not say.

    Raises:
        UserError: the library has no such model.
    """
    check_model(model)
    library, name = split_model(model)
    if library == "timm":
        config = timm.get_pretrained_cfg(name)
        if config is None:
            return IMAGENET
        return Normalisation.from_plain({"mean": config.mean, "std": config.std})
    weights = torchvision_weights(name)
    if weights is None:
        return IMAGENET
    presets = weights.transforms()
    return Normalisation.from_plain({"mean": presets.mean, "std": presets.std})


def resize_positions(
    network: nn.Module, state: dict[str, Tensor], image_size: int
) -> dict[str, Tensor]:
    """A state dict with its position embeddings interpolated to the size that the network was built for."""
    if isinstance(network, VisionTransformer):
        key, wanted = "encoder.pos_embedding", network.encoder.pos_embedding
        if key in state and _differs_in_length(state[key], wanted):
            return dict(interpolate_embeddings(image_size, network.patch_size, dict(state)))
    wanted = getattr(network, "pos_embed", None)
    side = getattr(getattr(network, "patch_embed", None), "grid_size", None)
    if "pos_embed" in state and isinstance(wanted, Tensor) and side:
        found = state["pos_embed"]
        if _differs_in_length(found, wanted):
            tokens = wanted.shape[1] - side[0] * side[1]
            resized = resample_abs_pos_embed(found, list(side), num_prefix_tokens=tokens)
            return state | {"pos_embed": resized}
    return state


def _differs_in_length(found: Tensor, wanted: Tensor) -> bool:
    """Whether two (1, tokens, width) differ in tokens only."""
    return (
        found.dim() == wanted.dim() == 3
        and found.shape[1] != wanted.shape[1]
        and found.shape[2] == wanted.shape[2]
    )


def meta_model(model: str, image_size: int, classes: int | None = None) -> nn.Module:
    """The library's model without memory for its weights."""
    with torch.device("meta"):
        return build_model(model, image_size, classes)
