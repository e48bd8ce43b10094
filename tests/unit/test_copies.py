"""Copies that the audit found, in sentences: what stands above the table and in its notes."""

import pytest

from fewlabels.reporting.copies import copies_among_tests, copies_in_training, other_copies

ACROSS = ("wbc", "train", "wbc", "test")


def row(kind, count, sets=ACROSS, images=20, test="true", consequence="warn"):
    keys = ("first_dataset", "first_split", "second_dataset", "second_split")
    numbers = {"count": str(count), "images": str(images), "test": test}
    return {"kind": kind, **dict(zip(keys, sets, strict=True)), **numbers} | {
        "consequence": consequence
    }


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [row("near_duplicates", 20)],
            "20 of 20 test images of `wbc` have a near duplicate in `wbc` train: ",
        ),
        ([row("bytes", 1)], "1 of 20 test images of `wbc` has the same file in `wbc` train: "),
        (
            [row("pixels", 2), row("near_duplicates", 3)],
            "5 of 20 test images of `wbc` have a copy (2 same pixels, 3 near duplicate) in `wbc` train: ",
        ),
    ],
)
def test_test_images_with_copies_in_training(rows, words):
    [line] = copies_in_training(rows)
    assert line.startswith(words)
    assert copies_among_tests(rows) == other_copies(rows) == []


def test_each_set_with_copies_has_its_own_sentence_also_what_stops():
    rows = [
        row("bytes", 1, consequence="error"),
        row("bytes", 2, ("prcc", "train", "wbc", "test")),
        row("bytes", 3, ("wbc", "train", "TestA", "test"), images=50),
    ]
    first, second, third = copies_in_training(rows)
    assert "`wbc` has the same file in `wbc` train" in first
    assert "in `prcc` train" in second
    assert third.startswith("3 of 50 test images of `TestA` have")


def test_copies_among_test_images():
    sets = ("wbc", "test", "wbc", "test")
    rows = [row("bytes", 5, sets, 200), row("near_duplicates", 2, sets, 200)]
    assert copies_among_tests(rows) == [
        "7 of 200 test images of `wbc` are copies of others among them (5 same file, 2 near duplicate): "
        "intervals take them as independent and are too narrow."
    ]
    assert copies_in_training(rows) == other_copies(rows) == []


def test_copies_that_touch_no_test_image():
    rows = [
        row("bytes", 1, ("wbc", "train", "wbc", "train"), 60, test="false"),
        row("pixels", 2, ("cam16", "train", "cam16", "validation"), 30, test="false"),
    ]
    assert other_copies(rows) == [
        "1 of 60 train images of `wbc` is a copy of others among them (1 same file).",
        "2 of 30 validation images of `cam16` are copies of images of `cam16` train (2 same pixels).",
    ]
    assert copies_in_training(rows) == copies_among_tests(rows) == []


def test_slides_and_what_the_config_ignores_are_no_copies():
    rows = [row("slide", 3), row("near_duplicates", 4, consequence="ignore")]
    assert copies_in_training(rows) == []
