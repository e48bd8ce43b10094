"""What each run learnt from: labels of its training images, and steps."""

import pytest
from builders import call, failure, write_sheet

from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.run_sheet import Run

#: Place below subsets/ -> classes of the training images, and of those for validation.
SUBSETS = {
    "replicate1/cells_100_abc123": ("aaaaabbbcccc", "aab"),
    "replicate1/cells_2perclass": ("bbaacc", ""),
    "replicate1/cells_10_grouped": ("abb", "c"),
    "replicate2/cells_100_abc123": ("aaaaabbbcccc", "aab"),
    "replicate2/cells_2perclass": ("aabbcc", ""),
    "replicate2/cells_10_grouped": ("caab", "c"),
}
#: The second arm's runs have other histories.
STEPS = {"one": [10, 20, 30], "two": [7, 14]}
GROUPED = [Run("oneGrouped", "cells", "10", seed, seed, "grouped") for seed in (1, 2)]


def write_subset(path, train, validation, shift=0):
    rows = [
        {"id": f"{part}{place + shift}", "label": label, "mask": "1", "part": part}
        for part, labels in (("train", train), ("validation", validation))
        for place, label in enumerate(labels)
    ]
    write_csv(path, ["id", "label", "mask", "part"], rows)


def write_history(path, steps):
    rows = ({"epoch": n, "steps": made} for n, made in enumerate(steps, 1))
    write_csv(path, ["epoch", "steps"], rows)


@pytest.fixture
def options(tmp_path):
    for name, parts in SUBSETS.items():
        # Other images where the second replicate draws others, though as many.
        shift = 2 if name == "replicate2/cells_2perclass" else 0
        write_subset(tmp_path / f"subsets/{name}.csv", *parts, shift)
    for arm, steps in STEPS.items():
        for seed in (1, 2):
            for fraction in ("100", "2perclass"):
                run = Run(arm, "cells", fraction, seed, seed)
                write_history(tmp_path / run.path("history"), steps)
    for run in GROUPED:
        write_history(tmp_path / run.path("history"), [5])
    crossed = Run("one", "cells", "100", 1, 2, tabled=False, crossed=True)
    return {
        "results": tmp_path,
        "runs": write_sheet(
            tmp_path / "runs.csv",
            ["one", "two"],
            ["100", "2perclass"],
            [1, 2],
            more=[*GROUPED, crossed],
        ),
        "given": {"100": "_abc123"},
        "labels": tmp_path / "labels.csv",
    }


def found(options, *columns):
    assert call("count_labels", **options) == 0
    return [tuple(row[column] for column in columns) for row in read_csv(options["labels"])]


def test_one_row_for_each_run_of_the_table(options):
    rows = found(options, "arm", "fraction", "replicate")
    assert rows == [
        *((arm, f, r) for arm in ("one", "two") for f in ("100", "2perclass") for r in "12"),
        *(("oneGrouped", "10", r) for r in "12"),
    ]


def test_labels_are_those_of_training_images(options):
    rows = found(
        options, "arm", "fraction", "replicate", "labels", "smallest_class", "smallest_class_labels"
    )
    assert rows[:3] == [
        ("one", "100", "1", "12", "b", "3"),
        ("one", "100", "2", "12", "b", "3"),
        ("one", "2perclass", "1", "6", "a", "2"),
    ]
    assert rows[-2:] == [
        ("oneGrouped", "10", "1", "3", "a", "1"),
        ("oneGrouped", "10", "2", "4", "b", "1"),
    ]
    assert rows[4][1:] == rows[0][1:]


def test_steps_are_those_of_the_last_epoch(options):
    rows = dict(found(options, "arm", "steps"))
    assert rows == {"one": "30", "two": "14", "oneGrouped": "5"}


def test_equal_training_images_have_one_name(options, tmp_path):
    rows = found(options, "arm", "fraction", "replicate", "subset")
    name_of = {key: name for *key_, name in rows for key in [tuple(key_)]}
    assert all(len(name) == 12 for name in name_of.values())
    # Both replicates hold all images; the order of rows and what is held out play no part.
    assert name_of["one", "100", "1"] == name_of["two", "100", "2"]
    assert name_of["one", "2perclass", "1"] != name_of["one", "2perclass", "2"]
    write_subset(tmp_path / "subsets/replicate1/cells_2perclass.csv", "aaaaabbbcccc"[::-1], "")
    again = dict(found(options, "fraction", "subset")[:1])
    assert again == {"100": name_of["one", "100", "1"]}
    assert found(options, "fraction", "subset")[2] == ("2perclass", again["100"])


def test_a_run_that_diverged_at_once_made_no_step(options, tmp_path):
    write_history(tmp_path / "history/replicate2/two_cells_100.csv", [])
    rows = found(options, "arm", "fraction", "replicate", "steps", "state", "labels")
    assert rows[5] == (
        "two",
        "100",
        "2",
        "0",
        "diverged or failed before the first evaluation",
        "12",
    )
    assert {row[4] for row in rows[:5] + rows[6:]} == {""}


def test_a_list_without_training_images_is_one_line(options, tmp_path, capsys):
    write_subset(tmp_path / "subsets/replicate2/cells_2perclass.csv", "", "ab")
    line = failure(capsys, "count_labels", **options)
    assert "replicate2/cells_2perclass.csv holds no training image: delete it" in line
    assert not options["labels"].exists()
