"""What two sets of images share that they must not: pictures, slides, microscope fields."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fewlabels.audit.duplicates import Thumbnails, near_duplicates

#: Kind -> what it is called in words, most certain first. A pair of images is listed under its first kind.
KINDS = {
    "bytes": "same file",
    "pixels": "same pixels",
    "near_duplicates": "near duplicate",
    "slide": "same slide",
    "field": "same microscope field",
}
GROUP_KINDS = ("slide", "field")
COPY_KINDS = tuple(kind for kind in KINDS if kind not in GROUP_KINDS)
COLUMNS = [
    *("kind", "first_dataset", "first_split", "first_id", "first_label"),
    *("second_dataset", "second_split", "second_id", "second_label"),
    *("distance", "correlation", "view", "group", "first_images", "second_images"),
]
#: Of the table of comparisons: how many images each part has, whether the second holds test images, and by kind how
#: many of its images have a copy in the first, how many slides and fields both have images of.
COMPARED_COLUMNS = [
    *("first_dataset", "first_split", "first_images"),
    *("second_dataset", "second_split", "second_images", "test", *KINDS),
]
#: The order in which parts of a data set are compared: the later one is the one to keep clean.
SPLITS = ("train", "validation", "test")

Row = dict[str, str]


def grouped_name(target: str) -> str:
    """Name of the target split anew by slide, as a data set of its own."""
    return f"{target}_grouped"


@dataclass(frozen=True, eq=False)
class Part:
    """One split of one data set: rows of its index and their thumbnails, in one order.

    Attributes:
        names: whose naming of slides this is; slides of different naming are not compared.
    """

    dataset: str
    split: str
    rows: Sequence[Row]
    thumbnails: Thumbnails
    names: str

    @property
    def title(self) -> str:
        return f"{self.dataset} {self.split}"


def comparisons(
    parts: Sequence[Part], external: Sequence[str], target: str
) -> list[tuple[Part, Part]]:
    """Which parts are compared with which: the second of a pair is the one that must be unseen.

    The splits of each data set with each other; the pretraining sets with the test images of the target, and these sets
    and the target's training images with the external test sets. With themselves: the target's training images, because
    validation images are drawn from them, and all test images, because intervals take them as independent.
    """
    ordered = sorted(parts, key=lambda part: SPLITS.index(part.split))
    pairs = [
        (first, second)
        for dataset in dict.fromkeys(part.dataset for part in parts)
        for first, second in combinations([p for p in ordered if p.dataset == dataset], 2)
    ]
    pairs += [
        (part, part)
        for part in parts
        if (part.dataset, part.split) == (target, "train") or holds_tests(part, external)
    ]
    own = (target, grouped_name(target))
    tests = [p for p in parts if p.dataset in external or (p.dataset in own and p.split == "test")]
    for test in tests:
        pairs += [
            (part, test)
            for part in parts
            if part not in tests and not (test.dataset in own and part.dataset in own)
        ]
    return pairs


def holds_tests(part: Part, external: Sequence[str]) -> bool:
    """Whether results are told on the images of a part."""
    return part.split == "test" or part.dataset in external


def comparison_row(
    first: Part, second: Part, found: Sequence[Mapping], external: Sequence[str]
) -> dict:
    """One comparison in numbers, as a row of ``COMPARED_COLUMNS``; ``found``: rows of :func:`compare`."""
    return {
        **{"first_dataset": first.dataset, "first_split": first.split},
        **{"second_dataset": second.dataset, "second_split": second.split},
        **{"first_images": len(first.rows), "second_images": len(second.rows)},
        "test": "true" if holds_tests(second, external) else "false",
        **{kind: sum(row["kind"] == kind for row in found) for kind in KINDS},
    }


def compare(first: Part, second: Part, distance: int, correlation: float) -> list[dict]:
    """What two parts share, as rows of ``COLUMNS``.

    One row for each image of the second part that has a copy in the first (its best match), and one for each slide and
    field that lies in both. A part compared with itself: each image with those before it, and no slides.
    """
    sets = {
        "first_dataset": first.dataset,
        "first_split": first.split,
        "second_dataset": second.dataset,
        "second_split": second.split,
    }
    found: dict[int, dict] = {}
    for kind, column in (("bytes", "file_sha256"), ("pixels", "pixel_sha256")):
        for one, other in _equal(first, second, column):
            found.setdefault(other, {"kind": kind, "first": one, "distance": 0})
    # Of many equal files, each is like all others: not looked for again.
    unlike = np.ones(len(second.rows), dtype=bool)
    unlike[list(found)] = False
    thumbnails = first.thumbnails, second.thumbnails
    for match in near_duplicates(*thumbnails, distance, correlation, unlike):
        found[match.second] = {
            "kind": "near_duplicates",
            "first": match.first,
            "distance": match.distance,
            "correlation": match.correlation,
            "view": match.view,
        }
    rows = []
    for other in sorted(found):
        pair = found[other]
        one = first.rows[pair.pop("first")]
        same = second.rows[other]
        rows.append(
            sets
            | {"first_id": one["id"], "first_label": one["label"]}
            | {"second_id": same["id"], "second_label": same["label"]}
            | pair
        )
    rows.sort(key=lambda row: list(KINDS).index(row["kind"]))
    return rows + [
        sets | row for kind in GROUP_KINDS for row in _shared_groups(first, second, kind)
    ]


def _equal(first: Part, second: Part, column: str) -> list[tuple[int, int]]:
    """Places (first, second) of images with the same hash, one pair per image of the second part."""
    place_of: dict[str, int] = {}
    for place, row in enumerate(first.rows):
        place_of.setdefault(row[column], place)
    pairs = [
        (place_of[row[column]], place)
        for place, row in enumerate(second.rows)
        if row[column] in place_of
    ]
    return [(one, other) for one, other in pairs if first is not second or one < other]


def _shared_groups(first: Part, second: Part, kind: str) -> list[dict]:
    if first is second or first.names != second.names:
        return []
    ones = Counter(row[kind] for row in first.rows if row[kind])
    others = Counter(row[kind] for row in second.rows if row[kind])
    return [
        {"kind": kind, "group": name, "first_images": ones[name], "second_images": others[name]}
        for name in sorted(ones.keys() & others.keys())
    ]
