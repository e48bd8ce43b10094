"""What the config says of what the audit found: what stops the run, and in which words."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fewlabels.audit.leakage import GROUP_KINDS, KINDS

SETS = ["first_dataset", "first_split", "second_dataset", "second_split"]
#: Of the table of check_leakage: ``count`` of the ``images`` of the second set have a copy in the first (slide, field:
#: so many slides, fields are in both); ``test``: whether these are test images.
COLUMNS = ["kind", *SETS, "count", "images", "test", "consequence"]

Row = Mapping[str, str]
AnyRow = TypeVar("AnyRow", bound=Mapping[str, Any])


def within(row: Row) -> bool:
    """Whether a finding lies within one split: these are never an error."""
    return (row["first_dataset"], row["first_split"]) == (
        row["second_dataset"],
        row["second_split"],
    )


def copies_to_look_at(rows: Iterable[AnyRow], most: int) -> list[AnyRow]:
    """The first pairs of images: across sets first, copies within training images last, as these are no leak."""
    copies = (row for row in rows if row.get("first_id"))
    return sorted(copies, key=lambda row: (within(row), row["second_split"] == "train"))[:most]


def consequence(row: Row, policy: Mapping[str, str]) -> str:
    """error, warn or ignore: what the config says of a finding; ``policy``: kind -> one of these."""
    chosen = policy[row["kind"]]
    return "warn" if within(row) and chosen == "error" else chosen


def judged(
    compared: Sequence[Row], policy: Mapping[str, str], crowded: Sequence[tuple[str, str]] = ()
) -> list[dict[str, str]]:
    """Rows of ``COLUMNS``, one for each kind that a comparison found.

    Args:
        compared: rows of the table of comparisons.
        crowded: data sets and splits with too many near duplicates (:func:`crowded_tests`): these are errors.
    """
    table = []
    for pair in compared:
        for kind in KINDS:
            if not int(pair[kind]):
                continue
            row = {"kind": kind, **{key: pair[key] for key in SETS}}
            row |= {"count": pair[kind], "images": pair["second_images"], "test": pair["test"]}
            row["consequence"] = consequence(row, policy)
            place = (row["second_dataset"], row["second_split"])
            if kind == "near_duplicates" and place in crowded and not within(row):
                row["consequence"] = "error"
            table.append(row)
    return table


def crowded_tests(
    compared: Sequence[Row], pairs: Sequence[Row], most: float
) -> dict[tuple[str, str], int]:
    """Test sets (data set, split) of which more than a share have near duplicates elsewhere -> how many have.

    An image counts once, in however many sets its near duplicates lie.
    """
    images = {
        (row["second_dataset"], row["second_split"]): int(row["second_images"])
        for row in compared
        if row["test"] == "true"
    }
    found: dict[tuple[str, str], set[str]] = {place: set() for place in images}
    for row in pairs:
        place = (row["second_dataset"], row["second_split"])
        if row["kind"] == "near_duplicates" and place in found and not within(row):
            found[place].add(row["second_id"])
    return {place: len(ids) for place, ids in found.items() if len(ids) > most * images[place]}


def stop_line(
    compared: Sequence[Row],
    pairs: Sequence[Row],
    policy: Mapping[str, str],
    most: float,
    folder: Path,
) -> str | None:
    """Why the run must stop, in one line, or None.

    Args:
        pairs: rows of the table of findings.
        most: share of a test set's images that may have near duplicates where these only warn.
        folder: where the findings lie.
    """
    where = f"see {folder}/pairs.csv and {folder}/thumbnails.png"
    errors = [row for row in pairs if consequence(row, policy) == "error"]
    if errors:
        first = errors[0]
        remedy = "keep its images in one of them" if first["group"] else "remove one of them"
        more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
        return (
            f"leakage: {describe(first)}{more}: {remedy}, "
            f"or set leakage.{first['kind']} to warn; {where}"
        )
    if policy["near_duplicates"] != "warn":
        return None
    for place, count in crowded_tests(compared, pairs, most).items():
        [images] = {
            row["second_images"]
            for row in compared
            if (row["second_dataset"], row["second_split"]) == place
        }
        first = next(
            row
            for row in pairs
            if row["kind"] == "near_duplicates"
            and (row["second_dataset"], row["second_split"]) == place
            and not within(row)
        )
        return (
            f"leakage: {count} of {images} test images of {place[0]} have near duplicates among images that are "
            f"trained or pretrained on, the first: {describe(first)}: remove them from one of the sets, or, if they "
            f"are no copies, raise leakage.near_duplicate_share (now {most:g}); {where}"
        )
    return None


def describe(row: Row) -> str:
    """One finding in words."""
    first, second = (
        f"{row[f'{side}_dataset']} {row[f'{side}_split']}" for side in ("first", "second")
    )
    if row["kind"] in GROUP_KINDS:
        return f"{KINDS[row['kind']]} in {second} and {first}: {row['group']}"
    return f"{second}: {row['second_id']} is {_copy(row['kind'])} {first}: {row['first_id']}"


def _copy(kind: str) -> str:
    return "a near duplicate of" if kind == "near_duplicates" else f"the {KINDS[kind]} as"
