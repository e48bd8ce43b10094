"""What is known of an image before it is decoded: its file, its name, what is wrong with its place."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from fewlabels.data.images import IMAGE_SUFFIXES


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
    """One thing that is wrong with one file or folder of a data set."""

    kind: str
    path: str
    detail: str


def is_image_file(name: str) -> bool:
    """Whether a file's name ends like an image's; hidden files (``._x.jpg``, ``.DS_Store``) are none."""
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def image_names(folder: Path) -> list[str]:
    """Sorted names of the image files directly in ``folder``; none when there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in os.scandir(folder) if is_image_file(entry.name))


def parse_group(stem: str, pattern: str | None) -> tuple[str, str]:
    """Slide and field that a file name tells; empty where it tells none.

    The field is ``slide/field``, unique over slides.
    """
    match = re.search(pattern, stem) if pattern else None
    if match is None:
        return "", ""
    groups = match.groupdict()
    slide = groups.get("slide") or ""
    within = groups.get("field") or ""
    return slide, f"{slide}/{within}" if within else ""
