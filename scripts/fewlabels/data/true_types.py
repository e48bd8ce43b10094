"""True types of images without labels, in a table of the user's: clusters are compared with them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fewlabels.core.errors import UserError
from fewlabels.data.image_tables import as_posix, read_rows

COLUMNS = ("id", "type")


def names_of(image: str) -> tuple[str, ...]:
    """What a table may call an image: its path or file name, with or without the ending.

    >>> names_of("a/cell.1.jpg")
    ('a/cell.1.jpg', 'a/cell.1', 'cell.1.jpg', 'cell.1')
    """
    path = PurePosixPath(image)
    return (path.as_posix(), path.with_suffix("").as_posix(), path.name, path.stem)


@dataclass(frozen=True)
class TrueTypes:
    """Types by what the table calls the images."""

    path: Path
    types: Mapping[str, str]

    def of_image(self, image: str) -> str | None:
        """The type of an image, by its id or path; None where the table does not name it."""
        # An index calls an image after its split, too.
        parts = PurePosixPath(image).parts
        tails = ("/".join(parts[place:]) for place in range(len(parts)))
        names = (name for tail in tails for name in names_of(tail))
        return next((self.types[name] for name in names if name in self.types), None)

    def unknown(self, images: Iterable[str]) -> list[str]:
        """The names in the table that are no image's.

        Args:
            images: ids or paths of all images of the data set.

        Raises:
            UserError: none is an image's.
        """
        known: set[str] = set()
        for image in images:
            parts = PurePosixPath(image).parts
            for place in range(len(parts)):
                known.update(names_of("/".join(parts[place:])))
        found = [name for name in self.types if name not in known]
        if len(found) == len(self.types):
            raise UserError(
                f"{self.path} names none of the images (its first id: '{found[0]}'): its ids must be file names"
            )
        return found


def read_true_types(path: Path | str) -> TrueTypes:
    """Read the columns ``id`` and ``type`` of a CSV, written as a table of images may be.

    Raises:
        UserError: the file is missing or unreadable, lacks a column, has no row, or a row without id or type, or gives
            an image two types.
    """
    path = Path(path)
    types: dict[str, str] = {}
    for number, row in read_rows(path, COLUMNS, COLUMNS, key="true_types"):
        name, kind = as_posix(row["id"]), row["type"]
        if not name or not kind:
            missing = "type" if name else "id"
            raise UserError(
                f"{path}: row {number} has no {missing}: fill it in, or take the row out"
            )
        if types.setdefault(name, kind) != kind:
            raise UserError(
                f"{path}: row {number} gives '{name}' the type '{kind}', an earlier one '{types[name]}': keep one"
            )
    if not types:
        raise UserError(
            f"{path} has no rows: list the images and their types, or leave true_types out"
        )
    return TrueTypes(path, types)
