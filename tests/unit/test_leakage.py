"""What is compared with what, and what a comparison lists."""

import numpy as np
import pytest

from fewlabels.audit.duplicates import Thumbnails
from fewlabels.audit.leakage import (
    COLUMNS,
    COMPARED_COLUMNS,
    Part,
    compare,
    comparison_row,
    comparisons,
)
from fewlabels.reporting.leakage_report import counts_table, leakage_report

GENERATOR = np.random.default_rng(0)
#: Soft patterns, each unlike the others.
PICTURES = np.kron(
    GENERATOR.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8), np.ones((1, 4, 4, 1), np.uint8)
)


def row(name, place, slide="", field="", file=None, pixels=None):
    return {
        "id": name,
        "label": "a",
        "slide": slide,
        "field": field,
        "file_sha256": file or f"f{name}",
        "pixel_sha256": pixels or f"p{name}",
        "place": place,
    }


def part(dataset, split, rows, names=None):
    pictures = PICTURES[[row["place"] for row in rows]]
    return Part(dataset, split, rows, Thumbnails(pictures), names or dataset)


def titles(pairs):
    return {(first.title, second.title) for first, second in pairs}


def test_the_later_split_is_compared_with_the_earlier_and_every_set_with_the_tests():
    parts = [
        part(*names, [row("x", 0)])
        for names in (
            *(
                ("cells", "train"),
                ("cells", "test"),
                ("cells_grouped", "test"),
                ("cells_grouped", "train"),
            ),
            *(("cam16", "test"), ("cam16", "validation"), ("prcc", "train"), ("Ext", "test")),
        )
    ]
    assert titles(comparisons(parts, ["Ext"], "cells")) == {
        ("cells train", "cells test"),
        ("cells train", "cells train"),
        *(
            (f"{part}", f"{part}")
            for part in ("cells test", "cells_grouped test", "cam16 test", "Ext test")
        ),
        ("cells_grouped train", "cells_grouped test"),
        ("cam16 validation", "cam16 test"),
        ("cam16 test", "cells test"),
        ("cam16 validation", "cells test"),
        ("prcc train", "cells test"),
        *(
            (f"{part}", "cells_grouped test")
            for part in ("cam16 test", "cam16 validation", "prcc train")
        ),
        ("cells train", "Ext test"),
        ("cells_grouped train", "Ext test"),
        ("cam16 test", "Ext test"),
        ("cam16 validation", "Ext test"),
        ("prcc train", "Ext test"),
    }


@pytest.fixture
def pair():
    train = part(
        "cells",
        "train",
        [
            row("a", 0, "s1", "s1/1", file="same"),
            row("b", 1, "s1", "s1/2", pixels="same"),
            row("c", 2, "s2", "s2/1"),
            row("d", 3, "s3", "s3/1"),
        ],
    )
    test = part(
        "cells",
        "test",
        [
            row("A", 0, "s1", "s1/1", file="same", pixels="pa"),
            row("B", 1, "s2", "s2/9", pixels="same"),
            row("C", 2, "s2", "s2/8"),
            row("D", 7, "s9", "s9/1"),
        ],
    )
    return train, test


def test_an_image_is_listed_once_under_its_most_certain_kind(pair):
    rows = compare(*pair, distance=6, correlation=0.96)
    copies = [(r["kind"], r["first_id"], r["second_id"]) for r in rows if "first_id" in r]
    assert copies == [("bytes", "a", "A"), ("pixels", "b", "B"), ("near_duplicates", "c", "C")]
    assert rows[2]["correlation"] == pytest.approx(1)
    assert all(set(r) <= set(COLUMNS) for r in rows)


def test_slides_and_fields_have_one_row_each_with_counts(pair):
    rows = compare(*pair, distance=6, correlation=0.96)
    groups = [
        (r["kind"], r["group"], r["first_images"], r["second_images"])
        for r in rows
        if r["kind"] in ("slide", "field")
    ]
    assert groups == [("slide", "s1", 2, 1), ("slide", "s2", 1, 2), ("field", "s1/1", 1, 1)]


def test_slides_of_other_naming_are_not_compared(pair):
    train, test = pair
    other = Part("prcc", "train", train.rows, train.thumbnails, "prcc")
    kinds = [r["kind"] for r in compare(other, test, 6, 0.96)]
    assert kinds == ["bytes", "pixels", "near_duplicates"]


def test_within_one_part_each_copy_is_listed_once_and_no_slides():
    rows = [row("a", 0, "s", file="x"), row("b", 1, "s"), row("c", 0, "s", file="x"), row("d", 1)]
    train = part("cells", "train", rows)
    found = [(r["kind"], r["first_id"], r["second_id"]) for r in compare(train, train, 6, 0.96)]
    assert found == [("bytes", "a", "c"), ("near_duplicates", "b", "d")]


def test_a_comparison_in_numbers(pair):
    train, test = pair
    numbers = comparison_row(train, test, compare(*pair, 6, 0.96), [])
    assert set(numbers) == set(COMPARED_COLUMNS)
    assert [numbers[kind] for kind in ("bytes", "pixels", "near_duplicates")] == [1, 1, 1]
    assert (numbers["slide"], numbers["field"]) == (2, 1)
    assert (numbers["first_images"], numbers["second_images"], numbers["test"]) == (4, 4, "true")
    assert comparison_row(train, train, [], [])["test"] == "false"
    # All images of an external set are tested on, whatever its splits are called.
    assert comparison_row(train, train, [], ["cells"])["test"] == "true"


def test_the_table_counts_images_of_the_second_part(pair):
    table = counts_table([pair], compare(*pair, 6, 0.96))
    # s1 and s2 hold three of the four test images, field s1/1 one.
    assert "| cells test in cells train | 4 | 1 | 1 | 1 | 3 (75 %) on 2 | 1 (25 %) on 1 |" in table


def test_the_report_names_thresholds_and_blank_images(pair):
    train, test = pair
    blank = Part("x", "test", test.rows[:1], Thumbnails(np.zeros_like(PICTURES[:1])), "x")
    found = compare(*pair, 6, 0.96)
    text = leakage_report([pair], found, [comparison_row(*pair, found, [])], 6, 0.96)
    several = "- **3 of 4 test images of `cells` have a copy (1 same file, 1 same pixels, 1 near duplicate) in `cells`"
    assert several in text
    assert "at most 6 bits apart" in text
    assert "correlate by at least 0.96." in text
    assert "Nearly blank" not in text
    # A part that is compared twice counts once.
    text = leakage_report([(train, blank), (test, blank)], [], [], 6, 0.96)
    assert "**" not in text
    assert "compared by bytes and pixels alone: 1." in text
