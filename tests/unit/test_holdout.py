"""Held-out test images: the drawn ones, stratified, on slides of their own."""

from collections import Counter

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from fewlabels.core.errors import UserError
from fewlabels.data.holdout import draw_places, hold_out


def index_of(labels: str, slides=(), split: str = "train") -> list[dict[str, str]]:
    return [
        {
            "id": f"{n:03}",
            "split": split,
            "label": "" if label == "-" else label,
            "slide": slides[n] if slides else "",
            "pixel_sha256": f"p{n}",
        }
        for n, label in enumerate(labels)
    ]


def held(rows) -> list[str]:
    return [row["id"] for row in rows if row["split"] == "test"]


@pytest.mark.parametrize("seed", [0, 7])
def test_unlabelled_images_are_drawn_as_before(seed):
    """The autoencoder split the ids themselves, and kept the order in which they were drawn."""
    ids = [f"kidney{n}.jpg" for n in range(37)]
    train_ids, test_ids = train_test_split(ids, test_size=0.2, random_state=seed)
    train, test = draw_places(len(ids), 0.2, seed)
    assert [ids[place] for place in train] == train_ids
    assert [ids[place] for place in test] == test_ids
    rows = index_of("-" * 37)
    assert held(hold_out(rows, 0.2, seed)) == sorted(rows[place]["id"] for place in test)


def test_the_rest_of_the_rows_is_untouched():
    rows = index_of("-" * 10) + index_of("-" * 3, split="validation")
    before = [dict(row) for row in rows]
    after = hold_out(rows, 0.3, 0)
    assert rows == before
    assert [{**row, "split": ""} for row in after] == [{**row, "split": ""} for row in rows]
    assert Counter(row["split"] for row in after) == {"train": 7, "test": 3, "validation": 3}


def test_classes_keep_their_shares_and_the_seed_decides():
    rows = index_of("a" * 60 + "b" * 30 + "c" * 10)
    drawn = [hold_out(rows, 0.2, seed) for seed in (1, 1, 2)]
    counts = Counter(row["label"] for row in drawn[0] if row["split"] == "test")
    assert counts == {"a": 12, "b": 6, "c": 2}
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_only_image_of_a_class_stays(caplog):
    caplog.set_level("INFO")
    rows = hold_out(index_of("a" * 10 + "b" + "c" * 10), 0.2, 0)
    assert Counter(row["label"] for row in rows if row["split"] == "test") == {"a": 2, "c": 2}
    assert "b has a single image: it stays in train" in caplog.text
    assert "no image of b is held out" in caplog.text


def test_whole_slides_where_most_are_known():
    generator = np.random.default_rng(0)
    slides = [f"s{n}" for n in generator.integers(0, 30, 400)]
    slides[:40] = [""] * 40
    rows = index_of("".join(generator.choice(list("abc"), 400)), slides)
    after = hold_out(rows, 0.2, 0)
    sides = {
        split: {r["slide"] for r in after if r["split"] == split} for split in ("train", "test")
    }
    assert sides["train"] & sides["test"] <= {""}
    assert len(sides["test"]) > 1
    assert len(held(after)) == pytest.approx(80, abs=15)


def test_single_images_where_slides_would_lose_a_class(caplog):
    """Each class stands on one slide: held out whole, nothing of it would be left."""
    caplog.set_level("INFO")
    after = hold_out(index_of("a" * 20 + "b" * 20, ["s1"] * 20 + ["s2"] * 20), 0.25, 0)
    assert Counter(row["label"] for row in after if row["split"] == "test") == {"a": 5, "b": 5}
    assert "whole slides would lose a class" in caplog.text


def test_single_images_where_few_slides_are_known(caplog):
    caplog.set_level("INFO")
    rows = index_of("ab" * 50, [f"s{n % 20}" for n in range(40)] + [""] * 60)
    expected = draw_places(100, 0.2, 0, [row["label"] for row in rows])[1]
    assert held(hold_out(rows, 0.2, 0)) == sorted(rows[place]["id"] for place in expected)
    assert "slides" not in caplog.text


@pytest.mark.parametrize("rows", [index_of("-"), index_of("abc"), index_of("aabbcc"), []])
def test_too_few_images_are_one_line(rows):
    with pytest.raises(UserError, match=r"images can't be split .*datasets\.\*\.holdout"):
        hold_out(rows, 0.2, 0)


def test_test_images_that_are_there_already():
    rows = index_of("-" * 10) + index_of("-", split="test")
    with pytest.raises(UserError, match=r"test images already: set datasets\.\*\.holdout to null"):
        hold_out(rows, 0.2, 0)
