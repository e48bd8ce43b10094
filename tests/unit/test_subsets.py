"""Subsets of the labels: exact counts, nested, even in masks, and fixed by the seed."""

import itertools
import random

import numpy as np
import pytest

from fewlabels.core.errors import UserError
from fewlabels.core.fractions import by_size, images_of, share_of
from fewlabels.data.subsets import draw_subset, mark_validation, seeded_order

CLASSES = ["Basophil", "Eosinophil", "Lymphocyte", "Monocyte", "Neutrophil"]
#: The published data set: images and masks of each class in the training split.
IMAGES = [176, 618, 2015, 466, 5172]
MASKS = [17, 61, 201, 46, 517]


def index_of(images, masks, classes=CLASSES) -> list[dict[str, str]]:
    return [
        {"id": f"train/{label}/{n:05}.jpg", "label": label, "mask": "m.png" if n < marked else ""}
        for label, count, marked in zip(classes, images, masks, strict=True)
        for n in range(count)
    ]


def counts(subset, classes=CLASSES) -> tuple[list[int], list[int]]:
    """Images and used masks of each class."""
    return (
        [sum(row["label"] == label for row in subset) for label in classes],
        [sum(row["label"] == label and row["mask"] == "1" for row in subset) for label in classes],
    )


def ids(subset, masked_only: bool = False) -> set[str]:
    return {row["id"] for row in subset if row["mask"] == "1" or not masked_only}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("fraction", "images", "masks"),
    [
        ("100", IMAGES, MASKS),
        ("50", [88, 309, 1007, 233, 2586], [8, 30, 100, 23, 258]),
        ("10", [17, 61, 201, 46, 517], [1, 6, 20, 4, 51]),
        ("1", [1, 6, 20, 4, 51], [0, 0, 2, 0, 5]),
        ("500perclass", [176, 500, 500, 466, 500], [17, 49, 49, 46, 49]),
        ("50perclass", [50] * 5, [4] * 5),
        ("1perclass", [1] * 5, [0] * 5),
    ],
)
def test_counts_of_the_published_data_set(fraction, images, masks, seed):
    subset = draw_subset(index_of(IMAGES, MASKS), fraction, seed)
    assert counts(subset) == (images, masks)
    assert len(ids(subset)) == len(subset)
    assert [row["id"] for row in subset] == sorted(ids(subset))


@pytest.mark.parametrize("seed", range(25))
def test_subsets_are_nested_for_any_sizes_and_fractions(seed):
    chance = random.Random(seed)
    classes = [f"class{n}" for n in range(chance.randint(1, 5))]
    images = [chance.randint(1, 80) for _ in classes]
    masks = [chance.randint(0, count) for count in images]
    train = index_of(images, masks, classes)
    with_mask = {row["id"] for row in train if row["mask"]}
    fractions = sorted({f"{chance.uniform(0.01, 100):.2f}" for _ in range(12)}, key=float)
    smaller, smaller_masks = set(), set()
    for fraction in [*fractions, "100"]:
        subset = draw_subset(train, fraction, seed)
        expected_images = [max(1, share_of(fraction, count)) for count in images]
        expected_masks = [share_of(fraction, count) for count in masks]
        assert counts(subset, classes) == (expected_images, expected_masks)
        assert smaller <= ids(subset)
        assert smaller_masks <= ids(subset, masked_only=True) <= with_mask
        smaller, smaller_masks = ids(subset), ids(subset, masked_only=True)
    assert len(smaller) == len(train)
    assert smaller_masks == with_mask


