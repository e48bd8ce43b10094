"""Predicted masks of a whole data set: eight pixels in a byte, and the box of each cell in the table beside them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fewlabels.core.files import read_csv
from fewlabels.data.pictures import COLUMNS, Pictures, open_pictures, table_of

#: Top, left, bottom, right: rows and columns, the last two behind the box.
Box = tuple[int, int, int, int]
#: Kind of these pictures.
KIND = "predicted mask"
#: Of the largest piece of the foreground: first row and column, and those behind the last; empty without foreground.
BOX = ["top", "left", "bottom", "right"]
TABLE_COLUMNS = [*COLUMNS, "foreground", *BOX]


def cell_box(mask: np.ndarray) -> Box | None:
    """Top, left, bottom and right of the largest connected piece of a mask, bool (h, w); None without foreground.

    Other pieces are debris or parts of neighbours, for which a box would open far too wide.

    >>> cell_box(np.array([[1, 0, 0], [0, 0, 1], [0, 0, 1]], bool))
    (1, 2, 3, 3)
    """
    # Training imports this module, and finds no pieces: it need not wait for SciPy.
    from scipy import ndimage

    pieces, count = ndimage.label(mask)
    if not count:
        return None
    largest = np.bincount(pieces.ravel())[1:].argmax()
    rows, columns = ndimage.find_objects(pieces)[largest]
    return rows.start, columns.start, rows.stop, columns.stop


def crop_square(box: Sequence[int] | None, size: int, margin: float) -> tuple[int, int, int]:
    """Top, left and side of the square that a cell is cropped to, within an image of ``size`` pixels.

    The box's longer side and ``margin`` of it on each side, around the box's centre; moved, where it would reach
    over the border, and never larger than the image. The whole image without a box.

    >>> crop_square((4, 6, 8, 8), 32, 0.5), crop_square((0, 0, 4, 2), 32, 0.5), crop_square(None, 32, 0.5)
    ((2, 3, 8), (0, 0, 8), (0, 0, 32))
    """
    if box is None:
        return 0, 0, size
    top, left, bottom, right = box
    longer = max(bottom - top, right - left)
    side = min(size, longer + 2 * round(margin * longer))
    places = [
        min(max(0, (start + end - side) // 2), size - side)
        for start, end in ((top, bottom), (left, right))
    ]
    return places[0], places[1], side


def mask_rows(
    ids: Sequence[str], masks: Iterable[np.ndarray], first: int = 0
) -> list[dict[str, object]]:
    """The table's rows of masks, bool (h, w) each, that lie in this order from row ``first`` on."""
    rows = []
    for place, (name, mask) in enumerate(zip(ids, masks, strict=True), start=first):
        box = cell_box(mask) or ("", "", "", "")
        rows.append(
            {"id": name, "kind": KIND, "row": place, "foreground": float(mask.mean())}
            | dict(zip(BOX, box, strict=True))
        )
    return rows


@dataclass(frozen=True)
class PredictedMasks:
    """Predicted masks, and where the cells are.

    Attributes:
        pictures: uint8 (n, size, size / 8), ``np.packbits`` of rows.
        boxes: id -> :func:`cell_box`.
    """

    pictures: Pictures
    boxes: dict[str, Box | None]


def open_predicted_masks(path: Path | str) -> PredictedMasks:
    """Open what predict_masks wrote.

    Raises:
        UserError: a file is missing, or array and table do not fit.
    """
    pictures = open_pictures([path])
    return PredictedMasks(pictures, boxes_of(read_csv(table_of(path))))


def boxes_of(rows: Iterable[dict]) -> dict[str, Box | None]:
    """Id -> box, of rows of the table, as text or numbers."""
    found: dict[str, Box | None] = {}
    for row in rows:
        top, left, bottom, right = (row[side] for side in BOX)
        whole = top == ""
        found[row["id"]] = None if whole else (int(top), int(left), int(bottom), int(right))
    return found
