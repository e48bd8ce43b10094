"""Where the images of a data set lie: below a folder by a pattern, or in a table. Nothing is read here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import Field

from fewlabels.core.config_paths import ConfigPath
from fewlabels.core.errors import UserError, did_you_mean, nearest
from fewlabels.core.settings import Label, Section, Share
from fewlabels.data.found_images import plain_name
from fewlabels.data.intensities import WhiteLevel
from fewlabels.data.mask_reading import MaskForeground, MaskOrientation

ROLES = ("train", "validation", "test")
PLACEHOLDERS = ("{split}", "{class}")
GROUPS = ("slide", "field")
STEM, NAME = "{stem}", "{name}"
DEEP = "**"


class Layout(Section):
    """Where the images of a data set lie, what they are labelled with and what they are for."""

    folder: ConfigPath | None = Field(
        None, description="of the images, below data_root or absolute"
    )
    images: str = Field(
        "",
        description="folder of the images below `folder`, with {split} and {class} where they differ, and /** at its "
        "end where they lie in subfolders, too; '': all lie directly in `folder`",
    )
    masks: str | None = Field(None, description="folder of the masks, as `images`; null: none")
    mask_name: str = Field(
        STEM,
        description="name of a mask's file without its ending; {stem}: that of its image; {name}: that of its image "
        "with the ending",
    )
    mask_foreground: MaskForeground = Field(
        "auto",
        description="what is foreground; auto: by the values of all masks of the set; a number: at least that value; "
        "a list: the levels nearest to these; opaque, transparent: by the alpha channel",
    )
    mask_orientation: MaskOrientation = Field(
        "auto",
        description="of masks without EXIF orientation whose image has one; upright: drawn on the turned image; "
        "stored: on the image as the file has it; auto: by the sizes",
    )
    white_level: WhiteLevel = Field(
        "auto",
        description="the value that becomes 255 in images of more than 8 bits; auto: by the values of all of the set",
    )
    table: ConfigPath | None = Field(
        None,
        description="in place of folder, images and masks: a CSV with the columns path, label, split and, "
        "if wanted, mask, slide, field; below data_root or absolute",
    )
    classes: tuple[Label, ...] = Field((), description="in the order of outputs; []: no labels")
    aliases: dict[str, Label] = Field({}, description="other spelling of a class -> class")
    splits: dict[str, Label] = Field(
        {}, description="role (train, validation, test) -> what stands for {split}"
    )
    holdout: Share | None = Field(
        None, description="share of the training images held out as test images"
    )
    group_pattern: str | None = Field(
        None,
        description="regular expression on the file name without its ending, with the groups slide and field",
    )

    def class_of(self, name: str) -> str | None:
        """The class that a name stands for, by itself or as an alias; None for no class of this set."""
        wanted = plain_name(name)
        for label in self.classes:
            if plain_name(label) == wanted:
                return label
        target = next(
            (label for alias, label in self.aliases.items() if plain_name(alias) == wanted), None
        )
        return target if target in self.classes else None

    def remedy_of(self, name: str, key: str) -> str:
        """What to do about a name that is no class, below ``key`` in the config."""
        alike = [label for label in self.classes if label.casefold() == name.casefold()]
        near = alike[0] if alike else nearest(name, self.classes)
        if near:
            return f"did you mean '{near}'? Rename it, or add '{name}: {near}' to {key}.aliases"
        return f"add it to {key}.classes or {key}.aliases, or move it away"


def uses(pattern: str | None, placeholder: str) -> bool:
    """Whether a pattern has a placeholder; that which is no pattern has none."""
    return pattern is not None and placeholder in pattern


def fill_of(text: str, template: str, placeholder: str) -> str | None:
    """What stands for a placeholder, once in a template, in some text; None where the text does not fit.

    >>> fill_of("cell_7_mask", "{stem}_mask", "{stem}")
    'cell_7'
    """
    before, _, after = template.partition(placeholder)
    if not (text.startswith(before) and text.endswith(after)):
        return None
    return text[len(before) : len(text) - len(after)] or None


@dataclass(frozen=True)
class FolderPattern:
    """A pattern of folders whose split is known.

    Attributes:
        parts: of the path, parted by ``/``; {class} stands for a class's name in any of them.
        deep: whether files in subfolders belong to it as well (``**`` at its end).
    """

    parts: tuple[str, ...]
    deep: bool = False

    @classmethod
    def of(cls, pattern: str, split: str) -> "FolderPattern":
        """Fill in {split}."""
        parts = PurePosixPath(pattern.replace("{split}", split)).parts
        deep = parts[-1:] == (DEEP,)
        return cls(parts[:-1] if deep else parts, deep)

    @property
    def place(self) -> int | None:
        """Which part is the first that names the class."""
        return next((n for n, part in enumerate(self.parts) if "{class}" in part), None)

    def match(self, folder: str) -> tuple[str, str] | None:
        """The class's name ('' where no part names one) and the rest of the path of a folder; None where none fits."""
        given = PurePosixPath(folder).parts
        count = len(self.parts)
        if len(given) < count or (len(given) > count and not self.deep):
            return None
        name = ""
        for part, text in zip(self.parts, given, strict=False):
            if "{class}" not in part:
                if plain_name(part) != plain_name(text):
                    return None
                continue
            found = fill_of(text, part, "{class}")
            if found is None or (name and found != name):
                return None
            name = found
        return name, "/".join(given[count:])

    def class_folder(self, folder: str) -> str:
        """The part of a fitting folder's path that ends with its class's name."""
        return "/".join(PurePosixPath(folder).parts[: (self.place or 0) + 1])

    def folder(self, name: str) -> str:
        """The folder of the images of one class, by the name that its folder has."""
        return PurePosixPath(*(part.replace("{class}", name) for part in self.parts)).as_posix()

    def fixed_folders(self) -> set[str]:
        """The folders that the pattern names whatever the class, and those above them."""
        above = PurePosixPath(*self.parts[: self.place])
        return {folder.as_posix() for folder in (above, *above.parents)}


