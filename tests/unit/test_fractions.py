"""How many labels a run trains on: what the text means, and its order in tables."""

import re

import pytest

from fewlabels.core.errors import UserError
from fewlabels.core.fractions import (
    PATTERN,
    by_size,
    check_fraction,
    fraction_text,
    holding_all,
    images_of,
    masks_of,
    of_labels,
    per_cent_labels,
    per_class_labels,
    per_class_of,
    priority_of,
    share_of,
)


def test_numbers_as_in_file_names():
    shares = [100, 50.0, 0.5, 0.1, 1, 33.3, 0.01]
    assert per_cent_labels(shares) == ["100", "50", "0.5", "0.1", "1", "33.3", "0.01"]
    assert per_class_labels([50, 1]) == ["50perclass", "1perclass"]


@pytest.mark.parametrize(
    "fraction", ["100", "10", "0.5", "0.01", "33.3", "1perclass", "50perclass"]
)
def test_fractions(fraction):
    check_fraction(fraction)
    assert re.fullmatch(PATTERN, fraction)


@pytest.mark.parametrize(
    "fraction",
    [
        *("0", "0.0", "100.5", "101", "-3", "1e1", "nan", "", "10%", " 5", "1/2"),
        *(
            "0perclass",
            "-1perclass",
            "1.5perclass",
            "5PerClass",
            "5perclasses",
            "perclass",
            "05perclass",
        ),
    ],
)
def test_what_is_no_fraction_is_refused(fraction):
    with pytest.raises(UserError, match=f"^{re.escape(fraction)}: must lie in \\(0, 100\\]"):
        check_fraction(fraction)


def test_words():
    assert [fraction_text("10"), fraction_text("10perclass")] == ["10 %", "10 per class"]
    assert of_labels("0.5") == "0.5 % of labels"
    assert [of_labels("1perclass"), of_labels("11perclass")] == [
        "1 label per class",
        "11 labels per class",
    ]


def test_the_order_of_tables():
    mixed = ["9perclass", "0.5", "10", "10perclass", "100", "9", "10", "2perclass"]
    assert by_size(mixed) == ["100", "10", "9", "0.5", "10perclass", "9perclass", "2perclass"]
    assert by_size([]) == []


@pytest.mark.parametrize(
    ("fractions", "largest"),
    [
        (["1", "10", "9"], ["10"]),
        (["2perclass", "10perclass", "9perclass"], ["10perclass"]),
        (["1", "10perclass", "9", "2perclass"], ["9", "10perclass"]),
        (["5", "5perclass"], ["5", "5perclass"]),
    ],
)
def test_the_largest_of_each_kind_hold_all(fractions, largest):
    assert holding_all(fractions) == largest


def test_runs_with_more_images_go_first():
    mixed = ["100", "10", "1", "50perclass", "5perclass", "1perclass"]
    priorities = [priority_of(fraction) for fraction in mixed]
    assert priorities == sorted(set(priorities), reverse=True)
    assert priorities[0] == 100
    assert priorities[-1] > 0  # that of what only reads results


def test_numbers_per_class():
    assert [per_class_of("12perclass"), per_class_of("12")] == [12, None]


@pytest.mark.parametrize(
    ("fraction", "count", "share"),
    [
        ("50", 5, 2),
        ("100", 7, 7),
        ("0.1", 999, 0),
        ("0.1", 1000, 1),
        ("33.3", 3, 0),
        # In floating point 0.57 * 10000 / 100 = 56.99999...
        ("0.57", 10000, 57),
        ("0", 10, 0),
    ],
)
def test_shares_are_exact_and_rounded_down(fraction, count, share):
    assert share_of(fraction, count) == share


@pytest.mark.parametrize(
    ("fraction", "images", "masks", "expected"),
    [
        ("10", 618, 61, (61, 6)),
        ("0.1", 618, 618, (1, 0)),
        ("100", 7, 3, (7, 3)),
        ("5perclass", 618, 61, (5, 0)),
        ("11perclass", 618, 61, (11, 1)),  # 11 * 61 / 618 = 1.09
        ("5perclass", 5, 3, (5, 3)),
        ("9perclass", 5, 3, (5, 3)),
        ("1perclass", 4, 4, (1, 1)),
        ("3perclass", 4, 3, (3, 2)),
    ],
)
def test_images_and_masks_of_a_class(fraction, images, masks, expected):
    assert (images_of(fraction, images), masks_of(fraction, images, masks)) == expected
