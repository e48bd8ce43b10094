"""A walk through every file below a folder: what each is, told without decoding any."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from fewlabels.data.file_formats import IMAGE_SUFFIXES, is_foreign, sniff_file

What = Literal[
    "image",
    "foreign",
    "no_picture",
    "litter",
    "special_file",
    "link_loop",
    "unreadable_folder",
    "undecodable_name",
    "folder",
]
#: Names of files and folders that systems leave beside pictures; hidden ones count as such, too.
LITTER = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx", "icon\r"})


@dataclass(frozen=True)
class Entry:
    """One file, or one folder, below the folder that was walked through.

    Attributes:
        path: relative, parted by ``/``; bytes that are no UTF-8 as surrogates.
        what: ``image`` by its name's ending or its first bytes; ``foreign``: a picture of a format that is not read.
    """

    path: str
    what: What


def printable(path: str) -> str:
    """A path that can be written as UTF-8: other bytes as ``\\xff``."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_litter(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's.

    >>> is_litter("._a.jpg"), is_litter("Thumbs.db"), is_litter("a.jpg")
    (True, True, False)
    """
    return name.startswith(".") or name.lower() in LITTER


def walk(root: str | os.PathLike[str]) -> Iterator[Entry]:
    """Every file and folder below ``root``, in no particular order; links are followed, but in no circle.

    Only files whose names end like no image's are opened, for their first bytes; pipes and devices never are.
    """
    yield from _walk(os.fspath(root), "", (), hidden=False)


def _walk(folder: str, relative: str, above: tuple, hidden: bool) -> Iterator[Entry]:
    try:
        state = os.stat(folder)
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:
        yield Entry(relative.removesuffix("/") or ".", "unreadable_folder")
        return
    identity = (state.st_dev, state.st_ino)
    if identity in above:
        yield Entry(relative.removesuffix("/"), "link_loop")
        return
    for entry in entries:
        path = relative + entry.name
        litter = hidden or is_litter(entry.name)
        if not litter and printable(path) != path:
            yield Entry(path, "undecodable_name")
        elif _is_folder(entry):
            if not litter:
                yield Entry(path, "folder")
            yield from _walk(entry.path, f"{path}/", (*above, identity), litter)
        else:
            yield Entry(path, _what(entry, litter))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _what(entry: os.DirEntry[str], litter: bool) -> What:
    is_image = PurePosixPath(entry.name).suffix.lower() in IMAGE_SUFFIXES
    by_name: What = "image" if is_image else "foreign" if is_foreign(entry.name) else "no_picture"
    try:
        regular = stat.S_ISREG(entry.stat().st_mode)
    except OSError:  # a link to nothing: whoever opens it says so
        return "litter" if litter else by_name
    if not regular:
        return "special_file"
    if litter:
        return "litter"
    if by_name != "no_picture":
        return by_name
    try:
        return "image" if sniff_file(entry.path) else "no_picture"
    except OSError:
        return "no_picture"
