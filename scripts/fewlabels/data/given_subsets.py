"""Subsets that were given as folders: which images of the full set they name, and whether they are the same."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from math import ceil
from pathlib import Path

from fewlabels.core.errors import UserError
from fewlabels.core.files import sha256_of_file
from fewlabels.core.fractions import fraction_text, images_of
from fewlabels.data.found_images import FoundImage, Problem, Scan, plain_name
from fewlabels.data.images import UnusableImageError, read_image
from fewlabels.data.judgement import judge, stopping_line

Row = dict[str, str]
#: A given subset may hold so much more or less than its share of the images.
SHARE_TOLERANCE = 0.1


def match_given(index: Sequence[Row], scan: Scan, folder: Path) -> tuple[list[Row], list[Problem]]:
    """Rows ``id, label, mask`` of the training images that a given folder names, by class and file name.

    Returns:
        The rows, sorted by id, and what is wrong: the scan's own problems (but for classes that a subset may lack), and
        files that are unlike those of the same name in the full set.

    Raises:
        UserError: a file's class and name are no training image's.
    """
    known = {plain_name(row["id"]): row for row in index if row["split"] == "train"}
    tests = _by_content(row for row in index if row["split"] == "test")
    problems = [
        p for p in scan.problems if p.kind not in ("empty_class", "class_without_test_images")
    ]
    subset = []
    for image in scan.images:
        row = known.get(plain_name(image.id))
        if row is None:
            raise UserError(
                f"{folder / image.path}: no image of that class and name in the full training set: "
                "remove it, or set subsets.source to drawn"
            )
        problem = _unlike(image, row, tests, folder)
        if problem is None and image.mask:
            problem = _mask_unlike(image, row, folder)
        problems += [problem] if problem else []
        uses_mask = bool(image.mask and row["mask"])
        subset.append({"id": row["id"], "label": row["label"], "mask": str(int(uses_mask))})
    return sorted(subset, key=lambda row: row["id"]), problems


def _by_content(rows: Iterable[Row]) -> dict[str, str]:
    """Hash of bytes or pixels -> id."""
    return {row[name]: row["id"] for row in rows for name in ("file_sha256", "pixel_sha256")}


def _unlike(image: FoundImage, row: Row, tests: Mapping[str, str], folder: Path) -> Problem | None:
    """The problem of an image that is not the picture of its name in the full set."""
    content = sha256_of_file(folder / image.path)
    if content == row["file_sha256"]:
        return None
    try:
        pixels = read_image(folder / image.path, float("inf")).pixel_sha256
    except UnusableImageError as error:
        return Problem("given_differs", image.path, f"{error}: copy it anew from the full set")
    if pixels and pixels == row["pixel_sha256"]:
        return None
    test = tests.get(content) or tests.get(pixels)
    what = (
        f"is the test image {test}"
        if test
        else f"is another picture than {row['path']} of the full set"
    )
    return Problem(
        "given_differs",
        image.path,
        f"{what}: copy the right one there, or set subsets.source to drawn",
    )


def _mask_unlike(image: FoundImage, row: Row, folder: Path) -> Problem | None:
    if not row["mask_sha256"]:
        return Problem(
            "given_mask",
            image.mask,
            f"is a mask of {row['id']}, which has none in the full set: add it there, or set problems.given_mask "
            "to warn",
        )
    if sha256_of_file(folder / image.mask) == row["mask_sha256"]:
        return None
    return Problem(
        "given_differs",
        image.mask,
        f"is another mask than that of {row['path']} in the full set: copy the right one there",
    )


def share_problems(train: Sequence[Row], subset: Sequence[Row], fraction: str) -> list[Problem]:
    """The problem of a subset that is larger or smaller than its name says, if it is."""
    counts = Counter(row["label"] for row in train).values()
    expected = sum(images_of(fraction, count) for count in counts)
    # Shares of the classes may have been rounded up or down.
    least = expected * (1 - SHARE_TOLERANCE)
    rounded_up = sum(ceil(Fraction(fraction) * count / 100) for count in counts)
    most = rounded_up * (1 + SHARE_TOLERANCE)
    if least <= len(subset) <= most:
        return []
    share = 100 * len(subset) / len(train)
    detail = (
        f"holds {len(subset)} of {len(train)} training images ({share:.3g} %) where {fraction_text(fraction)} "
        f"are {expected}: name the right folder in subsets.given.{fraction}, or set problems.given_share to warn"
    )
    return [Problem("given_share", ".", detail)]


def require_settled(problems: Sequence[Problem], policy: Mapping[str, str], folder: Path) -> None:
    """Stop on the first problem that the config stops on; log the others.

    Raises:
        UserError: a problem stops.
    """
    rows = judge(str(folder), [asdict(problem) for problem in problems], policy)
    line = stopping_line(rows)
    if line is not None:
        raise UserError(line)
    for row in rows:
        kind = row["kind"].replace("_", " ")
        logging.info("warning: %s: %s: %s %s", folder, kind, row["path"], row["detail"])