def check_layout(key: str, layout: Layout) -> None:
    """Check a data set's layout as the config gives it, under ``key``; no file is looked at.

    Raises:
        UserError: the first thing that is wrong.
    """
    if layout.table is not None:
        for name in ("folder", "images", "masks"):
            if getattr(layout, name):
                raise UserError(
                    f"key '{key}' has both table and {name}: the table names the files, take {name} out"
                )
    elif layout.folder is None:
        raise UserError(f"key '{key}' has neither folder nor table: say where the images lie")
    check_patterns(key, layout)


def check_patterns(key: str, layout: Layout) -> None:
    """Check what :func:`check_layout` does, but for the place that the images are in.

    Raises:
        UserError: the first thing that is wrong.
    """
    _check_classes(key, layout)
    _check_splits(key, layout)
    if layout.group_pattern is not None:
        _check_groups(f"{key}.group_pattern", layout.group_pattern)
    if layout.table is not None:
        return
    _check_folder_pattern(f"{key}.images", layout.images)
    for placeholder, name, given in (
        ("{class}", "classes", bool(layout.classes)),
        ("{split}", "splits", bool(layout.splits)),
    ):
        if uses(layout.images, placeholder) and not given:
            raise UserError(
                f"key '{key}.images' has {placeholder}, but '{key}.{name}' is empty: "
                f"list the {name}, or take {placeholder} out"
            )
        if given and not uses(layout.images, placeholder):
            raise UserError(
                f"key '{key}.{name}' is set, but '{key}.images' has no {placeholder}: "
                f"put it where the {name} differ, or empty {name}"
            )
    if layout.masks is not None:
        _check_masks(key, layout)


