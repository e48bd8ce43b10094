"""Finding the files of a data set in its raw folder; nothing is decoded here."""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fewlabels.core.errors import UserError
from fewlabels.data.images import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Layout:
    """Where the images of a data set lie below its folder.

    With ``classes``: ``<split folder>/data/<class>/<file>`` and masks ``<split folder>/mask/<class>/<file>``;
    without: ``<file>``, all images in one folder and without labels. With classes but no ``splits``, an external
    test set: ``<class>/<file>``, of any of the classes, without masks.
    """

    classes: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, str] = field(default_factory=dict)
    group_pattern: str | None = None


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


def listing_hash(folder: Path | str) -> str:
    """SHA-256 over relative paths and sizes of all image files below ``folder``, sorted.

    It changes when images come, go or change in size, not when they are copied or touched.
    """
    folder = Path(folder)
    lines = []
    for parent, subfolders, names in os.walk(folder, followlinks=True):
        subfolders.sort()
        for name in names:
            if is_image_file(name):
                path = Path(parent, name)
                lines.append(f"{path.relative_to(folder).as_posix()}\t{path.stat().st_size}\n")
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


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


def class_folders(
    folder: Path, layout: Layout, problems: list[Problem], root: Path
) -> dict[str, list[Path]]:
    """Class -> its folders (more than one where aliases are used side by side), by the config's order."""
    found: dict[str, list[Path]] = {name: [] for name in layout.classes}
    if not folder.is_dir():
        return found
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        label = layout.aliases.get(entry.name, entry.name)
        if label in found:
            found[label].append(entry)
        else:
            problems.append(
                Problem(
                    "unknown_class_folder",
                    entry.relative_to(root).as_posix(),
                    "is no class of the config: add it to datasets.*.classes or .aliases, "
                    "or move the folder away",
                )
            )
    return found


def _scan_split(
    root: Path, role: str, split: str, layout: Layout, problems: list[Problem]
) -> Iterator[FoundImage]:
    data = class_folders(root / split / "data", layout, problems, root)
    mask_folders = class_folders(root / split / "mask", layout, problems, root)
    for label in layout.classes:
        masks = {
            name: folder / name for folder in mask_folders[label] for name in image_names(folder)
        }
        mask_of_stem = {Path(name).stem: name for name in masks}
        names_seen: set[str] = set()
        for folder in data[label]:
            for name in image_names(folder):
                path = folder / name
                # A mask may be stored in another format than its image.
                mask_name = name if name in masks else mask_of_stem.get(path.stem, "")
                names_seen.add(mask_name)
                mask = masks.get(mask_name)
                slide, within = parse_group(path.stem, layout.group_pattern)
                yield FoundImage(
                    id=f"{split}/{label}/{name}",
                    path=path.relative_to(root).as_posix(),
                    split=role,
                    label=label,
                    mask=mask.relative_to(root).as_posix() if mask else "",
                    slide=slide,
                    field=within,
                )
        for name in sorted(set(masks) - names_seen):
            problems.append(
                Problem(
                    "mask_without_image",
                    masks[name].relative_to(root).as_posix(),
                    f"has no image of that name in {split}/data/{label}: add the image or remove the mask",
                )
            )
        if not names_seen:
            problems.append(
                Problem(
                    "empty_class",
                    f"{split}/data/{label}",
                    f"holds no image: put the images of {label} there, or take the class out of the config",
                )
            )


def _scan_external(root: Path, layout: Layout, problems: list[Problem]) -> Iterator[FoundImage]:
    for label, folders in class_folders(root, layout, problems, root).items():
        for path in (folder / name for folder in folders for name in image_names(folder)):
            slide, within = parse_group(path.stem, layout.group_pattern)
            relative = path.relative_to(root).as_posix()
            yield FoundImage(f"{label}/{path.name}", relative, "test", label, "", slide, within)


def scan_dataset(root: Path | str, layout: Layout) -> tuple[list[FoundImage], list[Problem]]:
    """List the images of a data set, sorted by split, class (in the config's order) and name.

    Raises:
        UserError: the folder does not exist, holds no images, or two images get the same id.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root} does not exist: set the data set's folder in the config")
    problems: list[Problem] = []
    if layout.classes and not layout.splits:
        images = list(_scan_external(root, layout, problems))
    elif layout.classes:
        images = [
            image
            for role, split in layout.splits.items()
            for image in _scan_split(root, role, split, layout, problems)
        ]
    else:
        images = []
        for name in image_names(root):
            slide, within = parse_group(Path(name).stem, layout.group_pattern)
            images.append(FoundImage(name, name, "train", "", "", slide, within))
    if not images:
        expected = "*.jpg"
        if layout.classes:
            expected = "<split>/data/<class>/*.jpg" if layout.splits else "<class>/*.jpg"
        raise UserError(f"{root} holds no images: expected {expected} (JPEG, PNG, TIFF, BMP)")
    seen: set[str] = set()
    for image in images:
        if image.id in seen:
            raise UserError(
                f"{root}: two files are called {image.id} (aliases of one class): rename one of them"
            )
        seen.add(image.id)
    return images, problems
