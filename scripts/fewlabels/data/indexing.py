"""From the files of a data set to its index: each is decoded, and what its values mean is decided for the whole set."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from fewlabels.data.found_images import FoundImage, Problem, Scan
from fewlabels.data.images import (
    DamagedImageError,
    ImageFile,
    UnusableImageError,
    read_deep_image,
    read_image,
)
from fewlabels.data.intensities import Intensities, UnclearIntensitiesError, decide_intensities
from fewlabels.data.layouts import Layout
from fewlabels.data.mask_reading import MaskReading, UnclearMasksError, decide_masks
from fewlabels.data.masks import MaskFile, foreground_share, read_mask, turn_of, upright_size

#: A mask with less foreground, or less background, than this share counts as empty, or full, when a class is judged.
ALIKE = 0.005

Progress = Callable[[Iterable, int, str], Iterable]


@dataclass
class Examined:
    """One image and what its files hold."""

    image: FoundImage
    file: ImageFile | None = None
    mask: MaskFile | None = None
    problems: list[Problem] = field(default_factory=list)


@dataclass
class Indexed:
    """A data set, indexed.

    Attributes:
        rows: of the index, one per usable image.
        problems: in no particular order.
        left_out: path -> reason, of every file that the rows don't name.
        masks, intensities: how they are read; None where there is nothing to read so.
    """

    rows: list[dict]
    problems: list[Problem]
    left_out: dict[str, str]
    masks: MaskReading | None
    intensities: Intensities | None


def why_unusable(path: Path, error: Exception) -> str:
    """What is wrong with a file, as words that go on after its path."""
    if path.is_symlink() and not path.exists():
        return f"is a link to {os.readlink(path)}, which does not exist"
    return str(error)


def examine(image: FoundImage, root: Path, max_megapixels: float) -> Examined:
    """Decode one image and its mask."""
    found = Examined(image)
    remedy = "replace or remove it"
    try:
        found.file = read_image(root / image.path, max_megapixels)
    except UnusableImageError as error:
        kind = "damaged_image" if isinstance(error, DamagedImageError) else "undecodable_image"
        detail = f"{why_unusable(root / image.path, error)}: {remedy}"
        found.problems.append(Problem(kind, image.path, detail))
        return found
    if found.file.channels_in_pages:
        detail = "holds its colours as pages, which are not read: save it as one RGB picture"
        found.problems.append(Problem("undecodable_image", image.path, detail))
        found.file = None
        return found
    if found.file.pages > 1:
        found.problems.append(
            Problem(
                "unread_pages",
                image.path,
                f"has {found.file.pages} pages, of which the first alone is read: save each image in a file of its "
                "own, or set problems.unread_pages to warn",
            )
        )
    if image.mask:
        try:
            found.mask = read_mask(root / image.mask, max_megapixels)
        except UnusableImageError as error:
            detail = f"{why_unusable(root / image.mask, error)}: {remedy}"
            found.problems.append(Problem("undecodable_mask", image.mask, detail))
    return found


def index_dataset(
    root: Path,
    layout: Layout,
    scan: Scan,
    max_megapixels: float,
    threads: int,
    key: str,
    progress: Progress,
) -> Indexed:
    """Decode what a scan found, decide how its values are read, and list what is usable.

    Args:
        key: of the data set's section in the config, for messages.
        progress: shows how far an iteration is, given it, its length and a word.
    """
    work = partial(examine, root=root, max_megapixels=max_megapixels)
    with ThreadPoolExecutor(threads) as pool:
        # Pillow and hashlib let other threads run while they decode and hash.
        images = list(progress(pool.map(work, scan.images), len(scan.images), "decode"))
        problems = [*scan.problems, *(problem for found in images for problem in found.problems)]
        left_out = dict(scan.left_out)
        for found in images:
            if found.file is None:
                left_out[found.image.path] = found.problems[0].kind
            if found.image.mask and found.mask is None:
                left_out[found.image.mask] = "undecodable_mask" if found.file else "mask_of_unused"
        usable = [found for found in images if found.file is not None]
        intensities = _read_deep(usable, root, layout, max_megapixels, pool, problems, key)
    for kind, details in (
        ("mask_among_images", partial(_masks_among, key=key)),
        ("label_conflict", _conflicts),
    ):
        usable = _without(usable, details(usable), kind, problems, left_out)
    problems += [
        Problem(
            "blank_image",
            found.image.path,
            f"comes out {found.file.blank}: replace or remove it, see to {key}.white_level if it has more than 8 "
            "bits, or set problems.blank_image to warn",
        )
        for found in usable
        if found.file and found.file.blank
    ]
    reading = _decide_masks(usable, layout, problems, key)
    rows = [_row(found, layout, reading, problems, left_out, key) for found in usable]
    problems += _alike(rows, reading, key)
    return Indexed(rows, problems, left_out, reading, intensities)


def _read_deep(
    usable: list[Examined],
    root: Path,
    layout: Layout,
    max_megapixels: float,
    pool: ThreadPoolExecutor,
    problems: list[Problem],
    key: str,
) -> Intensities | None:
    """Scale images of more than 8 bits by one rule for the whole set, and say which."""
    deep = [found for found in usable if found.file and found.file.deep]
    if not deep:
        return None
    ranges = [found.file.deep for found in deep if found.file and found.file.deep]
    try:
        intensities = decide_intensities(ranges, layout.white_level)
    except UnclearIntensitiesError as error:
        detail = str(error).replace("datasets.<name>", key)
        problems.append(Problem("unclear_intensities", deep[0].image.path, detail, len(deep)))
        return None

    def again(found: Examined) -> None:
        if found.file:
            path = root / found.image.path
            found.file = read_deep_image(path, found.file, intensities, max_megapixels)

    list(pool.map(again, deep))
    return intensities


def _without(
    usable: list[Examined],
    details: dict[str, str],
    kind: str,
    problems: list[Problem],
    left_out: dict[str, str],
) -> list[Examined]:
    """Leave images out: id -> why."""
    kept = []
    for found in usable:
        if found.image.id not in details:
            kept.append(found)
            continue
        problems.append(Problem(kind, found.image.path, details[found.image.id]))
        left_out[found.image.path] = kind
        if found.mask is not None:
            left_out[found.image.mask] = "mask_of_unused"
    return kept


def _masks_among(usable: Sequence[Examined], key: str) -> dict[str, str]:
    """Images that look like masks, and are called after another image of their folder."""
    stems: dict[str, set[str]] = defaultdict(set)
    for found in usable:
        path = PurePosixPath(found.image.path)
        if found.file and not found.file.mask_like:
            stems[path.parent.as_posix()].add(path.stem)
    details = {}
    for found in usable:
        path = PurePosixPath(found.image.path)
        if not (found.file and found.file.mask_like):
            continue
        near = stems[path.parent.as_posix()]
        parts = (
            part
            for length in range(len(path.stem), 0, -1)
            for part in (path.stem[:length], path.stem[-length:])
        )
        if any(part in near for part in parts):
            details[found.image.id] = (
                "has a few levels of grey and is called after an image: if it is a mask, say where masks lie "
                f"({key}.masks, {key}.mask_name), or move it away"
            )
    return details


def _conflicts(usable: Sequence[Examined]) -> dict[str, str]:
    """Images whose pixels occur under another label, too."""
    by_pixels: dict[str, list[FoundImage]] = defaultdict(list)
    for found in usable:
        if found.file and found.file.pixel_sha256:
            by_pixels[found.file.pixel_sha256].append(found.image)
    details = {}
    for images in by_pixels.values():
        first = images[0]
        second = next((image for image in images if image.label != first.label), None)
        if second is None:
            continue
        for image in images:
            other = second if image.label == first.label else first
            details[image.id] = (
                f"is the same picture as {other.path}, of another class: remove the one that is wrong"
            )
    return details


def _decide_masks(
    usable: Sequence[Examined], layout: Layout, problems: list[Problem], key: str
) -> MaskReading | None:
    files = {found.image.mask: found.mask for found in usable if found.mask is not None}
    if not files:
        return None
    try:
        return decide_masks(files, layout.mask_foreground)
    except UnclearMasksError as error:
        remedy = error.remedy.replace("mask_foreground", f"{key}.mask_foreground", 1)
        problems.append(Problem("unclear_masks", error.path, f"{error.seen}: {remedy}", len(files)))
        return None


def _row(
    found: Examined,
    layout: Layout,
    reading: MaskReading | None,
    problems: list[Problem],
    left_out: dict[str, str],
    key: str,
) -> dict:
    """The row of the index of one usable image."""
    if found.file is None:
        raise ValueError(f"{found.image.path} is not usable")
    row = asdict(found.image) | {
        "width": found.file.width,
        "height": found.file.height,
        "file_sha256": found.file.file_sha256,
        "pixel_sha256": found.file.pixel_sha256,
        "mask": "",
        "mask_sha256": "",
        "mask_foreground": "",
        "mask_turn": "",
    }
    mask = found.mask
    if mask is None:
        return row
    if reading is None:
        left_out[found.image.mask] = "unclear_masks"
        return row
    turn = turn_of(found.file.stored, mask.stored, layout.mask_orientation)
    problem = _misfit(found, turn, key)
    if problem is not None:
        problems.append(problem)
        left_out[found.image.mask] = problem.kind
        return row
    return row | {
        "mask": found.image.mask,
        "mask_sha256": mask.file_sha256,
        "mask_foreground": foreground_share(mask, reading),
        "mask_turn": turn,
    }


def _misfit(found: Examined, turn: int | None, key: str) -> Problem | None:
    """What is wrong with the size or the orientation of a mask."""
    file, mask = found.file, found.mask
    if file is None or mask is None:
        raise ValueError(f"{found.image.path} has no mask")
    if turn is None:
        return Problem(
            "unclear_mask_orientation",
            found.image.mask,
            f"has no EXIF orientation, its image has one ({file.stored.orientation}): set {key}.mask_orientation to "
            "upright if masks were drawn on the turned images, to stored if not",
        )
    width, height = upright_size(mask.stored, turn)
    if (width, height) != (file.width, file.height):
        return Problem(
            "mask_of_another_size",
            found.image.mask,
            f"is {width}x{height} pixels, its image is {file.width}x{file.height}: make them the same size",
        )
    return None


def _alike(rows: Sequence[dict], reading: MaskReading | None, key: str) -> list[Problem]:
    """Classes, or the whole set, whose masks are all empty or all full."""
    shares: dict[str, list[float]] = defaultdict(list)
    first: dict[str, str] = {}
    for row in rows:
        if row["mask"]:
            shares[row["label"]].append(row["mask_foreground"])
            first.setdefault(row["label"], row["mask"])
    if not shares or reading is None:
        return []
    total = [share for found in shares.values() for share in found]
    remedy = f"see to {key}.mask_foreground ({reading.seen})"
    if (what := _all_alike(total)) or (what := _near(sum(total) / len(total))):
        detail = f"and the other masks of the set are {what}: {remedy}, or set problems.masks_all_alike to warn"
        return [Problem("masks_all_alike", next(iter(first.values())), detail, len(total))]
    return [
        Problem(
            "class_masks_all_alike",
            first[label],
            f"and the other masks of {label} are {what}, those of other classes are not: {remedy}",
            len(found),
        )
        for label, found in shares.items()
        if (what := _all_alike(found))
    ]


def _all_alike(shares: Sequence[float]) -> str:
    if max(shares) < ALIKE:
        return "all empty"
    return "all full" if min(shares) > 1 - ALIKE else ""


def _near(mean: float) -> str:
    return "nearly all empty" if mean < ALIKE else "nearly all full" if mean > 1 - ALIKE else ""


def lost_classes(
    images: Iterable[FoundImage], rows: Sequence[dict], layout: Layout
) -> list[Problem]:
    """Classes of a split that have images, none of them usable."""
    usable = {(row["split"], row["label"]) for row in rows}
    folders = {(image.split, image.label): Path(image.path).parent.as_posix() for image in images}
    problems = []
    for (split, label), folder in folders.items():
        if (split, label) in usable:
            continue
        detail = "has no usable image left: replace the undecodable ones"
        if layout.table:
            detail = f"has no usable {split} image of {label or 'any kind'} left: replace the undecodable ones"
        tested = split == "test" and label and any(where == split for where, _ in usable)
        kind = "class_without_test_images" if tested else "empty_class"
        problems.append(Problem(kind, layout.table or folder, detail))
    return problems
