"""What the files of a data set contain, as one hash, without reading again what has not changed.

Pictures count with their bytes, whatever they are called; files of formats that are not read count with their names;
links to nothing, pipes, and what may not be read count as what they are. Texts and litter do not count.
"""

import argparse
import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_text
from fewlabels.data.file_formats import HEAD, IMAGE_SUFFIXES, is_foreign, sniff
from fewlabels.data.image_tables import read_table
from fewlabels.data.layouts import Layout
from fewlabels.data.walk import is_litter, printable

#: Seconds for which a file must have rested before its hash is kept: clocks of file systems tick that coarsely.
REST = 2.0
#: Files per piece of work, so that handing it out costs little.
CHUNK = 128
#: Content of a file that is no picture.
NO_PICTURE = ""


@dataclass(frozen=True)
class Stamp:
    """What tells without reading whether a file is still the same: its size and times, in nanoseconds.

    ``changed`` (ctime) is set by the system at every edit, also where a tool sets the other time back.
    """

    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def rested(self, now: float) -> bool:
        """Whether an edit of this very moment would show in the times."""
        return now - self.changed / 1e9 > REST


@dataclass
class HashCache:
    """Hashes of the files below one folder, by their paths and stamps.

    Attributes:
        file: where they are kept; None: nowhere.
    """

    file: Path | None = None
    known: dict[str, tuple[Stamp, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path | None, root: str) -> "HashCache":
        """The cache of the files below ``root``; empty where there is none, or it can't be read."""
        if folder is None:
            return cls()
        name = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]
        file = folder / f"{name}.json"
        try:
            rows = json.loads(file.read_text(encoding="utf-8"))
            known = {path: (Stamp(*stamp), content) for path, *stamp, content in rows}
        except (OSError, ValueError, TypeError):
            known = {}
        return cls(file, known)

    def get(self, path: str, stamp: Stamp) -> str | None:
        """The content of a file that is as it was."""
        known = self.known.get(path)
        return known[1] if known is not None and known[0] == stamp else None

    def keep(self, contents: dict[str, tuple[Stamp, str]], started: float) -> None:
        """Keep what was seen of all files, but for those that had only just been written when it began."""
        rested = {path: entry for path, entry in contents.items() if entry[0].rested(started)}
        if self.file is None or rested == self.known:
            return
        rows = [
            [path, stamp.size, stamp.modified, stamp.changed, content]
            for path, (stamp, content) in sorted(rested.items())
        ]
        # Without a cache the next run reads all files again; that must not stop this one.
        with contextlib.suppress(OSError):
            write_text(self.file, json.dumps(rows, separators=(",", ":")) + "\n")


@dataclass(frozen=True)
class _Found:
    """A file that may be a picture, or something that counts as what it is (``what``)."""

    path: str
    what: str = ""
    stamp: Stamp | None = None


def _files_below(root: str, relative: str = "", above: tuple = ()) -> Iterator[_Found]:
    here = os.path.join(root, relative) if relative else root
    try:
        status = os.stat(here)
        with os.scandir(here) as found:
            entries = list(found)
    except OSError:
        yield _Found(relative, "unreadable folder")
        return
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        yield _Found(relative, "loop")
        return
    for entry in entries:
        if is_litter(entry.name):
            continue
        path = f"{relative}/{entry.name}" if relative else entry.name
        try:
            status = entry.stat()
        except OSError:
            yield _Found(path, "missing")
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _files_below(root, path, (*above, identity))
        else:
            yield _found_file(path, status)


