"""Reading packed images together with their ids."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv


@dataclass(frozen=True)
class PackedImages:
    """Images that lie on disk as one array.

    Attributes:
        array: uint8 (n, size, size, 3) or bool (n, size, size), memory-mapped.
        row_of: id -> row.
    """

    array: np.ndarray
    row_of: dict[str, int]

    def rows(self, ids: list[str]) -> np.ndarray:
        """Copy the images of ``ids`` into memory, in that order."""
        return self.array[[self.row_of[name] for name in ids]]

    def __contains__(self, name: str) -> bool:
        return name in self.row_of


def load_mapped(path: Path | str) -> np.ndarray:
    """Open a .npy file memory-mapped, copy on write: torch takes no read-only memory, and nothing is written."""
    return np.load(path, mmap_mode="c")


def open_packed(array: Path | str, ids: Path | str) -> PackedImages:
    """Open an array and the CSV that gives each row's ``id``.

    Raises:
        UserError: the two do not have the same number of rows.
    """
    names = [row["id"] for row in read_csv(ids)]
    images = load_mapped(array)
    if len(images) != len(names):
        raise UserError(
            f"{array} has {len(images)} rows, {ids} has {len(names)}: run pack_images again"
        )
    return PackedImages(images, {name: row for row, name in enumerate(names)})
