"""Features at any node of a backbone, as for clustering."""

import difflib
from pathlib import Path
from typing import Self

import torch
from timm.layers import get_notrace_functions, get_notrace_modules
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from fewlabels.core.errors import UserError, is_out_of_memory
from fewlabels.networks.checkpoints import load_checkpoint, load_state
from fewlabels.networks.encoder import Normalisation, normalise
from fewlabels.networks.library import build_model, find_head, meta_model


def _tracing() -> dict:
    """What the tracer must not look into."""
    return {
        "leaf_modules": list(get_notrace_modules()),
        "autowrap_functions": list(get_notrace_functions()),
    }


def node_names(network: nn.Module, model: str) -> list[str]:
    """Names of the values that a network computes in eval mode, and of the modules around them.

    Raises:
        UserError: the network's code can't be traced.
    """
    try:
        _, nodes = get_graph_node_names(
            network, tracer_kwargs=_tracing(), suppress_diff_warning=True
        )
    except Exception as error:  # tracing runs foreign code on stand-ins: anything may be raised
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{model} can't be traced ({reason}): extract from another model"
        ) from error
    names: dict[str, None] = {}
    for node in nodes:
        parts = node.split(".")
        names |= {".".join(parts[:depth]): None for depth in range(1, len(parts) + 1)}
    return list(names)


def check_node(network: nn.Module, model: str, node: str) -> None:
    """Check that a network has this node.

    Raises:
        UserError: it has not.
    """
    known = node_names(network, model)
    if node not in known:
        near = difflib.get_close_matches(node, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"its last ones: {', '.join(known[-5:])}"
        raise UserError(f"unknown node '{node}' of {model}: {hint}")


class NodeFeatures(nn.Module):
    """What a backbone computes at one node, in eval mode: float (n, features).

    Maps (n, channels, height, width) are averaged over height and width, anything else is flattened.
    Takes normalised images, float (n, 3, size, size): :meth:`normalise`.
    """

    def __init__(self, network: nn.Module, node: str, normalisation: Normalisation) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.network = create_feature_extractor(
            network.eval(), {node: "features"}, tracer_kwargs=_tracing(), suppress_diff_warning=True
        )
        self.eval()

    @classmethod
    def load(cls, path: Path | str, node: str, image_size: int) -> Self:
        """From a file of fetch_weights, whose tensors are used in place.

        Raises:
            UserError: the file is no backbone's, or the backbone has no such node.
        """
        state, metadata = load_checkpoint(path)
        if "architecture" not in metadata or "backbone" not in metadata:
            raise UserError(f"{path} holds no backbone: give a file of fetch_weights")
        model = metadata["architecture"]["model"]
        if metadata["architecture"]["image_size"] != image_size:
            raise UserError(
                f"{path} was made for images of {metadata['architecture']['image_size']} pixels, "
                f"these have {image_size}: fetch the weights again with the same images.size"
            )
        network = loaded_model(model, state, image_size, path)
        check_node(network, model, node)
        return cls(network, node, Normalisation.from_plain(metadata["normalisation"]))

    def normalise(self, images: Tensor) -> Tensor:
        """Standardise images, float (n, 3, size, size) in 0 ... 1, as the backbone expects them."""
        return normalise(images, self.normalisation)

    def forward(self, images: Tensor) -> Tensor:
        found = self.network(images)["features"]
        return found.mean(dim=(2, 3)) if found.dim() == 4 else found.flatten(1)


def loaded_model(
    model: str, state: dict[str, Tensor], image_size: int, source: Path | str
) -> nn.Module:
    """The library's model around a backbone's tensors, used in place, its last layer with as many classes as they have.

    Raises:
        UserError: the tensors are of another network.
    """
    # Drawing random weights, 138 million for VGG16, takes seconds.
    network = meta_model(model, image_size)
    head = find_head(network, model)
    weight = state.get(f"{head.name}.weight")
    if weight is None:
        zeros = {
            "weight": torch.zeros(head.classes, head.features),
            "bias": torch.zeros(head.classes),
        }
        state = state | {f"{head.name}.{key}": value for key, value in zeros.items()}
    elif len(weight) != head.classes:
        network = meta_model(model, image_size, len(weight))
    if _keeps_more_than_its_state(network):
        network = build_model(model, image_size, None if weight is None else len(weight))
        load_state(network, state, source)
        return network
    load_state(network, state, source, in_place=True)
    return network


def _keeps_more_than_its_state(network: nn.Module) -> bool:
    """Whether a network has buffers that a state dict lacks, and that must be computed."""
    saved = network.state_dict().keys()
    return any(name not in saved for name, _ in network.named_buffers())