def _is_called_image(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES


def _found_file(path: str, status: os.stat_result) -> _Found:
    if not stat.S_ISREG(status.st_mode):
        return _Found(path, "special")
    if not _is_called_image(path) and is_foreign(path):
        return _Found(path, "foreign")
    return _Found(path, stamp=Stamp.of(status))


def _content(root: str, path: str, any_format: bool) -> str:
    """SHA-256 of a file's bytes; of one that is no picture, nothing."""
    try:
        with open(os.path.join(root, path), "rb") as handle:
            head = handle.read(HEAD)
            if not (_is_called_image(path) or any_format or sniff(head)):
                return NO_PICTURE
            handle.seek(0)
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def _contents(
    root: str, found: list[_Found], cache_folder: Path | None, any_format: bool = False
) -> dict[str, str]:
    """What each file contains, by its path; files of any other format only with ``any_format``."""
    started = time.time()
    cache = HashCache.of(cache_folder, root)
    contents = {file.path: file.what for file in found}
    seen: dict[str, tuple[Stamp, str]] = {}
    unknown: list[tuple[str, Stamp]] = []
    for path, stamp in ((file.path, file.stamp) for file in found):
        if stamp is None:
            continue
        name = printable(path)
        content = cache.get(name, stamp)
        if content is None or (any_format and content == NO_PICTURE):
            unknown.append((path, stamp))
        else:
            seen[name] = (stamp, content)
            contents[path] = content

    def read(chunk: list[tuple[str, Stamp]]) -> list[str]:
        return [_content(root, path, any_format) for path, _ in chunk]

    chunks = [unknown[start : start + CHUNK] for start in range(0, len(unknown), CHUNK)]
    with (
        ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
        tqdm(
            total=len(unknown),
            desc=f"hash {root}",
            unit="file",
            delay=3,
            mininterval=1,
            leave=False,
        ) as bar,
    ):
        for chunk, read_contents in zip(chunks, pool.map(read, chunks), strict=True):
            for (path, stamp), content in zip(chunk, read_contents, strict=True):
                contents[path] = content
                if content != "unreadable":
                    seen[printable(path)] = (stamp, content)
            bar.update(len(chunk))
    cache.keep(seen, started)
    return contents


def _hash(contents: dict[str, str]) -> str:
    digest = hashlib.sha256()
    for path in sorted(contents, key=os.fsencode):
        if contents[path] != NO_PICTURE:
            digest.update(os.fsencode(path) + f"\0{contents[path]}\n".encode())
    return digest.hexdigest()


def folder_hash(root: Path | str, cache_folder: Path | None = None) -> str:
    """SHA-256 over the paths and contents of all pictures below ``root``, links followed.

    Args:
        cache_folder: where hashes of files are kept from one call to the next.
    """
    root = os.fspath(root)
    return _hash(_contents(root, list(_files_below(root)), cache_folder))


def table_hash(root: Path | str, table: Path | str, cache_folder: Path | None = None) -> str:
    """SHA-256 over the bytes of a table and of the images and masks that it names.

    Raises:
        UserError: the table cannot be read.
    """
    path = Path(root, table)
    rows = read_table(path, required=["path"])
    folder = os.fspath(path.parent)
    found = []
    for name in dict.fromkeys(name for row in rows for name in (row.path, row.mask) if name):
        try:
            found.append(_found_file(name, os.stat(os.path.join(folder, name))))
        except (OSError, ValueError):
            found.append(_Found(name, "missing"))
    contents = _hash(_contents(folder, found, cache_folder, any_format=True))
    return hashlib.sha256(path.read_bytes() + contents.encode()).hexdigest()


def dataset_hash(root: Path | str, layout: Layout, cache_folder: Path | None = None) -> str:
    """SHA-256 that changes when the pictures of a data set do: :func:`folder_hash`, or :func:`table_hash`.

    Raises:
        UserError: its table cannot be read.
    """
    if layout.table is None:
        return folder_hash(root, cache_folder)
    return table_hash(root, layout.table, cache_folder)


def require_unchanged(
    root: Path | str, layout: Layout, expected: str, cache_folder: Path | None = None
) -> None:
    """Check that a data set is still what the run began with, once its files were read.

    Raises:
        UserError: it is not.
    """
    if dataset_hash(root, layout, cache_folder) != expected:
        raise UserError(
            f"{root}: files came, went or changed while the workflow read them: run it again"
        )


def add_content_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what :func:`check_content` reads, beside ``--folder`` and ``--layout``."""
    parser.add_argument("--content", help="hash of the files' contents when the run began")
    parser.add_argument(
        "--content-cache", type=Path, help="folder where the hashes of single files are kept"
    )


def check_content(arguments: argparse.Namespace) -> None:
    """Check, once all files were read and before anything is written, that they are what the run began with.

    Raises:
        UserError: they are not.
    """
    if arguments.content:
        require_unchanged(
            arguments.folder, arguments.layout, arguments.content, arguments.content_cache
        )
