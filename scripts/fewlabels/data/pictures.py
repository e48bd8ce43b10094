"""Pictures that lie on disk as arrays, each with the table of its rows beside it.

``X.npy`` has its rows first; ``X.csv`` has the columns id, kind, row. The kind is ``plain`` (the image),
``masked`` (the image with a black background) or ``mask``. A table's row without a number is no picture.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv

#: The id of an image, and which picture of it.
Key = tuple[str, str]
COLUMNS = ["id", "kind", "row"]


def table_of(array: Path | str) -> Path:
    """The table beside an array.

    >>> table_of("images/wbc.npy").as_posix()
    'images/wbc.csv'
    """
    return Path(array).with_suffix(".csv")


def table_rows(ids: Iterable[str], kind: str) -> list[dict[str, object]]:
    """The rows of the table of an array whose rows are of these images, in this order."""
    return [{"id": name, "kind": kind, "row": place} for place, name in enumerate(ids)]


class Pictures:
    """Pictures in one or several arrays, which count as laid end to end.

    Attributes:
        arrays: uint8 (n, size, size, 3) or bool (n, size, size) each, all of one dtype and size.
        row_of: (id, kind) -> row in the arrays laid end to end, in their order.
        size: side of the square pictures in pixels.
    """

    def __init__(self, arrays: Sequence[np.ndarray], row_of: dict[Key, int]) -> None:
        self.arrays = list(arrays)
        self.row_of = row_of
        self.size = int(self.arrays[0].shape[1])
        self._starts = np.array([0, *accumulate(map(len, self.arrays))])

    def __len__(self) -> int:
        return len(self.row_of)

    def __contains__(self, key: object) -> bool:
        return key in self.row_of

    def rows(self, keys: Sequence[Key]) -> np.ndarray:
        """Copy the pictures of ``keys`` into memory, in that order."""
        rows = np.array([self.row_of[key] for key in keys], dtype=np.int64)
        if len(self.arrays) == 1:
            return np.asarray(self.arrays[0][rows])
        first = self.arrays[0]
        found = np.empty((len(rows), *first.shape[1:]), first.dtype)
        part_of = np.searchsorted(self._starts, rows, side="right") - 1
        for number, array in enumerate(self.arrays):
            here = part_of == number
            found[here] = array[rows[here] - self._starts[number]]
        return found


def load_mapped(path: Path | str) -> np.ndarray:
    """Open a .npy file memory-mapped, copy on write: torch takes no read-only memory, and nothing is written."""
    return np.load(path, mmap_mode="c")


def open_pictures(paths: Sequence[Path | str]) -> Pictures:
    """Open arrays, one or more, and the tables beside them.

    Raises:
        UserError: a file is missing, a table does not fit its array, the arrays do not fit each other, or two
            hold the same picture.
    """
    arrays: list[np.ndarray] = []
    row_of: dict[Key, int] = {}
    start = 0
    for path in paths:
        if not Path(path).is_file():
            raise UserError(f"{path} does not exist: run the rule that writes it first")
        array = load_mapped(path)
        if arrays and (array.dtype, array.shape[1:]) != (arrays[0].dtype, arrays[0].shape[1:]):
            raise UserError(
                f"{path} has pictures of {array.dtype} {array.shape[1:]}, {paths[0]} of "
                f"{arrays[0].dtype} {arrays[0].shape[1:]}: make both anew with one images.size"
            )
        table = table_of(path)
        listed = [row for row in read_csv(table) if row["row"]]
        if sorted(int(row["row"]) for row in listed) != list(range(len(array))):
            raise UserError(
                f"{path} has {len(array)} rows, {table} lists {len(listed)} or others: "
                f"delete both, and run again"
            )
        for row in listed:
            key = row["id"], row["kind"]
            if key in row_of:
                raise UserError(f"{table}: the {key[1]} picture of {key[0]} is listed twice")
            row_of[key] = start + int(row["row"])
        arrays.append(array)
        start += len(array)
    return Pictures(arrays, row_of)