@pytest.mark.parametrize("seed", range(25))
def test_numbers_per_class_nest_in_one_another_and_each_class_in_the_per_cent_ones(seed):
    chance = random.Random(seed)
    classes = [f"class{n}" for n in range(chance.randint(1, 5))]
    images = [chance.randint(1, 80) for _ in classes]
    masks = [chance.randint(0, count) for count in images]
    train = index_of(images, masks, classes)
    with_mask = {row["id"] for row in train if row["mask"]}
    numbers = [f"{count}perclass" for count in {1, *chance.sample(range(2, 90), 8), 100}]
    smaller, smaller_masks = set(), set()
    for fraction in reversed(by_size(numbers)):
        k = int(fraction.removesuffix("perclass"))
        subset = draw_subset(train, fraction, seed)
        taken = [min(k, count) for count in images]
        expected = [n * m // count for n, m, count in zip(taken, masks, images, strict=True)]
        assert counts(subset, classes) == (taken, expected)
        assert smaller <= ids(subset)
        assert smaller_masks <= ids(subset, masked_only=True) <= with_mask
        smaller, smaller_masks = ids(subset), ids(subset, masked_only=True)
    assert len(smaller) == len(train)
    mixed = [*numbers, *(f"{chance.uniform(0.01, 100):.2f}" for _ in range(8))]
    for label, count in zip(classes, images, strict=True):
        drawn = [
            [row for row in draw_subset(train, fraction, seed) if row["label"] == label]
            for fraction in sorted(mixed, key=lambda fraction: images_of(fraction, count))
        ]
        for few, many in itertools.pairwise(drawn):
            assert ids(few) <= ids(many)
            if len(few) < len(many):
                assert ids(few, masked_only=True) <= ids(many, masked_only=True)


def test_at_least_one_image_of_each_class():
    assert counts(draw_subset(index_of(IMAGES, MASKS), "0.01", 1)) == ([1] * 5, [0] * 5)


def test_the_seed_decides():
    train = index_of(IMAGES, MASKS)
    assert draw_subset(train, "10", 3) == draw_subset(train, "10", 3)
    drawn = [frozenset(ids(draw_subset(train, "10", seed))) for seed in range(5)]
    assert len(set(drawn)) == 5
    masked = {frozenset(ids(draw_subset(train, "50", seed), True)) for seed in range(5)}
    assert len(masked) == 5


def test_the_order_of_rows_does_not_matter():
    train = index_of([30, 40, 50, 60, 70], [3, 4, 5, 6, 7])
    mixed = train.copy()
    random.Random(0).shuffle(mixed)
    assert mixed != train
    assert draw_subset(mixed, "37", 1) == draw_subset(train, "37", 1)


def test_another_fraction_in_between_changes_nothing():
    train = index_of([30, 40, 50, 60, 70], [3, 4, 5, 6, 7])
    before = [draw_subset(train, fraction, 1) for fraction in ("50", "10")]
    draw_subset(train, "25", 1)
    assert [draw_subset(train, fraction, 1) for fraction in ("50", "10")] == before


def test_one_more_class_leaves_the_others_alone():
    train = index_of([30, 40], [3, 4], ["Basophil", "Neutrophil"])
    more = index_of([30, 40, 20], [3, 4, 2], ["Basophil", "Neutrophil", "Blast"])
    drawn = [row for row in draw_subset(more, "50", 1) if row["label"] != "Blast"]
    assert drawn == draw_subset(train, "50", 1)


def test_classes_draw_apart():
    """Two classes of equal size do not choose the same places."""
    subset = draw_subset(index_of([50, 50], [0, 0], ["a", "b"]), "50", 1)
    places = {label: {row["id"][-9:] for row in subset if row["label"] == label} for label in "ab"}
    assert places["a"] != places["b"]


def test_the_choice_is_even():
    """Over many seeds every image is drawn about equally often: 400 draws of 5 in 20."""
    train = index_of([20], [4], ["a"])
    times = dict.fromkeys((row["id"] for row in train), 0)
    for seed in range(400):
        for name in ids(draw_subset(train, "25", seed)):
            times[name] += 1
    # Mean 100, standard deviation about 8.7.
    assert 60 < min(times.values()) <= max(times.values()) < 140


@pytest.mark.parametrize("total", range(1, 14))
def test_masked_images_are_spread_evenly(total):
    for with_mask in range(total + 1):
        masked = [place < with_mask for place in range(total)]
        order = seeded_order(masked, np.random.default_rng(total))
        assert sorted(order) == list(range(total))
        seen = 0
        for taken, place in enumerate(order, start=1):
            seen += masked[place]
            # Never fewer masks than their share of the images taken so far.
            assert seen >= taken * with_mask // total


def parts(subset, **options) -> list[str]:
    return [row["part"] for row in mark_validation(subset, **options)]


def test_validation_is_a_share_of_each_class():
    subset = draw_subset(index_of(IMAGES, MASKS), "10", 1)
    marked = mark_validation(subset, share=0.2, seed=1)
    assert [{k: row[k] for k in ("id", "label", "mask")} for row in marked] == subset
    held = [row for row in marked if row["part"] == "validation"]
    # 20 % of 17, 61, 201, 46, 517.
    for count, expected in zip(counts(held)[0], [3.4, 12.2, 40.2, 9.2, 103.4], strict=True):
        assert abs(count - expected) < 1
    assert marked == mark_validation(subset, share=0.2, seed=1)
    assert marked != mark_validation(subset, share=0.2, seed=2)


@pytest.mark.parametrize(("smallest", "held"), [(4, 0), (5, 11)])
def test_no_validation_where_a_class_has_fewer_than_five_images(smallest, held):
    """20 % of 50 + 5."""
    subset = draw_subset(index_of([50, smallest], [0, 0], ["a", "b"]), "100", 1)
    assert parts(subset, share=0.2, seed=0).count("validation") == held
    assert "validation" not in parts(subset, share=0, seed=0)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.05, "0.05 of 20 images leaves 1 for validation, of 2 classes: give at least 0.1"),
        (0.91, "0.91 of 20 images leaves 1 for training, of 2 classes: give at most 0.9"),
        (0.99, "0.99 of 20 images leaves 0 for training"),
    ],
)
def test_each_part_has_room_for_every_class(share, words):
    subset = draw_subset(index_of([10, 10], [0, 0], ["a", "b"]), "100", 1)
    with pytest.raises(UserError, match=words):
        mark_validation(subset, share, 0)
    least, most = (parts(subset, share=limit, seed=0).count("validation") for limit in (0.1, 0.9))
    assert (least, most) == (2, 18)


def test_validation_on_slides_of_its_own():
    rows = index_of([60, 40], [0, 0], ["a", "b"])
    slide_of = {row["id"]: {**row, "slide": f"s{n % 10}"} for n, row in enumerate(rows)}
    marked = mark_validation(draw_subset(rows, "100", 1), 0.2, 0, slide_of)
    held = {slide_of[row["id"]]["slide"] for row in marked if row["part"] == "validation"}
    left = {slide_of[row["id"]]["slide"] for row in marked if row["part"] == "train"}
    assert len(held) == 2
    assert len(left) == 8
    one = {name: {**row, "slide": "s"} for name, row in slide_of.items()}
    assert parts(draw_subset(rows, "100", 1), share=0.2, seed=0, index_of=one) == ["train"] * 100
