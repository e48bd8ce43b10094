"""The slide-only control says whether slides betray the class."""

import numpy as np
import pytest
from builders import call, failure

from fewlabels.core.files import read_csv, write_csv

COLUMNS = ["id", "split", "label", "slide"]


@pytest.fixture
def control(tmp_path):
    """Runs the control on an index; gives {(control, metric): value, else the reason} and the predictions."""

    def run(rows):
        write_csv(tmp_path / "index.csv", COLUMNS, rows)
        assert call("slide_only", **options(tmp_path)) == 0
        table = read_csv(tmp_path / "table.csv")
        values = {
            (row["control"], row["metric"]): float(row["value"]) if row["value"] else row["state"]
            for row in table
        }
        return values, read_csv(tmp_path / "predictions.csv")

    return run


def options(folder):
    return {
        "target": "cells",
        "index": folder / "index.csv",
        "predictions": folder / "predictions.csv",
        "table": folder / "table.csv",
    }


def index_of(label_of_slide, seed=0, train=2000, test=1000):
    """Images on 20 slides; ``label_of_slide`` gives an image's label from its slide and chance."""
    generator = np.random.default_rng(seed)
    return [
        {
            "id": f"{n}",
            "split": "train" if n < train else "test",
            "slide": f"s{slide}",
            "label": label_of_slide(slide, generator),
        }
        for n, slide in enumerate(generator.integers(0, 20, train + test))
    ]


def test_slides_that_betray_the_class(control):
    """Nine in ten images of a slide are of its own class, a or b by its number."""
    values, _ = control(
        index_of(lambda slide, g: "ab"[slide % 2] if g.random() < 0.9 else "ab"[1 - slide % 2])
    )
    assert values["slide_only", "accuracy"] == pytest.approx(90, abs=3)
    # The least that 9,999 permutations can give.
    assert values["slides", "p_permutation"] == pytest.approx(1e-4)
    assert values["slides", "cramers_v_train"] == pytest.approx(0.8, abs=0.05)
    assert values["slides", "cramers_v_test"] == pytest.approx(0.8, abs=0.05)
    assert values["majority", "accuracy"] == pytest.approx(50, abs=5)
    assert values["majority", "balanced_accuracy"] == 50


def test_slides_that_tell_nothing(control):
    values, predictions = control(index_of(lambda slide, g: "a" if g.random() < 0.7 else "b"))
    assert values["slide_only", "accuracy"] == pytest.approx(values["majority", "accuracy"], abs=1)
    assert values["slide_only", "balanced_accuracy"] == pytest.approx(50, abs=2)
    assert values["slides", "p_permutation"] > 0.05
    assert values["slides", "cramers_v_train"] < 0.1
    assert values["", "share_of_test_images_on_training_slides"] == 100
    assert values["", "train_groups"] == values["", "test_slides"] == 20
    assert len(predictions) == values["", "test_images"] == 1000
    assert [row["id"] for row in predictions] == [str(n) for n in range(2000, 3000)]


def test_unknown_slides_get_the_majority(control):
    rows = [
        *({"id": f"t{n}", "split": "train", "slide": "s1", "label": "b"} for n in range(2)),
        *({"id": f"u{n}", "split": "train", "slide": "", "label": "a"} for n in range(5)),
        {"id": "1", "split": "test", "slide": "s1", "label": "b"},
        {"id": "2", "split": "test", "slide": "s2", "label": "b"},
        {"id": "3", "split": "test", "slide": "", "label": "a"},
        {"id": "4", "split": "validation", "slide": "", "label": "a"},
    ]
    values, predictions = control(rows)
    assert [row["predicted"] for row in predictions] == ["b", "a", "a"]
    assert values["slide_only", "accuracy"] == pytest.approx(200 / 3, abs=1e-4)
    # That of training, a; most test images are a b.
    assert values["majority", "accuracy"] == pytest.approx(100 / 3, abs=1e-4)
    # b: one of two right; a: the one.
    assert values["slide_only", "balanced_accuracy"] == 75
    assert values["", "share_of_test_images_on_training_slides"] == pytest.approx(100 / 3, abs=1e-4)
    assert values["", "train_groups"] == 6
    assert values["", "test_images_with_a_slide"] == 2


def test_slides_of_test_images_that_training_never_saw_tell_classes_all_the_same(control):
    """What slide_only can't show: 50 + 50 images on two slides of their own."""
    rows = index_of(lambda slide, g: "ab"[g.random() < 0.5], train=200, test=0)
    rows += [
        {"id": f"t{n}", "split": "test", "slide": f"new{n % 2}", "label": "ab"[n % 2]}
        for n in range(98)
    ]
    rows += [
        {"id": f"v{n}", "split": "test", "slide": f"new{n}", "label": "ab"[1 - n]} for n in range(2)
    ]
    values, _ = control(rows)
    assert values["slide_only", "balanced_accuracy"] == 50
    assert values["slides", "p_permutation"] == pytest.approx(1e-4)
    assert values["slides", "cramers_v_test"] == pytest.approx(0.96, abs=0.01)
    assert values["slides", "cramers_v_train"] < 0.2


def test_splits_with_other_shares_of_the_classes_do_not_make_slides_tell_them(control):
    """Of each training slide 18 of 20 are a, of each test slide 2 of 20."""
    rows = [
        {
            **{"id": f"{split}{n}", "split": split, "slide": f"{split}{n // 20}"},
            "label": "ab"[(n % 20 < 2) == (split == "train")],
        }
        for split in ("train", "test")
        for n in range(200)
    ]
    assert control(rows)[0]["slides", "p_permutation"] == 1


@pytest.mark.parametrize(
    ("train_slide", "test_slide", "reason"),
    [
        ("", "", "train: no image with a known slide; test: no image with a known slide"),
        ("s1", "{n}", "train: one slide alone; test: every slide holds one image"),
    ],
)
def test_where_slides_can_tell_nothing_the_reason_stands(control, train_slide, test_slide, reason):
    rows = [
        {"id": f"{split}{n}", "split": split, "slide": slide.format(n=n), "label": "ab"[n % 2]}
        for split, slide in (("train", train_slide), ("test", test_slide))
        for n in range(6)
    ]
    values, _ = control(rows)
    assert values["slides", "p_permutation"] == reason
    assert reason.startswith(f"train: {values['slides', 'cramers_v_train']}; ")
    assert reason.endswith(f"test: {values['slides', 'cramers_v_test']}")


def test_a_cell_type_taken_for_a_slide_is_one_line(tmp_path, capsys):
    rows = [
        {"id": f"{n}", "split": split, "slide": label[:2].upper(), "label": label}
        for split in ("train", "test")
        for n, label in enumerate(["Basophil", "Eosinophil", "Lymphocyte"] * 3)
    ]
    write_csv(tmp_path / "index.csv", COLUMNS, rows)
    line = failure(capsys, "slide_only", **options(tmp_path))
    assert "datasets.cells.group_pattern" in line
    assert "set it to null" in line
    assert not (tmp_path / "predictions.csv").exists()
