"""Finding the images of a data set, and their masks, in folders by a pattern; every other file is told."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fewlabels.data.found_images import FoundImage, Problem, Scan, parse_group
from fewlabels.data.layouts import DEEP, FolderPattern, Layout, uses
from fewlabels.data.mask_files import is_mask, match_masks
from fewlabels.data.problem_kinds import LISTED
from fewlabels.data.walk import printable, walk


@dataclass(frozen=True)
class Placed:
    """A file that lies where the layout leads.

    Attributes:
        role, split, label: what it is for; '' where the pattern does not tell.
        below: its folder within that of its class, where the pattern is deep.
    """

    path: str
    role: str
    split: str
    label: str
    below: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


class FolderScan:
    """A walk through the folder of a data set, each file of which is placed by the layout's patterns."""

    def __init__(self, root: Path, layout: Layout, external: bool, key: str) -> None:
        self.layout, self.external, self.key = layout, external, key
        self.scan = Scan()
        role = "test" if external else "train"
        self.splits = dict(layout.splits) or {role: ""}
        self.beside_images = layout.masks is not None and PurePosixPath(
            layout.masks
        ) == PurePosixPath(layout.images)
        self.image_patterns = self._patterns(layout.images)
        self.mask_patterns = self._patterns(layout.masks)
        self.ours = {
            folder
            for pattern in [*self.image_patterns.values(), *self.mask_patterns.values()]
            for folder in pattern.fixed_folders()
        }
        #: (folder, whether masks are looked for) -> what _place_of_folder says of it.
        self.places: dict[tuple[str, bool], tuple[str, ...]] = {}
        #: Folder -> the one of an unknown class that it lies in.
        self.unknown_above: dict[str, str | None] = {}
        self.entries = sorted(walk(root), key=lambda entry: entry.path)

    def _patterns(self, pattern: str | None) -> dict[str, FolderPattern]:
        """Role -> pattern; one for all roles, where they don't differ."""
        if pattern is None:
            return {}
        splits = self.splits if uses(pattern, "{split}") else {"": ""}
        return {role: FolderPattern.of(pattern, split) for role, split in splits.items()}

    def run(self) -> Scan:
        images, masks, foreign, elsewhere = [], [], [], []
        unknown = self._unknown_class_folders()
        lost: dict[str, list[str]] = {folder: [] for folder in unknown}
        for entry in self.entries:
            if entry.what in LISTED:
                self.scan.left_out[printable(entry.path)] = entry.what
            elif entry.what == "unreadable_folder":
                self._tell_of_name(entry.what, entry.path, "may not be read: set its permissions")
            elif entry.what == "undecodable_name":
                self._tell_of_name(
                    entry.what, entry.path, "has a name that is not UTF-8: rename it"
                )
            elif entry.what in ("image", "foreign"):
                within = self._first_above(entry.path, unknown)
                if within is not None:
                    lost[within].append(entry.path)
                elif entry.what == "foreign":
                    foreign.append(entry.path)
                elif mask := self._place(entry.path, masks=True):
                    masks.append(mask)
                elif image := self._place(entry.path):
                    images.append(image)
                else:
                    elsewhere.append(entry.path)
        for folder, files in lost.items():
            self._tell_of_class(folder, unknown[folder], files)
        self._tell_of_ignored(foreign, elsewhere)
        self._add_images(images, self._match(images, masks))
        self._tell_of_empty_classes()
        return self.scan

    def _tell_of_name(self, kind: str, path: str, detail: str) -> None:
        self.scan.tell(kind, [printable(path)], detail)

    def _unknown_class_folders(self) -> dict[str, str]:
        """Folder -> name, of folders where the layout has classes and whose names are none."""
        found = {}
        patterns = [*self.image_patterns.values(), *self.mask_patterns.values()]
        for entry in self.entries:
            for pattern in patterns if entry.what == "folder" else ():
                match = pattern.match(entry.path)
                if match and match[0] and self.layout.class_of(match[0]) is None:
                    folder = pattern.class_folder(entry.path)
                    if folder not in self.ours:
                        found[folder] = match[0]
        return found

    def _first_above(self, path: str, folders: Mapping[str, str]) -> str | None:
        """The first of some folders that a file lies below."""
        parent = _parent(path)
        if parent not in self.unknown_above:
            above = {parent, *map(str, PurePosixPath(parent).parents)} & folders.keys()
            order: Iterable[str] = folders if len(above) > 1 else above
            self.unknown_above[parent] = next((name for name in order if name in above), None)
        return self.unknown_above[parent]

    def _place(self, path: str, masks: bool = False) -> Placed | None:
        parent, _, name = path.rpartition("/")
        if self.beside_images and is_mask(name, self.layout.mask_name) != masks:
            return None
        place = self.places.get((parent, masks))
        if place is None:
            place = self.places[parent, masks] = self._place_of_folder(parent, masks)
        return Placed(path, *place) if place else None

    def _place_of_folder(self, folder: str, masks: bool) -> tuple[str, ...]:
        """Role, split, label and the rest of the path of a folder; empty where no pattern leads there."""
        for role, pattern in (self.mask_patterns if masks else self.image_patterns).items():
            match = pattern.match(folder)
            label = self.layout.class_of(match[0]) if match and match[0] else ""
            if match and label is not None:
                role_of_file = role or next(iter(self.splits))
                return role_of_file, self.splits[role_of_file], label, match[1]
        return ()

    def _match(self, images: Iterable[Placed], masks: Iterable[Placed]) -> dict[str, str]:
        """Image -> mask, among those of one split, class and subfolder, so far as the masks' folders tell these."""
        masks_of: dict[tuple, list[str]] = defaultdict(list)
        for mask in masks:
            masks_of[self._scope(mask)].append(mask.path)
        images_of: dict[tuple, list[str]] = defaultdict(list)
        for image in images:
            images_of[self._scope(image)].append(image.path)
        matched: dict[str, str] = {}
        for scope, paths in masks_of.items():
            split, label, _ = scope
            where = self.layout.images
            if not uses(where, "{split}") or split:
                where = where.replace("{split}", split)
            if not uses(where, "{class}") or label:
                where = where.replace("{class}", label)
            matched |= match_masks(
                images_of[scope], paths, self.layout.mask_name, self.scan, where or ".", self.key
            )
        return matched

    def _scope(self, file: Placed) -> tuple[str, str, str]:
        masks = self.layout.masks
        deep = PurePosixPath(masks or "").name == DEEP
        return (
            file.split if uses(masks, "{split}") else "",
            file.label if uses(masks, "{class}") else "",
            file.below if deep else "",
        )

    def _add_images(self, images: list[Placed], mask_of: dict[str, str]) -> None:
        roles, classes = list(self.splits), ["", *self.layout.classes]
        # By class, folder and name, as the eye would list them.
        images.sort(
            key=lambda i: (
                roles.index(i.role),
                classes.index(i.label),
                PurePosixPath(i.path).parent.as_posix(),
                i.name,
            )
        )
        for image in images:
            stem = PurePosixPath(image.below, PurePosixPath(image.path).stem).as_posix()
            slide, within = parse_group(stem, self.layout.group_pattern)
            parts = (image.split, image.label, image.below, image.name)
            self.scan.images.append(
                FoundImage(
                    id="/".join(part for part in parts if part),
                    path=image.path,
                    split=image.role,
                    label=image.label,
                    mask=mask_of.get(image.path, ""),
                    slide=slide,
                    field=within,
                )
            )

    def _tell_of_class(self, folder: str, name: str, files: list[str]) -> None:
        remedy = self.layout.remedy_of(name, self.key)
        self.scan.problems.append(
            Problem(
                "unknown_class_folder",
                folder,
                f"is no class of the config: {remedy}",
                len(files),
            )
        )
        self.scan.left_out |= dict.fromkeys(files, "unknown_class_folder")

    def _tell_of_ignored(self, foreign: list[str], elsewhere: list[str]) -> None:
        by_folder: dict[tuple[str, str], list[str]] = defaultdict(list)
        for path in foreign:
            by_folder[_parent(path), "foreign"].append(path)
        for path in elsewhere:
            inside = self._class_folder_above(path)
            by_folder[inside or _parent(path), "inside" if inside else "elsewhere"].append(path)
        pattern = self.layout.images
        deeper = f"{pattern}/{DEEP}" if pattern else DEEP
        details = {
            "foreign": "is of a format that is not read: save it as PNG, JPEG or TIFF, or move it away",
            "inside": f"lies in a subfolder, which is not read: set {self.key}.images to '{deeper}', or move it away",
            "elsewhere": f"lies where {self.key}.images ('{pattern}') does not lead: change that, or move it away",
        }
        for (_, why), files in sorted(by_folder.items()):
            self.scan.tell("ignored_image", files, details[why])

    def _class_folder_above(self, path: str) -> str:
        """The folder of images that a file lies in a subfolder of; '' for none."""
        for folder in PurePosixPath(path).parents:
            text = "" if folder.as_posix() == "." else folder.as_posix()
            for pattern in self.image_patterns.values():
                match = pattern.match(text)
                if match and (not match[0] or self.layout.class_of(match[0]) is not None):
                    return text or "."
        return ""

    def _tell_of_empty_classes(self) -> None:
        filled = {(image.split, image.label) for image in self.scan.images}
        for role, split in self.splits.items():
            pattern = FolderPattern.of(self.layout.images, split)
            some = any(image.split == role for image in self.scan.images)
            for label in self.layout.classes if pattern.place is not None else ("",):
                if (role, label) not in filled and not self.external:
                    where = pattern.folder(label)
                    self.scan.problems.append(empty_class(role, label, some, where, where))


def empty_class(role: str, label: str, some: bool, path: str, where: str) -> Problem:
    """The problem of a class, or a whole split, that holds no image.

    Args:
        some: whether other classes of that role have some.
        where: where its images would lie, in words.
    """
    if role == "test" and label and some:
        return Problem(
            "class_without_test_images",
            path,
            f"holds no test image of {label}: put some into {where}, or set problems.class_without_test_images to "
            "warn to go on without",
        )
    return Problem(
        "empty_class",
        path,
        f"holds no {role} image{f' of {label}' if label else ''}: put some into {where}, or take the "
        f"{'class' if label else 'role'} out of the config",
    )


def _parent(path: str) -> str:
    return PurePosixPath(path).parent.as_posix()
