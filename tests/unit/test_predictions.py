"""Predictions as read from files, and the units that they are resampled by."""

from argparse import Namespace

import numpy as np
import pytest
from builders import predictions_of, write_index

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.statistics.predictions import (
    check_same_labels,
    constant_predictions,
    groups_of,
    majority_class,
    read_predictions,
    units_of,
)
from fewlabels.statistics.predictions import test_set_groups as groups_by_set

COLUMNS = ["id", "label", "predicted", "p_a", "p_b"]


def write(path, *rows):
    write_csv(path, COLUMNS, (dict(zip(COLUMNS, row, strict=True)) for row in rows))
    return path


def test_rows_come_sorted_by_id(tmp_path):
    path = write(tmp_path / "x.csv", ("2", "a", "b", 0.1, 0.9), ("1", "b", "b", 0.2, 0.8))
    found = read_predictions(path)
    assert found.ids == ("1", "2")
    assert found.classes == ("a", "b")
    assert found.labels.tolist() == [1, 0]
    assert found.predicted.tolist() == [1, 1]
    assert found.probabilities.tolist() == [[0.2, 0.8], [0.1, 0.9]]
    assert not found.diverged


def test_a_header_alone_is_a_diverged_run(tmp_path):
    found = read_predictions(write(tmp_path / "x.csv"))
    assert found.diverged
    assert found.classes == ("a", "b")


def test_without_probabilities_the_classes_are_those_that_occur(tmp_path):
    write_csv(
        tmp_path / "x.csv",
        ["id", "label", "predicted"],
        [{"id": "1", "label": "z", "predicted": "c"}],
    )
    found = read_predictions(tmp_path / "x.csv")
    assert found.classes == ("c", "z")
    assert found.probabilities is None


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("1", "a", "a", 1, 0), ("1", "b", "b", 0, 1)], "an image twice"),
        ([("1", "q", "a", 1, 0)], "'q'"),
        ([("1", "a", "a", "", 0)], "no number"),
        (
            [("1", "a", "a", 1, 0), ("2", "a", "a", "nan", 0)],
            "image 2 has a probability that is none",
        ),
        ([("1", "a", "a", 1.2, -0.2)], "image 1 has a probability that is none"),
        ([("1", "a", "a", 0.7, 0.2)], "image 1 sum to 0.9, not 1"),
        ([("1", "a", "b", 0.7, 0.3)], "image 1 is predicted as b, and its likeliest class is a"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path, rows, words):
    with pytest.raises(UserError, match=words):
        read_predictions(write(tmp_path / "x.csv", *rows))


def test_a_missing_column_is_named(tmp_path):
    write_csv(tmp_path / "x.csv", ["id", "label"], [])
    with pytest.raises(UserError, match="no column 'predicted'"):
        read_predictions(tmp_path / "x.csv")


def test_an_image_without_slide_is_its_own_group():
    index = [{"id": f"{n}", "slide": f"s{n // 2}" if n < 40 else ""} for n in range(45)]
    groups = groups_of(index)
    assert len(groups) == 40
    units = units_of([row["id"] for row in index], groups)
    assert (units.count, units.grouped) == (25, True)
    assert np.bincount(units.codes).tolist().count(2) == 20
    assert units.codes[0] == units.codes[1] != units.codes[2]


def test_equal_likeliest_classes_may_be_answered_by_either(tmp_path):
    path = write(tmp_path / "x.csv", ("1", "a", "b", 0.5, 0.5), ("2", "a", "a", 0.5, 0.5))
    assert read_predictions(path).predicted.tolist() == [1, 0]


def test_few_groups_are_units_all_the_same():
    ids = [f"{n}" for n in range(40)]
    units = units_of(ids, {name: f"s{int(name) % 4}" for name in ids})
    assert (units.count, units.grouped, units.effective) == (4, True, 4)
    alone = units_of(ids, {})
    assert (alone.count, alone.grouped, alone.effective) == (40, False, 40)


def test_effective_units_by_hand():
    """A slide of 6 images, one of 2, two images of none: 10^2 / (36 + 4 + 1 + 1)."""
    ids = [f"{n}" for n in range(10)]
    groups = dict.fromkeys(ids[:6], "big") | dict.fromkeys(ids[6:8], "small")
    assert units_of(ids, groups).effective == pytest.approx(100 / 42)


def test_labels_of_one_image_must_agree():
    one, same = predictions_of("aab", "aaa"), predictions_of("aab", "bbb")
    check_same_labels([one, same], ["one", "same"])
    # Other classes in other places, and fewer images: it is the names that count.
    check_same_labels([one, predictions_of("aa", "zz")], ["one", "part"])
    with pytest.raises(UserError, match="image 002 is b in one and a in other"):
        check_same_labels([one, same, predictions_of("aaa", "bbb")], ["one", "same", "other"])


def test_majority():
    assert majority_class(["b", "a", "b", "c"]) == "b"
    assert majority_class(["b", "a"]) == "a"
    found = constant_predictions({"2": "a", "1": "b"}, "c")
    assert found.ids == ("1", "2")
    assert [found.classes[code] for code in found.labels] == ["b", "a"]
    assert {found.classes[code] for code in found.predicted} == {"c"}


def test_a_slide_may_have_the_name_of_an_image():
    units = units_of(["a", "b", "c"], {"a": "c", "b": "c"})
    assert (units.count, units.codes[0] == units.codes[1]) == (2, True)
    assert units.codes[2] != units.codes[0]


def test_every_test_set_has_slides_of_its_own(tmp_path):
    own, first, second = (
        str(write_index(tmp_path / f"{name}.csv", "", "ab", [f"{name}1", f"{name}2"]))
        for name in ("own", "first", "second")
    )
    arguments = Namespace(index=own, external=["A", "B"], external_indexes=[first, second])
    assert groups_by_set(arguments) == {
        name: {"000": f"{slides}1", "001": f"{slides}2"}
        for name, slides in (("test", "own"), ("A", "first"), ("B", "second"))
    }
    assert groups_by_set(Namespace(index=own, external=["A"], external_indexes=[]))["A"] == {}
    with pytest.raises(UserError, match="one file for each"):
        groups_by_set(Namespace(index=own, external=["A", "B"], external_indexes=[first]))
