"""Activations of frozen blocks, computed once per picture and view and shared by all runs that need them.

A file holds what the frozen prefix of one encoder makes of some pictures: an array (.npy) of shape
(rows, height, width, channels), or (rows, features) where the whole encoder is frozen, and beside it a JSON header.
A picture's views lie in consecutive rows. bfloat16, which NumPy does not know, is stored as int16 of the same bits.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wbc.augmentation import VIEWS
from wbc.files import UserError, atomic_path, write_json

#: Of a GPU's free memory, the share that one encoder's activations may take.
RESIDENT_SHARE = 0.4


@dataclass(frozen=True)
class ActivationHeader:
    """What an activation file holds.

    Attributes:
        encoder: name in the config.
        last_block: the last frozen block.
        dtype: ``bfloat16`` or ``float32``.
        pictures: per picture its id, ``plain`` or ``masked``, and its views in the array's order; none where
            the array would have been larger than its budget.
    """

    encoder: str
    last_block: str
    dtype: str
    pictures: list[tuple[str, str, list[int]]]


@dataclass(frozen=True)
class ActivationFile:
    """An opened file: ``values`` (rows, ...), memory-mapped; ``row_of``: (id, kind, view) -> row."""

    header: ActivationHeader
    values: Tensor
    row_of: dict[tuple[str, str, int], int]


def header_path(path: Path | str) -> Path:
    """The JSON header beside an array."""
    return Path(path).with_suffix(".json")


def open_activations(path: Path | str) -> ActivationFile:
    """Open a file of :func:`write_activations`.

    Raises:
        UserError: the array and its header do not belong together.
    """
    header = ActivationHeader(**json.loads(header_path(path).read_text(encoding="utf-8")))
    # Copy on write: torch takes no read-only memory, and nothing is written.
    array = np.load(path, mmap_mode="c")
    rows = [(name, kind, view) for name, kind, views in header.pictures for view in views]
    if len(array) != len(rows):
        raise UserError(f"{path} and its .json differ in length: delete both and run again")
    values = torch.from_numpy(array)
    if header.dtype == "bfloat16":
        values = values.view(torch.bfloat16)
    return ActivationFile(header, values, {key: row for row, key in enumerate(rows)})


def write_activations(
    path: Path | str,
    header: ActivationHeader,
    shape: Sequence[int],
    batches: Iterator[Tensor],
    budget_bytes: float | None,
) -> bool:
    """Write activations as they are computed, one batch in memory at a time.

    Args:
        shape: of one row.
        batches: (rows, ...) tensors of the header's dtype, in the order of the header's pictures.
        budget_bytes: instead of an array larger than this an empty one is written; None: no limit.

    Returns:
        Whether the activations were written.

    Raises:
        UserError: the disk has too little room.
    """
    stored = np.dtype(np.int16 if header.dtype == "bfloat16" else np.float32)
    count = sum(len(views) for _, _, views in header.pictures)
    size = count * int(np.prod(shape)) * stored.itemsize
    fits = budget_bytes is None or size <= budget_bytes
    if not fits:
        logging.info("%.1f GB are over the budget: computed on the fly instead", size / 1e9)
        header, count, batches = replace(header, pictures=[]), 0, iter(())
    elif size > shutil.disk_usage(Path(path).parent).free:
        raise UserError(
            f"{path} needs {size / 1e9:.1f} GB, more than the disk has left: make room, or set "
            "compute.activations to off"
        )
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        description = {
            "descr": np.lib.format.dtype_to_descr(stored),
            "fortran_order": False,
            "shape": (count, *shape),
        }
        np.lib.format.write_array_header_1_0(handle, description)
        for batch in batches:
            plain = batch.view(torch.int16) if header.dtype == "bfloat16" else batch
            handle.write(plain.numpy())
    write_json(header_path(path), asdict(header))
    return fits


class Activations:
    """One encoder's activations for the pictures of one set, in the set's order.

    Args:
        parts: the files that hold them.
        rows: int64 (pictures, views) of rows in the files laid end to end; -1 where a view is not held.
        device: where batches go; on a GPU all of them lie there from the start, if they fit.
    """

    def __init__(self, parts: Sequence[ActivationFile], rows: Tensor, device: torch.device) -> None:
        self.device = device
        self.rows = rows
        self.values = [part.values for part in parts]
        self.starts = torch.tensor([0, *accumulate(len(part.values) for part in parts)])
        if device.type == "cuda":
            self._move_to_device()

    def _move_to_device(self) -> None:
        held = self.rows >= 0
        wanted, first = self.rows[held], self.values[0]
        size = len(wanted) * first[0].numel() * first.element_size()
        if size > RESIDENT_SHARE * torch.cuda.mem_get_info(self.device)[0]:
            return
        self.values = [self._gather(wanted).to(self.device)]
        self.rows = torch.full_like(self.rows, -1)
        self.rows[held] = torch.arange(len(wanted))
        self.starts = torch.tensor([0, len(wanted)])

    def _gather(self, rows: Tensor) -> Tensor:
        if len(self.values) == 1:
            return self.values[0][rows.to(self.values[0].device)]
        found = self.values[0].new_empty((len(rows), *self.values[0].shape[1:]))
        part_of = torch.searchsorted(self.starts, rows, right=True) - 1
        for number, values in enumerate(self.values):
            here = (part_of == number).nonzero().squeeze(1)
            found[here] = values[rows[here] - self.starts[number]]
        return found

    def take(self, pictures: Tensor, views: Tensor | None) -> Tensor:
        """Activations of some pictures on the device: (n, channels, height, width) or (n, features).

        Args:
            pictures: places in the set, int64 (n,) on the CPU.
            views: one view per picture, on the CPU; None for the pictures as they are.
        """
        rows = self.rows[pictures, 0 if views is None else views]
        found = self._gather(rows).to(self.device)
        return found.permute(0, 3, 1, 2) if found.dim() == 4 else found


def activations_for(
    pictures: Sequence[tuple[str, str]],
    encoder: str,
    last_block: str,
    views: Sequence[int],
    files: Sequence[ActivationFile],
    device: torch.device,
) -> Activations | None:
    """What the files know of some pictures for one encoder; None unless they know all of it.

    Args:
        pictures: id and kind (``plain`` or ``masked``) of each.
        views: the views that will be asked for.
    """
    fitting = [
        file
        for file in files
        if (file.header.encoder, file.header.last_block) == (encoder, last_block)
    ]
    starts = [0, *accumulate(len(file.values) for file in fitting)]
    row_of = {
        key: start + row
        for start, file in zip(starts, fitting, strict=False)
        for key, row in file.row_of.items()
    }
    rows = torch.full((len(pictures), VIEWS), -1)
    for place, (name, kind) in enumerate(pictures):
        for view in views:
            row = row_of.get((name, kind, view))
            if row is None:
                return None
            rows[place, view] = row
    return Activations(fitting, rows, device) if fitting else None
