"""Writing files so that a reader sees either the whole file or none."""

import contextlib
import csv
import errno
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fewlabels.core.errors import UnwritableError, UserError
from fewlabels.core.processes import host_name


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``path``; move it there once the block ends without an error.

    The temporary name keeps the suffix, because some writers choose the format by it, and tells who writes
    (:func:`writer_of`).

    Raises:
        UnwritableError: the disk is full, the folder can't be written to, or the like.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}@{host_name()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        # torch's own complaint hides that of the file.
        failed = error if isinstance(error, OSError) else error.__context__
        if isinstance(failed, OSError) and (remedy := remedy_of(failed, temporary)):
            raise UnwritableError(f"{path} can't be written: {remedy}, then run again") from error
        raise
    finally:
        # Where the folder can't even be entered, nothing was written.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


#: Errors that only writing gives -> what is wrong, and what to do.
WRITING = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "your quota on this disk is used up: make room",
    errno.EFBIG: "files may not become so large here (ulimit -f): raise the limit",
    errno.EROFS: "the disk is mounted read-only: mount it for writing, or change pathvars",
}
FORBIDDEN = "its folder may not be written to: mend the permissions, or change pathvars"
NO_INODES = "the disk has no room for more files (inodes): remove some"


def remedy_of(error: OSError, path: Path) -> str:
    """What is wrong and what to do where a file could not be written; nothing for other errors."""
    if error.errno in (errno.EACCES, errno.EPERM):
        # Another file, which was to be read, may have given it.
        named = error.filename is not None and Path(os.fsdecode(error.filename))
        return FORBIDDEN if named and (named == path or named in path.parents) else ""
    if error.errno == errno.ENOSPC and has_no_inodes(path):
        return NO_INODES
    return WRITING.get(error.errno or 0, "")


def has_no_inodes(path: Path) -> bool:
    """Whether the disk of a file has room for no more files; those without a limit (Btrfs) say that they have none."""
    folder = next((folder for folder in path.parents if folder.is_dir()), None)
    room = folder and os.statvfs(folder)
    return bool(room and room.f_files and not room.f_favail)


#: A temporary name.
TEMPORARY = re.compile(r"\..*\.(?P<pid>\d+)@(?P<host>[A-Za-z0-9-]+)(?:\.[^.]*)?")


def writer_of(name: str) -> tuple[int, str] | None:
    """Process and machine that write a file with such a temporary name; None for another name.

    >>> writer_of(".resnet_wbc_0.5.41@node-7.pt"), writer_of("resnet_wbc_0.5.pt")
    ((41, 'node-7'), None)
    """
    found = TEMPORARY.fullmatch(name)
    return (int(found["pid"]), found["host"]) if found else None


def beside(path: Path | str, other: Path | str) -> str:
    """The way to a file from the folder that another lies in, parted by ``/``; it holds wherever both are moved.

    >>> beside("results/validation/replicate1/a.csv", "results/models/replicate1/a.pt")
    '../../validation/replicate1/a.csv'
    """
    return Path(os.path.relpath(path, Path(other).parent)).as_posix()


def write_text(path: Path | str, text: str) -> None:
    """Write UTF-8 text with ``\\n`` line ends, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path | str, value: Any) -> None:
    """Write sorted, indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def format_number(value: float) -> str:
    """Give a number in at most 7 significant digits: what float32 holds, so equal runs print equal."""
    return f"{value:.7g}"


def write_csv(path: Path | str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV; floats by :func:`format_number`, ``None`` and absent keys as empty cells.

    Raises:
        ValueError: a row holds a key that is no column.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as handle,
    ):
        writer = csv.DictWriter(handle, fieldnames=list(columns), lineterminator="\n", restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {
                    key: format_number(value) if isinstance(value, float) else value
                    for key, value in row.items()
                }
            )


class CsvRow(dict[str, str]):
    """A row of a CSV file: column -> cell.

    Raises:
        UserError: when asked for a column that the file does not have.
    """

    __slots__ = ("path",)

    def __init__(self, cells: Iterable[tuple[str, str]], path: Path) -> None:
        super().__init__(cells)
        self.path = path

    def __missing__(self, column: str) -> str:
        raise UserError(f"{self.path} has no column '{column}': delete it, and run again")


def read_csv(path: Path | str) -> list[dict[str, str]]:
    """Read a CSV file as a list of rows; every cell is a string, and empty lines are none.

    Raises:
        UserError: the file does not exist, or is not as the workflow writes them.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist: run the rule that writes it first")
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            header, *rows = [cells for cells in csv.reader(handle) if cells] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is damaged ({error}): delete it, and run again") from None
    for number, cells in enumerate(rows, start=1):
        if len(cells) != len(header):
            raise UserError(
                f"{path} is damaged (row {number} has not as many cells as the header): delete it, and run again"
            )
    return [CsvRow(zip(header, cells, strict=True), path) for cells in rows]


def sha256_of_file(path: Path | str) -> str:
    """SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
