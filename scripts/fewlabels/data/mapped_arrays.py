"""Arrays on disk that are filled through a memory map."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike


def new_array(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> np.memmap:
    """Make an ``.npy`` file of zeros to be filled; the room that it needs is taken at once.

    A map whose disk gets full in the middle would have the process killed without a word (SIGBUS).

    Raises:
        OSError: the disk has no room for it.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
    with path.open("r+b") as handle:
        os.posix_fallocate(handle.fileno(), 0, path.stat().st_size)
    return array
