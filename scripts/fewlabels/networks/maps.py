"""The last map of an encoder: what it knows of each place of an image, before it is averaged over places."""

import math

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from fewlabels.core.errors import UserError
from fewlabels.networks.encoder import Encoder


def as_map(values: object) -> Tensor | None:
    """What a block gives as a map (n, channels, side, side); None where it is none.

    Known are maps with channels before or behind the places, and the tokens of transformers (n, tokens, channels),
    whose first ones (class, registers) stand for no place.
    """
    if not isinstance(values, Tensor):
        return None
    if values.dim() == 4:
        if values.shape[2] == values.shape[3]:
            return values
        return values.permute(0, 3, 1, 2) if values.shape[1] == values.shape[2] else None
    if values.dim() == 3:
        side = math.isqrt(values.shape[1])
        places = values[:, values.shape[1] - side * side :]
        return places.transpose(1, 2).unflatten(2, (side, side))
    return None


class LastMap(nn.Module):
    """The output of an encoder's last block that tells several places apart: normalised images, float
    (n, 3, size, size), to float (n, channels, side, side).

    Attributes:
        block: its name; what lies behind it takes no part.
        channels: of the map.
        side: of the map, in places.

    Raises:
        UserError: no block gives such a map.
    """

    def __init__(self, encoder: Encoder, image_size: int) -> None:
        super().__init__()
        self.encoder = encoder
        self._seen: dict[str, Tensor] = {}
        blocks = {name: encoder.block(name) for name in encoder.block_names}
        modules = {name: block for name, block in blocks.items() if isinstance(block, nn.Module)}
        hooks = {name: self._watch(name, module) for name, module in modules.items()}
        encoder.eval()
        with torch.no_grad():
            encoder(torch.zeros(1, 3, image_size, image_size))
        maps = [name for name in encoder.block_names if name in self._seen]
        maps = [name for name in maps if self._seen[name].shape[-1] > 1]
        if not maps:
            raise UserError(
                f"no block of {encoder.architecture['model']} tells places of images of {image_size} pixels apart: "
                "raise images.size, or choose another network"
            )
        self.block = maps[-1]
        self.channels, self.side = self._seen[self.block].shape[1], self._seen[self.block].shape[2]
        self._seen.clear()
        for name, hook in hooks.items():
            if name != self.block:
                hook.remove()

    def _watch(self, name: str, module: nn.Module) -> RemovableHandle:
        def keep(module: nn.Module, inputs: object, output: object) -> None:
            found = as_map(output)
            if found is not None:
                self._seen[name] = found

        return module.register_forward_hook(keep)

    def unused(self) -> list[str]:
        """The blocks behind that of the map."""
        names = self.encoder.block_names
        return list(names[names.index(self.block) + 1 :])

    def forward(self, images: Tensor) -> Tensor:
        self.encoder(images)
        return self._seen.pop(self.block)
