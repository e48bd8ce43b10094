"""Copies that the audit found, in sentences.

All functions take rows of the table of check_leakage (``audit/judgement.py``), or of the same columns; what the config
ignores is left out.
"""

from collections.abc import Iterable, Mapping, Sequence

from fewlabels.audit.judgement import SETS, within
from fewlabels.audit.leakage import COPY_KINDS

#: Kind -> what one image has in the other set.
COPY_OF = {
    "bytes": "the same file",
    "pixels": "the same pixels",
    "near_duplicates": "a near duplicate",
}

Row = Mapping[str, str]


def copies_in_training(table: Iterable[Row]) -> list[str]:
    """A sentence for each test set and set of training or pretraining images that has copies of its images."""
    return [
        f"{counted(rows)} of {images} test images of `{second}` {'has' if counted(rows) == 1 else 'have'} "
        f"{_what(rows)} in `{first}` {split}: what they show is memory, not skill."
        for (first, split, second, _), rows in _copies(table)
        if rows[0]["test"] == "true" and not within(rows[0])
        for images in [rows[0]["images"]]
    ]


def copies_among_tests(table: Iterable[Row]) -> list[str]:
    """A sentence for each test set with copies among its own images."""
    return [
        f"{counted(rows)} of {rows[0]['images']} test images of `{second}` "
        f"{'is a copy' if counted(rows) == 1 else 'are copies'} of others among them ({_by_kind(rows)}): "
        "intervals take them as independent and are too narrow."
        for (_, _, second, _), rows in _copies(table)
        if rows[0]["test"] == "true" and within(rows[0])
    ]


def other_copies(table: Iterable[Row]) -> list[str]:
    """A sentence for each further pair of sets, none of test images, that share pictures."""
    lines = []
    for (first, first_split, second, split), rows in _copies(table):
        if rows[0]["test"] == "true":
            continue
        where = "others among them" if within(rows[0]) else f"images of `{first}` {first_split}"
        lines.append(
            f"{counted(rows)} of {rows[0]['images']} {split} images of `{second}` "
            f"{'is a copy' if counted(rows) == 1 else 'are copies'} of {where} ({_by_kind(rows)})."
        )
    return lines


def counted(rows: Iterable[Row]) -> int:
    """How many images of the second set have a copy in the first, of any kind."""
    return sum(int(row["count"]) for row in rows)


def _copies(table: Iterable[Row]) -> list[tuple[tuple[str, ...], Sequence[Row]]]:
    """Sets of a comparison -> its rows about copies, in the table's order."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in table:
        if row["kind"] in COPY_KINDS and row["consequence"] != "ignore":
            found.setdefault(tuple(row[key] for key in SETS), []).append(row)
    return list(found.items())


def _what(rows: Sequence[Row]) -> str:
    """What images have in the other set: one kind by its name, several as copies."""
    return COPY_OF[rows[0]["kind"]] if len(rows) == 1 else f"a copy ({_by_kind(rows)})"


def _by_kind(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row['count']} {COPY_OF[row['kind']].split(' ', 1)[1]}" for row in rows)
