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

from fewlabels.core.errors import UserError
from fewlabels.core.files import atomic_path, write_json
from fewlabels.data.pictures import load_mapped
from fewlabels.training.augmentation import VIEWS
from fewlabels.training.stored_rows import StoredRows


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
    array = load_mapped(path)
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
            "compute.feature_cache to off"
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
            handle.write(plain.numpy().data)
    write_json(header_path(path), asdict(header))
    return fits


def activations_for(
    pictures: Sequence[tuple[str, str]],
    encoder: str,
    last_block: str,
    views: Sequence[int],
    files: Sequence[ActivationFile],
    device: torch.device,
) -> StoredRows | None:
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
    return StoredRows([file.values for file in fitting], rows, device) if fitting else None
