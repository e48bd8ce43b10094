"""The weights that a backbone starts from: the library's own, a package's, drawn ones, or a file of one's own."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import timm
import torch
from torch import Tensor

from fewlabels.core.errors import UnwritableError, UserError, is_out_of_memory
from fewlabels.core.files import atomic_path, sha256_of_file
from fewlabels.networks.checkpoints import check_state, load_checkpoint, without
from fewlabels.networks.encoder import Normalisation
from fewlabels.networks.library import (
    build_model,
    check_model,
    find_head,
    library_normalisation,
    meta_model,
    resize_positions,
    split_model,
    torchvision_weights,
)
from fewlabels.networks.packaged_weights import (
    PACKAGED,
    packaged_file,
    packaged_weights,
    rename_state,
)

State = dict[str, Tensor]


@dataclass(frozen=True)
class StartWeights:
    """Weights under the library's names, with or without the last layer's, and what inputs they expect."""

    state: State
    normalisation: Normalisation


def start_weights(
    model: str, weights: str, image_size: int, seed: int, downloads: Path, sha256: str | None = None
) -> StartWeights:
    """The weights that a backbone starts from.

    Args:
        weights: ``default``, ``packaged``, ``random``, or the path of a state dict or checkpoint.
        seed: of random weights.
        downloads: folder that downloaded files are kept in.
        sha256: what a file at a path must have, 64 hexadecimal digits.

    Raises:
        UserError: there are no such weights, or they are of another network.
    """
    check_model(model)
    normalisation = library_normalisation(model)
    if weights == "random":
        torch.manual_seed(seed)
        return StartWeights(dict(build_model(model, image_size).state_dict()), normalisation)
    if weights == "packaged":
        packaged = packaged_weights(model)
        path = packaged_file(packaged)
        state, normalisation = load_checkpoint(path)[0], packaged.normalisation
        state = rename_state(packaged, state)
    elif weights == "default":
        library, name = split_model(model)
        if library == "timm":
            return StartWeights(timm_default(name, image_size, downloads), normalisation)
        path = torchvision_file(model, downloads)
        state = load_checkpoint(path)[0]
    else:
        path = Path(weights)
        if sha256:
            _check_sha256(path, sha256)
        state, metadata = load_checkpoint(path)
        _check_description(model, path, metadata)
        described = metadata.get("encoders", [metadata])[0]
        if "normalisation" in described:
            normalisation = Normalisation.from_plain(described["normalisation"])
    return StartWeights(fit_state(model, image_size, state, path), normalisation)


def fit_state(model: str, image_size: int, state: State, source: Path | str) -> State:
    """Check that a state dict is one of this model, its last layer with any number of classes or absent.

    Position embeddings are interpolated; BatchNorm's counters, which files from before PyTorch 0.4 lack and
    nothing here reads, are added.

    Raises:
        UserError: names the first tensor that differs, and both shapes, or that holds NaN or infinity.
    """
    head = find_head(meta_model(model, image_size), model)
    weight = state.get(f"{head.name}.weight")
    classes = len(weight) if isinstance(weight, Tensor) and weight.dim() == 2 else head.classes
    network = meta_model(model, image_size, classes)
    wanted = network.state_dict()
    state = resize_positions(network, dict(state), image_size)
    counters = [name for name in wanted if name.endswith("num_batches_tracked")]
    state |= {n: torch.zeros((), dtype=torch.int64) for n in counters if n not in state}
    below = f"{head.name}."
    if not any(name.startswith(below) for name in state):
        wanted = without(wanted, below)
    check_state(wanted, state, source, model)
    for name in wanted:
        if not torch.isfinite(state[name]).all():
            raise UserError(
                f"{source}: {name} holds values that are no numbers, or infinite: give another file"
            )
    return {name: state[name] for name in wanted}


def _check_sha256(path: Path, expected: str) -> None:
    if not path.is_file():
        raise UserError(f"{path} does not exist: give another file")
    found = sha256_of_file(path)
    if found != expected.lower():
        raise UserError(
            f"{path} has the sha256 {found[:8]}..., expected {expected[:8]}...: give the right file, "
            "or mend sha256"
        )


def _check_description(model: str, path: Path, metadata: Mapping) -> None:
    """Check what a file says of itself."""
    choices = metadata.get("encoders", [metadata])
    found = [choice.get("architecture", {}).get("model", model) for choice in choices]
    if found != [model]:
        raise UserError(f"{path} is of {' and '.join(found)}, not of {model}: give another file")


def torchvision_file(model: str, downloads: Path) -> Path:
    """The file of torchvision's weights, downloaded once: ``name-<first digits of its sha256>.pth``, checked.

    Raises:
        UserError: there is none, it can't be downloaded, or its sha256 does not begin with the digits in its name.
    """
    weights = torchvision_weights(split_model(model)[1])
    if weights is None:
        raise UserError(f"torchvision has no weights of {model}: set weights to random or a path")
    name = weights.url.rsplit("/", 1)[1]
    digits = Path(name).stem.rsplit("-", 1)[1]
    path = downloads / name
    if not path.is_file():
        logging.info("downloading %s", weights.url)
        try:
            with atomic_path(path) as temporary:
                torch.hub.download_url_to_file(weights.url, str(temporary), progress=True)
        except UnwritableError:
            raise
        except (URLError, OSError) as error:
            raise UserError(
                f"{name} could not be downloaded ({error}): put the file of {weights.url} "
                f"into {downloads}/ by hand, or set weights to a path or random"
            ) from error
    found = sha256_of_file(path)
    if not found.startswith(digits):
        raise UserError(
            f"{path} has the sha256 {found[:8]}..., expected {digits}...: delete it and run again"
        )
    return path


def timm_default(name: str, image_size: int, downloads: Path) -> State:
    """timm's own weights, fetched by timm itself and kept in ``downloads``.

    Raises:
        UserError: there are none, or they can't be downloaded.
    """
    model = f"timm/{name}"
    others = "packaged, random or a path" if model in PACKAGED else "random or a path"
    config = timm.get_pretrained_cfg(name)
    if config is None or not config.has_weights:
        raise UserError(f"timm has no weights of {model}: set weights to {others}")
    try:
        network = build_model(model, image_size, pretrained=True, cache_dir=str(downloads))
    except UserError:
        raise
    except Exception as error:  # hubs raise errors of many libraries
        if is_out_of_memory(error):
            raise
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
        raise UserError(
            f"the weights of {model} could not be downloaded ({reason}): set weights to {others}"
        ) from error
    return dict(network.state_dict())
