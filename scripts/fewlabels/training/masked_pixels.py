"""Images as arms with predicted masks see them: black background, cropped to the cell, or the mask as a channel."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import resized_crop

from fewlabels.data.pictures import Pictures
from fewlabels.data.predicted_masks import (
    KIND,
    PredictedMasks,
    boxes_of,
    crop_square,
    mask_rows,
)
from fewlabels.training.stored_rows import StoredRows, stored_rows


def unpack_bits(packed: Tensor) -> Tensor:
    """``np.unpackbits`` of the last axis: uint8 (..., k) to uint8 (..., 8 k) of 0 and 1."""
    places = torch.arange(7, -1, -1, dtype=torch.uint8, device=packed.device)
    return ((packed[..., None] >> places) & 1).flatten(-2)


class MaskedPixels(StoredRows):
    """Pixels, each batch of which is changed by its masks when it is taken: nothing is stored twice.

    Args:
        pixels: uint8 (size, size, 3) each.
        masks: packed masks of the same pictures, uint8 (size, size / 8) each.
        boxes: of their cells; None without foreground.
        use: ``replace``: background black; ``crop``: the square around the cell, enlarged to the image's size;
            ``channel``: the mask as a fourth channel, 0 or 255. An image without foreground stays as it is (its
            fourth channel is 0).
        margin: of the crop, as a share of the longer side of the box.
    """

    def __init__(
        self,
        pixels: StoredRows,
        masks: StoredRows,
        boxes: Sequence[Sequence[int] | None],
        use: str,
        margin: float,
    ) -> None:
        super().__init__(pixels.parts, pixels.rows, pixels.device)
        self.masks = masks
        self.use = use
        self.found = torch.tensor([box is not None for box in boxes], device=pixels.device)
        self.squares = [crop_square(box, self.shape[0], margin) for box in boxes]

    def take(self, pictures: Tensor, variants: Tensor | None = None) -> Tensor:
        images = super().take(pictures, variants)
        if self.use == "crop":
            return self._cropped(images, pictures)
        masks = unpack_bits(self.masks.take(pictures))[:, None]
        if self.use == "channel":
            return torch.cat([images, masks * 255], 1)
        found = self.found[pictures.to(self.device, non_blocking=True)]
        return images * torch.where(found[:, None, None, None], masks, 1)

    def _cropped(self, images: Tensor, pictures: Tensor) -> Tensor:
        size = images.shape[-1]
        crops = []
        for image, place in zip(images, pictures.tolist(), strict=True):
            top, left, side = self.squares[place]
            whole = side == size
            crops.append(
                image if whole else resized_crop(image, top, left, side, side, [size, size])
            )
        return torch.stack(crops)


@dataclass(frozen=True)
class MaskView:
    """How predicted masks change every image of a run; ``use`` and ``margin``: see :class:`MaskedPixels`."""

    masks: PredictedMasks
    use: str
    margin: float

    def of(self, pixels: StoredRows, ids: Sequence[str]) -> MaskedPixels:
        """The pixels of these images as they are seen."""
        rows = [self.masks.pictures.row_of[name, KIND] for name in ids]
        packed = stored_rows(self.masks.pictures.arrays, rows, pixels.device)
        boxes = [self.masks.boxes[name] for name in ids]
        return MaskedPixels(pixels, packed, boxes, self.use, self.margin)


def held_in_memory(ids: Sequence[str], batches: Iterable[np.ndarray]) -> PredictedMasks:
    """Predicted masks that are used at once: bool (m, size, size) in batches, of images in this order."""
    masks = np.concatenate(list(batches))
    row_of = {(name, KIND): place for place, name in enumerate(ids)}
    packed = Pictures([np.packbits(masks, axis=-1)], row_of)
    return PredictedMasks(packed, boxes_of(mask_rows(ids, masks)))
