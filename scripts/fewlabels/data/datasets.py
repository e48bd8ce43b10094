"""Finding the files of a data set below its folder or by its table; no image is decoded here."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.data.file_formats import IMAGE_FORMATS
from fewlabels.data.folders import FolderScan, empty_class
from fewlabels.data.found_images import FoundImage, Problem, Scan, parse_group, plain_name
from fewlabels.data.image_tables import TableRow, read_table
from fewlabels.data.layouts import ROLES, Layout
from fewlabels.data.problem_kinds import order_of


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
    # Path.is_file gives an error of its own for names that are too long.
    if not os.path.isfile(path):
        raise UserError(
            f"{table}: row {row.number}: {path} does not exist: mend the path, or take the row out"
        )
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _path_outside(row: TableRow, table: Path, homes: Sequence[Path]) -> str | None:
    """The first of a row's paths that lies below none of the folders, which are absolute."""
    for name in filter(None, (row.path, row.mask)):
        path = Path(os.path.abspath(table.parent / name))
        if not any(path.is_relative_to(home) for home in homes):
            return name
    return None


def _scan_table(root: Path, layout: Layout, external: bool, key: str) -> Scan:
    table = root / (layout.table or "")
    rows = read_table(table, required=["path", "label"] if layout.classes else ["path"])
    has_splits = any(row.split for row in rows)
    scan = Scan()
    row_of: dict[str, int] = {}
    unknown: dict[str, list[TableRow]] = {}
    outside: list[tuple[TableRow, str]] = []
    homes = [Path(os.path.abspath(folder)) for folder in (root, table.parent)]
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
        if leads_to := _path_outside(row, table, homes):
            outside.append((row, leads_to))
        role = "test" if external else "train"
        if has_splits:
            role = _role_of(row, table, layout)
        if layout.classes and not row.label:
            raise UserError(
                f"{table}: row {row.number} has no label: fill it in, or take the row out"
            )
        label = layout.class_of(row.label) if layout.classes else ""
        if label is None:
            unknown.setdefault(row.label, []).append(row)
            scan.left_out |= {name: "unknown_class_folder" for name in (path, mask) if name}
            continue
        slide, within = parse_group(PurePosixPath(row.path).stem, layout.group_pattern)
        if row.slide is not None:
            slide = row.slide
        if row.field is not None:
            within = f"{slide}/{row.field}" if row.field else ""
        scan.images.append(FoundImage(row.path, path, role, label, mask, slide, within))
    name = PurePosixPath(layout.table or "").as_posix()
    if outside:
        row, leads_to = outside[0]
        more = f" (and {len(outside) - 1} more rows)" if len(outside) > 1 else ""
        detail = (
            f"row {row.number}{more}: {leads_to} leads out of the data's folder: "
            "set problems.path_outside to warn if that is meant"
        )
        scan.problems.append(Problem("path_outside", name, detail, len(outside)))
    for value, lost in unknown.items():
        more = f" (and {len(lost) - 1} more rows)" if len(lost) > 1 else ""
        remedy = layout.remedy_of(value, key)
        detail = f"row {lost[0].number}{more}: label '{value}' is no class of the config: {remedy}"
        scan.problems.append(Problem("unknown_class_folder", name, detail, len(lost)))
    counts = Counter((image.split, image.label) for image in scan.images)
    roles = [role for role in ROLES if any(image.split == role for image in scan.images)]
    for role, label in ((r, c) for r in roles for c in layout.classes):
        if not counts[role, label] and not external:
            scan.problems.append(empty_class(role, label, True, name, "the table"))
    return scan


def scan_dataset(
    root: Path | str, layout: Layout, external: bool = False, key: str = "datasets.*"
) -> Scan:
    """List the images of a data set: by split, class (in the config's order) and name; of a table, by row.

    Every file below the data set's folder is an image, a mask of one, or left out with its reason; of a table,
    the files that it names.

    Args:
        root: the data set's folder; for a table, the folder that its path starts from.
        external: images without a split are test images in place of training images, and classes may be
            missing.
        key: of the data set's section in the config, for messages.

    Raises:
        UserError: the folder does not exist, holds no images, or a row of the table is wrong.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root} does not exist: set the data set's folder in the config")
    if layout.table is not None:
        scan = _scan_table(root, layout, external, key)
        if not scan.images:
            why = scan.problems[0].detail if scan.problems else "it has no rows"
            raise UserError(f"{root / layout.table} names no images that can be used: {why}")
    else:
        scan = FolderScan(root, layout, external, key).run()
        if not scan.images:
            raise UserError(_nothing_found(root, layout, scan))
    _tell_of_same_names(scan)
    scan.problems.sort(key=lambda problem: order_of(problem.kind))
    return scan


def _nothing_found(root: Path, layout: Layout, scan: Scan) -> str:
    told = (
        p for p in scan.problems if p.files and p.kind not in ("empty_class", "mask_without_image")
    )
    found = sorted(told, key=lambda problem: order_of(problem.kind))
    if found:
        first = found[0]
        named = first.kind.replace("_", " ")
        return f"{root} holds no images that are read: {named}: {first.path} {first.detail}"
    expected = (PurePosixPath(layout.images) / "*.jpg").as_posix()
    expected = expected.replace("{", "<").replace("}", ">")
    formats = ", ".join(IMAGE_FORMATS)
    return f"{root} holds no images: expected {expected} ({formats})"


def _tell_of_same_names(scan: Scan) -> None:
    """Two files of one id, or of names that look the same, can't be told apart by any table."""
    first: dict[str, FoundImage] = {}
    for image in scan.images:
        other = first.setdefault(plain_name(image.id), image)
        if other is not image:
            why = (
                "of one name, in folders of one class"
                if other.id == image.id
                else "whose names differ in their Unicode form alone"
            )
            detail = f"and {other.path} are two files {why}: rename one of them"
            scan.problems.append(Problem("same_name", image.path, detail))
