"""What all encoders have in common: blocks that are open or frozen, and their own normalisation.

Blocks that are not trained keep their BatchNorm in eval mode (``requires_grad=False`` alone would let
the running statistics drift), and the leading ones run without gradients.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fewlabels.core.errors import UserError
from fewlabels.networks.blocks import expand_blocks

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of RGB values in 0 ... 1."""

    mean: Colour
    std: Colour

    def plain(self) -> dict[str, list[float]]:
        """As in a checkpoint's metadata."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_plain(cls, values: Mapping[str, Sequence[float]]) -> Self:
        mean, std = (tuple(map(float, values[key])) for key in ("mean", "std"))
        return cls(mean, std)  # type: ignore[arg-type]


#: ImageNet's.
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@cache
def _on_device(values: Colour, device: torch.device) -> Tensor:
    """(3, 1, 1), copied to a device once."""
    # Kept for all that follows, training too, though evaluation may be the first to ask.
    with torch.inference_mode(False):
        return torch.tensor(values, device=device)[:, None, None]


def normalise(images: Tensor, normalisation: Normalisation) -> Tensor:
    """Standardise images, float (n, 3, height, width) in 0 ... 1; channels last in memory."""
    mean = _on_device(normalisation.mean, images.device)
    std = _on_device(normalisation.std, images.device)
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


class Encoder(nn.Module, ABC):
    """Turns normalised images, float (n, 3, size, size), into features, float (n, feature_size).

    Attributes:
        block_names: in network order.
        trained_blocks: those open for updates.
        batch_norm: ``frozen``: BatchNorm of open blocks, too, keeps its running statistics.
        architecture: plain values from which the network is built again.
        head_name: where the library's classifier has its last layer; None for a network of this workflow.
    """

    feature_size: int
    block_names: tuple[str, ...]
    architecture: dict[str, Any]
    head_name: str | None = None

    def __init__(self, normalisation: Normalisation) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.trained_blocks: tuple[str, ...] = ()
        self.batch_norm: Literal["trained", "frozen"] = "trained"

    @property
    def network(self) -> nn.Module:
        """The module whose state dict a checkpoint holds, and in which blocks have their names."""
        return self

    def block(self, name: str) -> nn.Module | nn.Parameter:
        """The module or parameter of this name."""
        above, _, last = name.rpartition(".")
        return getattr(self.network.get_submodule(above), last)

    def open_blocks(
        self,
        names: Sequence[str] | Literal["all"],
        batch_norm: Literal["trained", "frozen"] = "trained",
    ) -> None:
        """Open these blocks (or stages) for updates and freeze every other.

        Raises:
            UserError: a name is unknown.
        """
        if batch_norm not in ("trained", "frozen"):
            raise UserError(f"batch_norm is '{batch_norm}': use trained or frozen")
        self.trained_blocks = tuple(expand_blocks(names, self.block_names))
        self.batch_norm = batch_norm
        for name in self.block_names:
            self.block(name).requires_grad_(name in self.trained_blocks)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for name in self.block_names:
            block = self.block(name)
            if not isinstance(block, nn.Module):
                continue
            block.train(mode and name in self.trained_blocks)
            if self.batch_norm == "frozen":
                for module in block.modules():
                    if isinstance(module, _BatchNorm):
                        module.eval()
        return self

    def leading_frozen(self) -> int:
        """How many leading blocks are frozen."""
        for place, name in enumerate(self.block_names):
            if name in self.trained_blocks:
                return place
        return len(self.block_names)

    def normalise(self, images: Tensor) -> Tensor:
        """Standardise images, float (n, 3, size, size) in 0 ... 1, as this network expects them; channels last.

        A fourth channel, which is a mask, stays 0 ... 1.
        """
        colours = normalise(images[:, :3], self.normalisation)
        if images.shape[1] == 3:
            return colours
        both = torch.cat([colours, images[:, 3:]], 1)
        return both.contiguous(memory_format=torch.channels_last)

    @abstractmethod
    def frozen_prefix(self) -> int:
        """How many leading frozen blocks :meth:`prefix` computes."""

    @abstractmethod
    def prefix(self, images: Tensor) -> Tensor:
        """What the leading frozen blocks make of normalised images, without gradients."""

    @abstractmethod
    def tail(self, activations: Tensor) -> Tensor:
        """Features, from what :meth:`prefix` gave."""

    def forward(self, images: Tensor) -> Tensor:
        return self.tail(self.prefix(images))


def has_depthwise_convolutions(module: nn.Module) -> bool:
    """Whether any convolution has one group per input channel; slow in bfloat16 on many CPUs."""
    return any(
        isinstance(part, nn.Conv2d) and part.groups == part.in_channels > 1
        for part in module.modules()
    )
