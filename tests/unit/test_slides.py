"""Slides: what they give away of the classes, and splits that keep them whole."""

import numpy as np
import pytest

from fewlabels.core.errors import UserError
from fewlabels.data.slides import (
    check_slides,
    held_out,
    majority,
    predict_from_slides,
    slides_of,
)


def rows(*pairs) -> list[dict[str, str]]:
    return [
        {"id": f"{n}.jpg", "slide": slide, "label": label, "pixel_sha256": "p"}
        for n, (slide, label) in enumerate(pairs)
    ]


def test_an_image_without_a_slide_is_one_of_its_own():
    table = rows(("s1", "a"), ("", "a"), ("", "b"), ("s1", "b"))
    assert len(set(slides_of(table))) == 3
    # By pixels: two of the same picture stay together.
    assert len(set(slides_of(table, unknown="pixel_sha256"))) == 2


@pytest.mark.parametrize(
    "pairs",
    [
        [("BA", "Basophil"), ("EO", "Eosinophil"), ("BA", "Basophil")],
        # Two names for one class, as band and segmented neutrophils.
        [("BA", "Basophil"), ("BNE", "Neutrophil"), ("SNE", "Neutrophil"), ("SNE", "Neutrophil")],
    ],
)
def test_a_cell_type_is_no_slide(pairs):
    with pytest.raises(
        UserError, match=r"datasets\.cells\.group_pattern: .*'BA'.* Mend the pattern"
    ):
        check_slides(rows(*pairs), "cells")


@pytest.mark.parametrize(
    "pairs",
    [
        [("1", "a"), ("1", "b"), ("2", "a")],
        # One class per slide, but more slides than classes have names: rare cells do come so.
        [(str(n), "ab"[n % 2]) for n in range(5)],
        [("1", "a"), ("2", "a")],
        [("", "a"), ("", "b")],
        # The class tells the slide, not the other way round.
        [("1", "a"), ("1", "b"), ("2", "c"), ("2", "d")],
    ],
)
def test_slides_that_may_be_real_pass(pairs):
    check_slides(rows(*pairs), "cells")


def test_the_majority_is_the_first_by_name_of_equals():
    assert majority(["b", "a", "c", "b", "a"]) == "a"
    assert majority(["b", "a", "b"]) == "b"


def test_a_test_image_gets_its_slides_majority_or_that_of_all():
    predicted = predict_from_slides(
        ["a", "a", "a", "b", "c", "c"], ["1", "1", "1", "2", "2", "2"], ["1", "2", "3"]
    )
    assert predicted == ["a", "c", "a"]
    # The most frequent of all, which is not the first.
    assert predict_from_slides(["c", "a", "a"], ["1", "2", "2"], ["3"]) == ["a"]


def table_of_slides(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    slides = generator.integers(0, 40, 1000)
    return generator.choice(["a", "b", "c"], 1000, p=[0.6, 0.3, 0.1]), slides


@pytest.mark.parametrize("share", [0.17, 0.2, 0.5])
def test_whole_slides_are_held_out_and_classes_kept(share):
    labels, slides = table_of_slides()
    test = held_out(labels, slides, share, seed=0)
    assert not set(slides[test]) & set(slides[~test])
    assert test.mean() == pytest.approx(share, abs=0.03)
    for label in "abc":
        assert test[labels == label].mean() == pytest.approx(share, abs=0.06)


def test_the_seed_decides():
    labels, slides = table_of_slides()
    first, again, other = (held_out(labels, slides, 0.2, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_no_fold_where_a_class_stands_on_one_slide():
    labels, slides = table_of_slides()
    assert held_out(np.where(slides == 7, "rare", labels), slides, 0.2, seed=0) is None
    assert held_out(["a", "b", "a", "b"], [1, 1, 2, 2], 0.2, seed=0) is None
