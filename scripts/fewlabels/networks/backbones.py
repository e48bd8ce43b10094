"""A classification model of torchvision or timm as an encoder."""

from collections.abc import Sequence
from typing import Literal, Self

import torch
from torch import Tensor, nn

from fewlabels.networks.blocks import find_blocks
from fewlabels.networks.cutting import Cut, is_random, trace
from fewlabels.networks.encoder import Encoder, Normalisation
from fewlabels.networks.library import (
    build_model,
    find_head,
    library_normalisation,
    take_head_off,
)


def _whole_body(holder: nn.Module, images: Tensor) -> Tensor:
    return holder.get_submodule("body")(images)


def _nothing(holder: nn.Module, features: Tensor) -> Tensor:
    return features


class Backbone(Encoder):
    """The library's own model up to the inputs of its last layer.

    Weights are drawn as the library draws them, the last layer's too, which is then taken off.

    Args:
        model: ``torchvision/<name>`` or ``timm/<name>``.
        image_size: pixels; only models that are built for one size depend on it.
        normalisation: None for the library's.

    Raises:
        UserError: the library has no such model, or it does not end in one linear layer.
    """

    head_name: str

    def __init__(
        self, model: str, image_size: int = 224, normalisation: Normalisation | None = None
    ) -> None:
        super().__init__(normalisation or library_normalisation(model))
        self.architecture = {"model": model, "image_size": image_size}
        body = build_model(model, image_size)
        head = find_head(body, model)
        take_head_off(body, head)
        self.head_name, self.feature_size = head.name, head.features
        self.body = body
        blocks, self._opened = find_blocks(body)
        self._graph = trace(body, blocks, self._opened)
        self.block_names = tuple(self._graph.blocks if self._graph else blocks)
        self._cut: Cut | None = None
        self.open_blocks([])

    @property
    def network(self) -> nn.Module:
        return self.body

    def open_blocks(
        self,
        names: Sequence[str] | Literal["all"],
        batch_norm: Literal["trained", "frozen"] = "trained",
    ) -> None:
        super().open_blocks(names, batch_norm)
        self._cut = self._graph.cut(self.leading_frozen()) if self._graph else self._whole()

    def _whole(self) -> Cut | None:
        """The only cut of a network that can't be traced: behind it, where all of it is frozen and fixed."""
        frozen, blocks = self.leading_frozen(), len(self.block_names)
        inside = [
            (path, part) for path, part in self.body.named_modules() if not self._in_block(path)
        ]
        if frozen < blocks or any(is_random(p) for path, p in inside if path not in self._opened):
            return None
        return Cut(blocks, _whole_body, _nothing, ())

    def _in_block(self, path: str) -> bool:
        return any(path == name or path.startswith(f"{name}.") for name in self.block_names)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        # Dropout between frozen blocks is as fixed as they are, so that their output can be kept.
        for path in self._cut.plain_modules if self._cut else ():
            self.body.get_submodule(path).eval()
        return self

    def frozen_prefix(self) -> int:
        return self._cut.blocks if self._cut else 0

    def prefix(self, images: Tensor) -> Tensor:
        if not self._cut:
            return images
        with torch.no_grad():
            return self._cut.prefix(self, images)

    def tail(self, activations: Tensor) -> Tensor:
        return self._cut.tail(self, activations) if self._cut else self.body(activations)
