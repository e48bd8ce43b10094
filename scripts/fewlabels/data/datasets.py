"""Finding the files of a data set below its folder or by its table; no image is decoded here."""

import hashlib
import os
from collections import Counter
from pathlib import Path, PurePosixPath

from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.data.folders import FolderScan
from fewlabels.data.found_images import FoundImage, Problem, is_image_file, parse_group
from fewlabels.data.image_tables import TableRow, read_table
from fewlabels.data.layouts import ROLES, Layout


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


def dataset_hash(root: Path | str, layout: Layout) -> str:
    """SHA-256 that changes when the files of a data set do: :func:`listing_hash`, or that of a table.

    A table counts with its bytes and with the sizes of the images and masks that it names.

    Raises:
        UserError: the table cannot be read.
    """
    if layout.table is None:
        return listing_hash(root)
    table = Path(root, layout.table)
    rows = read_table(table, required=["path"])
    digest = hashlib.sha256(table.read_bytes())
    for name in (name for row in rows for name in (row.path, row.mask) if name):
        path = table.parent / name
        size = path.stat().st_size if path.is_file() else "missing"
        digest.update(f"{name}\t{size}\n".encode())
    return digest.hexdigest()


def folders_read(root: Path | str, layout: Layout) -> list[str]:
    """The folders that the files of a data set lie in: the data set's own, or those that its table and what it names
    lie in, without folders below others.

    Raises:
        UserError: the table cannot be read.
    """
    if layout.table is None:
        return [str(root)]
    table = Path(root, layout.table)
    rows = read_table(table, required=["path"])
    names = [name for row in rows for name in (row.path, row.mask) if name]
    folders = {Path(os.path.normpath(table.parent / name)).parent for name in names}
    folders.add(table.parent)
    return sorted(str(folder) for folder in folders if not folders & set(folder.parents))


def _role_of(row: TableRow, table: Path, layout: Layout) -> str:
    roles = {value: role for role, value in layout.splits.items()}
    roles = dict(zip(ROLES, ROLES, strict=True)) | roles
    if row.split in roles:
        return roles[row.split]
    raise UserError(
        f"{table}: row {row.number}: split '{row.split}' is no role and not among datasets.*.splits: "
        + did_you_mean(row.split, list(roles))
    )


def _existing(row: TableRow, name: str, table: Path, root: Path) -> str:
    """A file that a table names, from ``root`` on."""
    path = table.parent / name
    if not path.is_file():
        raise UserError(
            f"{table}: row {row.number}: {path} does not exist: mend the path, or take the row out"
        )
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _scan_table(
    root: Path, layout: Layout, external: bool
) -> tuple[list[FoundImage], list[Problem]]:
    table = root / (layout.table or "")
    rows = read_table(table, required=["path", "label"] if layout.classes else ["path"])
    has_splits = any(row.split for row in rows)
    images: list[FoundImage] = []
    row_of: dict[str, int] = {}
    unknown: dict[str, list[int]] = {}
    for row in rows:
        place = os.path.normpath(row.path)
        if place in row_of:
            raise UserError(
                f"{table}: rows {row_of[place]} and {row.number} name the same image {row.path}: "
                "take one of them out"
            )
        row_of[place] = row.number
        path = _existing(row, row.path, table, root)
        mask = _existing(row, row.mask, table, root) if row.mask else ""
        role = "test" if external else "train"
        if has_splits:
            role = _role_of(row, table, layout)
        if layout.classes and not row.label:
            raise UserError(
                f"{table}: row {row.number} has no label: fill it in, or take the row out"
            )
        label = layout.class_of(row.label) if layout.classes else ""
        if label is None:
            unknown.setdefault(row.label, []).append(row.number)
            continue
        slide, within = parse_group(PurePosixPath(row.path).stem, layout.group_pattern)
        if row.slide is not None:
            slide = row.slide
        if row.field is not None:
            within = f"{slide}/{row.field}" if row.field else ""
        images.append(FoundImage(row.path, path, role, label, mask, slide, within))
    name = PurePosixPath(layout.table or "").as_posix()
    problems = []
    for value, numbers in unknown.items():
        more = f" (and {len(numbers) - 1} more rows)" if len(numbers) > 1 else ""
        problems.append(
            Problem(
                "unknown_class_folder",
                name,
                f"row {numbers[0]}{more}: label '{value}' is no class of the config: add it to "
                "datasets.*.classes or .aliases, or take the row out",
            )
        )
    counts = Counter((image.split, image.label) for image in images)
    roles = [role for role in ROLES if any(image.split == role for image in images)]
    for role, label in ((r, c) for r in roles for c in layout.classes):
        if not counts[role, label] and not external:
            problems.append(
                Problem(
                    "empty_class",
                    name,
                    f"holds no {role} image of {label}: add one, or take the class out of the config",
                )
            )
    return images, problems


def scan_dataset(
    root: Path | str, layout: Layout, external: bool = False
) -> tuple[list[FoundImage], list[Problem]]:
    """List the images of a data set: by split, class (in the config's order) and name; of a table, by row.

    Args:
        root: the data set's folder; for a table, the folder that its path starts from.
        external: images without a split are test images in place of training images, and classes may be
            missing.

    Raises:
        UserError: the folder does not exist, holds no images, two images get the same id, or a row of the
            table is wrong.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root} does not exist: set the data set's folder in the config")
    if layout.table is not None:
        images, problems = _scan_table(root, layout, external)
        if not images:
            why = problems[0].detail if problems else "it has no rows"
            raise UserError(f"{root / layout.table} names no images that can be used: {why}")
        return images, problems
    scan = FolderScan(root, layout, external)
    scan.run()
    if not scan.images:
        expected = (PurePosixPath(layout.images) / "*.jpg").as_posix()
        expected = expected.replace("{", "<").replace("}", ">")
        raise UserError(f"{root} holds no images: expected {expected} (JPEG, PNG, TIFF, BMP)")
    seen: set[str] = set()
    for image in scan.images:
        if image.id in seen:
            raise UserError(
                f"{root}: two files are called {image.id} (aliases of one class): rename one of them"
            )
        seen.add(image.id)
    return scan.images, scan.problems
