"""Tables that name the images of a data set, as people and their programs write them."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fewlabels.core.errors import UserError, did_you_mean

#: The separators of columns that are understood.
SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True)
class TableRow:
    """One row of a table; cells are stripped, and empty where the table has no such column.

    Attributes:
        number: the row's, as a spreadsheet counts: the header is row 1.
        path: of the image, parted by ``/``, from the table's folder on.
        mask: as ``path``.
        slide: None where the table has no such column; so ``field``.
    """

    number: int
    path: str
    label: str
    split: str
    mask: str
    slide: str | None
    field: str | None


def as_posix(path: str) -> str:
    r"""A path parted by ``/``, however it was written.

    >>> as_posix(r"cells\\a.png"), as_posix("./cells//a.png"), as_posix("")
    ('cells/a.png', 'cells/a.png', '')
    """
    return PurePosixPath(path.replace("\\", "/")).as_posix() if path else ""


def read_text(path: Path, key: str = "the data set's table") -> str:
    """Text of a file in UTF-8, with or without a byte order mark, or else in Windows-1252.

    Args:
        key: what the config calls the file.

    Raises:
        UserError: the file does not exist, or is in neither.
    """
    # Path.is_file gives an error of its own for names that are too long.
    if not os.path.isfile(path):
        raise UserError(f"{path} does not exist: set {key} in the config")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} can't be read ({error.strerror}): mend who may read it") from None
    if (
        b"\0" not in content
    ):  # UTF-16 and spreadsheets have such bytes, and Windows-1252 would take them
        for encoding in ("utf-8-sig", "cp1252"):
            try:
                return content.decode(encoding)
            except UnicodeDecodeError:
                continue
    raise UserError(f"{path} is no text in UTF-8 or Windows-1252: save it as CSV in UTF-8")


def separator_of(header: str) -> str:
    """What parts the columns: the separator that the header has most of.

    >>> separator_of("path;label"), separator_of("path")
    (';', ',')
    """
    return max(SEPARATORS, key=header.count)


def read_rows(
    path: Path, required: Sequence[str], used: Sequence[str], key: str = "the data set's table"
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table, each with its number; columns are called in lower case, and cells stripped.

    Args:
        used: the columns that may stand there once only.
        key: what the config calls the file.

    Raises:
        UserError: the file is unreadable, lacks a ``required`` column, has a used one twice, or has a row of more
            cells than the header.
    """
    lines = io.StringIO(read_text(path, key), newline="")
    first = next((line for line in lines if line.strip()), "")
    lines.seek(0)
    try:
        cells = [
            (number, [cell.strip() for cell in row])
            for number, row in enumerate(csv.reader(lines, delimiter=separator_of(first)), start=1)
        ]
    except csv.Error as error:
        raise UserError(f"{path} is no CSV table ({error}): look for an unpaired quote") from None
    filled = [(number, row) for number, row in cells if any(row)]
    header = [name.lower() for name in filled[0][1]] if filled else []
    for name in required:
        if name not in header:
            raise UserError(f"{path} has no column '{name}': {did_you_mean(name, header)}")
    for name in used:
        if header.count(name) > 1:
            raise UserError(f"{path} has two columns '{name}': keep one of them")
    rows = []
    for number, row in filled[1:]:
        if len(row) > len(header):
            raise UserError(
                f"{path}: row {number} has {len(row)} cells, the header {len(header)}: quote what holds a separator"
            )
        rows.append((number, dict.fromkeys(header, "") | dict(zip(header, row, strict=False))))
    return rows


def read_table(path: Path, required: Sequence[str]) -> list[TableRow]:
    """Read the rows of a table; names of columns count without case and spaces, other columns are ignored.

    Raises:
        UserError: as of :func:`read_rows`, or a row has no path.
    """
    rows = []
    columns = list(TableRow.__annotations__)
    for number, values in read_rows(path, required, columns):
        if not values.get("path"):
            raise UserError(f"{path}: row {number} has no path: fill it in, or take the row out")
        rows.append(
            TableRow(
                number,
                as_posix(values["path"]),
                values.get("label", ""),
                values.get("split", ""),
                as_posix(values.get("mask", "")),
                values.get("slide"),
                values.get("field"),
            )
        )
    return rows
