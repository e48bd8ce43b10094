"""Finding the images of a data set, and their masks, in folders by a pattern."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from fewlabels.data.found_images import FoundImage, Problem, image_names, parse_group
from fewlabels.data.layouts import STEM, FolderPattern, Layout, fill_of, uses


def class_folders(
    root: Path, pattern: FolderPattern, layout: Layout, ours: set[str], problems: list[Problem]
) -> dict[str, list[Path]]:
    """Class -> its folders (more than one where aliases are used side by side), by the config's order.

    Args:
        ours: folders, from ``root`` on, that the layout itself names; among the class folders they are none.
    """
    if not pattern.part:
        return {"": [root / pattern.above]}
    found: dict[str, list[Path]] = {name: [] for name in layout.classes}
    above = root / pattern.above
    for entry in sorted(above.iterdir()) if above.is_dir() else []:
        name = fill_of(entry.name, pattern.part, "{class}")
        if name is None or entry.name.startswith(".") or not entry.is_dir():
            continue
        folder = root / pattern.folder(name)
        label = layout.class_of(name)
        if label is not None:
            found[label].append(folder)
        elif folder.is_dir() and entry.relative_to(root).as_posix() not in ours:
            problems.append(
                Problem(
                    "unknown_class_folder",
                    entry.relative_to(root).as_posix(),
                    "is no class of the config: add it to datasets.*.classes or .aliases, "
                    "or move the folder away",
                )
            )
    return found


class MaskFiles:
    """The masks of some images, found by the images' names."""

    def __init__(self, folders: Sequence[Path], mask_name: str, beside_images: bool) -> None:
        self.mask_name = mask_name
        self.paths = {
            name: folder / name
            for folder in folders
            for name in image_names(folder)
            if not beside_images or self.is_mask(name)
        }
        self.name_of_stem = {Path(name).stem: name for name in self.paths}
        self.taken: set[str] = set()

    def is_mask(self, name: str) -> bool:
        """Whether a file is called like a mask."""
        return fill_of(Path(name).stem, self.mask_name, STEM) is not None

    def take(self, image: Path) -> Path | None:
        """The mask of an image, if there is one."""
        stem = self.mask_name.replace(STEM, image.stem)
        # A mask may be stored in another format than its image.
        name = stem + image.suffix
        name = name if name in self.paths else self.name_of_stem.get(stem, "")
        self.taken.add(name)
        return self.paths.get(name)

    def left(self) -> list[Path]:
        """The masks that no image took."""
        return [self.paths[name] for name in sorted(set(self.paths) - self.taken)]


class FolderScan:
    """A walk through the folders of a layout."""

    def __init__(self, root: Path, layout: Layout, external: bool) -> None:
        self.root, self.layout, self.external = root, layout, external
        role = "test" if external else "train"
        self.splits = dict(layout.splits) or {role: ""}
        self.beside_images = layout.masks is not None and PurePosixPath(
            layout.masks
        ) == PurePosixPath(layout.images)
        patterns = [layout.images] if layout.masks is None else [layout.images, layout.masks]
        self.ours = {
            folder
            for pattern in patterns
            for split in self.splits.values()
            for folder in FolderPattern.of(pattern, split).fixed_folders()
        }
        self.images: list[FoundImage] = []
        self.problems: list[Problem] = []
        #: Masks of images that differ in split or class: they are left over once all were seen.
        self.shared_masks: dict[tuple[str, str], MaskFiles] = {}

    def run(self) -> None:
        for role, split in self.splits.items():
            self._scan_split(role, split)
        for masks in self.shared_masks.values():
            self._report_left(masks, self.layout.images)
        self.problems = list(dict.fromkeys(self.problems))

    def _folders(self, pattern: str, split: str) -> dict[str, list[Path]]:
        cut = FolderPattern.of(pattern, split)
        return class_folders(self.root, cut, self.layout, self.ours, self.problems)

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _scan_split(self, role: str, split: str) -> None:
        layout = self.layout
        data = self._folders(layout.images, split)
        mask_folders = {} if layout.masks is None else self._folders(layout.masks, split)
        for label, folders in data.items():
            where = FolderPattern.of(layout.images, split).folder(label)
            masks, shared = self._masks_of(mask_folders, split, label)
            before = len(self.images)
            for folder in folders:
                for name in image_names(folder):
                    if not (self.beside_images and masks.is_mask(name)):
                        self._add(folder / name, role, split, label, masks.take(folder / name))
            if not shared:
                self._report_left(masks, where)
            if len(self.images) == before and not self.external:
                named = label or f"the role {role}"
                self.problems.append(
                    Problem(
                        "empty_class",
                        where,
                        f"holds no image: put the images of {named} there, or take the "
                        f"{'class' if label else 'role'} out of the config",
                    )
                )

    def _masks_of(
        self, mask_folders: dict[str, list[Path]], split: str, label: str
    ) -> tuple[MaskFiles, bool]:
        """The masks of one class of one split, and whether others have the same."""
        layout = self.layout
        by_split, by_class = (uses(layout.masks, name) for name in ("{split}", "{class}"))
        folders = mask_folders.get(label if by_class else "", [])
        found = MaskFiles(folders, layout.mask_name, self.beside_images)
        if by_split == uses(layout.images, "{split}") and by_class == bool(label):
            return found, False
        key = (split if by_split else "", label if by_class else "")
        return self.shared_masks.setdefault(key, found), True

    def _add(self, path: Path, role: str, split: str, label: str, mask: Path | None) -> None:
        slide, within = parse_group(path.stem, self.layout.group_pattern)
        self.images.append(
            FoundImage(
                id="/".join(part for part in (split, label, path.name) if part),
                path=self._relative(path),
                split=role,
                label=label,
                mask=self._relative(mask) if mask else "",
                slide=slide,
                field=within,
            )
        )

    def _report_left(self, masks: MaskFiles, where: str) -> None:
        for path in masks.left():
            self.problems.append(
                Problem(
                    "mask_without_image",
                    self._relative(path),
                    f"has no image of that name in {where}: add the image or remove the mask",
                )
            )