def _check_classes(key: str, layout: Layout) -> None:
    for name in layout.classes:
        if layout.classes.count(name) > 1:
            raise UserError(f"key '{key}.classes' names '{name}' twice: keep one of them")
        if "/" in name or "\\" in name:
            raise UserError(
                f"key '{key}.classes' names '{name}': a class has no / or \\ in its name"
            )


def _check_splits(key: str, layout: Layout) -> None:
    role_of: dict[str, str] = {}
    for role, value in layout.splits.items():
        if role not in ROLES:
            raise UserError(
                f"key '{key}.splits' has the role '{role}': {did_you_mean(role, ROLES)}"
            )
        if value in role_of:
            raise UserError(
                f"key '{key}.splits' gives '{value}' to both {role_of[value]} and {role}: "
                "an image has one role"
            )
        role_of[value] = role
        if layout.table is None:
            _check_folder(f"{key}.splits.{role}", value)
    if layout.holdout is not None and "test" in layout.splits:
        raise UserError(
            f"key '{key}.holdout' is set, but '{key}.splits' has test images already: keep one of them"
        )


def _check_groups(key: str, pattern: str) -> None:
    try:
        groups = set(re.compile(pattern).groupindex)
    except (re.error, OverflowError, RecursionError) as error:
        raise UserError(f"key '{key}' is no regular expression ({error}): mend it") from None
    if not groups or groups - set(GROUPS):
        raise UserError(
            f"key '{key}' must name the groups (?P<slide>...) and, if wanted, (?P<field>...), and no others"
        )


def _check_masks(key: str, layout: Layout) -> None:
    masks = layout.masks or ""
    _check_folder_pattern(f"{key}.masks", masks)
    for placeholder in PLACEHOLDERS:
        if uses(masks, placeholder) and not uses(layout.images, placeholder):
            raise UserError(
                f"key '{key}.masks' has {placeholder}, '{key}.images' has not: take it out, or add it there"
            )
    name = layout.mask_name
    _check_placeholders(f"{key}.mask_name", name, (STEM, NAME))
    if name.count(STEM) + name.count(NAME) != 1 or "/" in name or "\\" in name:
        raise UserError(
            f"key '{key}.mask_name' is '{name}': it is a file name with {STEM} or {NAME} once in it, "
            f"as in '{STEM}_mask'"
        )
    if PurePosixPath(masks) == PurePosixPath(layout.images) and name in (STEM, NAME):
        raise UserError(
            f"key '{key}.mask_name' is '{name}', and masks lie in the images' own folder: "
            f"tell them apart, as by '{STEM}_mask'"
        )


def _check_folder_pattern(key: str, pattern: str) -> None:
    _check_folder(key, pattern)
    _check_placeholders(key, pattern, PLACEHOLDERS)
    if any(DEEP in part for part in PurePosixPath(pattern).parts[:-1]) or (
        "*" in pattern and PurePosixPath(pattern).name != DEEP
    ):
        raise UserError(
            f"key '{key}' is '{pattern}': {DEEP}, for subfolders, stands alone at its end"
        )
    for part in PurePosixPath(pattern).parts:
        for placeholder in PLACEHOLDERS:
            if part.count(placeholder) > 1:
                raise UserError(f"key '{key}' has {placeholder} twice in '{part}': once is enough")


def _check_folder(key: str, folder: str) -> None:
    path = PurePosixPath(folder)
    if path.is_absolute() or ".." in path.parts or "\\" in folder:
        raise UserError(
            f"key '{key}' is '{folder}': it is a folder below the data set's, parted by /"
        )


def _check_placeholders(key: str, pattern: str, known: Sequence[str]) -> None:
    for found in re.findall(r"\{[^{}]*\}", pattern):
        if found not in known:
            raise UserError(
                f"key '{key}' has the unknown placeholder {found}: {did_you_mean(found, known)}"
            )
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", pattern)):
        raise UserError(f"key '{key}' is '{pattern}': a brace has no partner, mend the placeholder")
