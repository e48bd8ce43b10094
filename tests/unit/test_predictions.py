"""Predictions as read from files, and the units that they are resampled by."""

import numpy as np
import pytest

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.statistics.predictions import (
    constant_predictions,
    groups_of,
    majority_class,
    read_predictions,
    units_of,
)

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


def test_few_groups_give_images():
    ids = [f"{n}" for n in range(40)]
    units = units_of(ids, {name: f"s{int(name) % 19}" for name in ids})
    assert (units.count, units.groups, units.grouped) == (40, 19, False)
    assert units.codes.tolist() == list(range(40))


def test_majority():
    assert majority_class(["b", "a", "b", "c"]) == "b"
    assert majority_class(["b", "a"]) == "a"
    found = constant_predictions({"2": "a", "1": "b"}, "c")
    assert found.ids == ("1", "2")
    assert [found.classes[code] for code in found.labels] == ["b", "a"]
    assert {found.classes[code] for code in found.predicted} == {"c"}
