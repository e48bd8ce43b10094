"""What is known of an image before it is decoded: its file, its name, what is wrong with its place."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FoundImage:
    """One image file, before it is decoded. ``mask`` is empty where there is none."""

    id: str
    path: str
    split: str
    label: str
    mask: str
    slide: str
    field: str


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one file or folder of a data set, or with several of one folder.

    Attributes:
        kind: one of ``problem_kinds.KINDS``.
        path: the (first) file or folder.
        detail: what is wrong, and the remedy; goes on after the path.
        files: how many files it is about.
    """

    kind: str
    path: str
    detail: str
    files: int = 1


@dataclass
class Scan:
    """What a data set's folder or table holds, before anything is decoded.

    Attributes:
        images: in the index's order.
        left_out: path -> why (a kind of problem, or one of ``problem_kinds.LISTED``), of every file that is neither
            an image nor a mask of ``images``.
    """

    images: list[FoundImage] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def tell(self, kind: str, paths: Iterable[str], detail: str, files: int | None = None) -> None:
        """Add a problem, and leave its files out.

        Args:
            files: how many it is about, where it is not its paths.
        """
        paths = sorted(paths)
        self.problems.append(
            Problem(kind, paths[0], detail, len(paths) if files is None else files)
        )
        self.left_out |= dict.fromkeys(paths, kind)


def plain_name(name: str) -> str:
    """A name in one Unicode form, for comparing: systems write é as one character or as two.

    >>> plain_name("e\\u0301") == plain_name("\\u00e9")
    True
    """
    return unicodedata.normalize("NFC", name)


def parse_group(name: str, pattern: str | None) -> tuple[str, str]:
    """Slide and field that a file's name tells, without its ending; empty where it tells none.

    The field is ``slide/field``, unique over slides.
    """
    match = re.search(pattern, name) if pattern else None
    if match is None:
        return "", ""
    groups = match.groupdict()
    slide = groups.get("slide") or ""
    within = groups.get("field") or ""
    return slide, f"{slide}/{within}" if within else ""
