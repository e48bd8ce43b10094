"""Rows of arrays on disk, taken in batches by index: pixels, and the activations of frozen blocks."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

#: Of a GPU's free memory, the share that one set of rows may take.
RESIDENT_SHARE = 0.4
#: Rows that pass through host memory at a time on their way to a GPU.
CHUNK = 1024


class StoredRows:
    """What belongs to some pictures, in arrays that stay on disk (memory-mapped) until they are asked for.

    Nothing waits for a GPU: what is copied to it from pageable memory has been read when the call returns.

    Args:
        parts: arrays (rows, height, width, channels) or (rows, features), of one dtype.
        rows: int64 (pictures, variants) of rows in the parts laid end to end; -1 where a variant is not held.
        device: where batches go; on a GPU all that is held lies there from the start, if it fits.
    """

    def __init__(self, parts: Sequence[Tensor], rows: Tensor, device: torch.device) -> None:
        self.device = device
        self.rows = rows
        self.parts = list(parts)
        self.starts = torch.tensor([0, *accumulate(map(len, parts))])
        if device.type == "cuda" and self._fits_on_gpu():
            self.make_resident()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> torch.Size:
        """Of one row, as it is stored."""
        return self.parts[0].shape[1:]

    def _fits_on_gpu(self) -> bool:
        held = int((self.rows >= 0).sum())
        size = held * self.shape.numel() * self.parts[0].element_size()
        return size <= RESIDENT_SHARE * torch.cuda.mem_get_info(self.device)[0]

    def make_resident(self) -> None:
        """Copy all rows that are held to the device; from then on batches are taken from there."""
        held = self.rows >= 0
        wanted, dtype = self.rows[held], self.parts[0].dtype
        resident = torch.empty((len(wanted), *self.shape), dtype=dtype, device=self.device)
        for places in torch.arange(len(wanted)).split(CHUNK):
            resident[places[0] : places[-1] + 1] = self._gather(wanted[places]).to(self.device)
        self.parts = [resident]
        self.rows = torch.full_like(self.rows, -1)
        self.rows[held] = torch.arange(len(wanted))
        self.starts = torch.tensor([0, len(wanted)])

    def _gather(self, rows: Tensor) -> Tensor:
        if len(self.parts) == 1:
            return self.parts[0][rows.to(self.parts[0].device, non_blocking=True)]
        found = self.parts[0].new_empty((len(rows), *self.shape))
        part_of = torch.searchsorted(self.starts, rows, right=True) - 1
        for number, part in enumerate(self.parts):
            here = (part_of == number).nonzero().squeeze(1)
            found[here] = part[rows[here] - self.starts[number]]
        return found

    def take(self, pictures: Tensor, variants: Tensor | None = None) -> Tensor:
        """Rows of some pictures on the device: (n, channels, height, width) or (n, features).

        Args:
            pictures: places in the set, int64 (n,) on the CPU.
            variants: one per picture, on the CPU; None for the first.
        """
        rows = self.rows[pictures, 0 if variants is None else variants]
        found = self._gather(rows).to(self.device, non_blocking=True)
        return found.permute(0, 3, 1, 2) if found.dim() == 4 else found


def stored_rows(
    arrays: Sequence[np.ndarray], rows: Sequence[int], device: torch.device
) -> StoredRows:
    """One variant per picture, from NumPy arrays laid end to end."""
    parts = [torch.from_numpy(array) for array in arrays]
    return StoredRows(parts, torch.tensor(rows, dtype=torch.int64)[:, None], device)
