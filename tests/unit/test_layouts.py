"""Layouts as the config gives them: what is wrong with them is told before any file is looked at."""

import argparse
import json

import pytest
import yaml
from builders import PLACES, REPOSITORY

from fewlabels.core.errors import UserError
from fewlabels.data.layouts import FolderPattern, Layout, check_layout, fill_of

SOUND = {**PLACES, "folder": "cells", "splits": {"train": "train", "test": "val"}}
FLAT = {"folder": "kidneys"}
TABLE = {"table": "cells.csv", "classes": ["a", "b"]}


@pytest.mark.parametrize(
    "layout",
    [
        SOUND,
        FLAT,
        TABLE,
        FLAT | {"holdout": 0.2},
        FLAT | {"masks": "masks"},
        FLAT | {"masks": "", "mask_name": "{stem}_mask"},
        FLAT | {"images": "{split}", "splits": {"train": "fold1/train"}},
        SOUND | {"images": "{class}/{split}", "masks": None},
        SOUND | {"images": "{split}_{class}", "masks": "masks/{class}"},
        SOUND | {"images": "{split}/{class}", "masks": "{split}/{class}", "mask_name": "m_{stem}"},
        SOUND | {"images": "images_{split}/{class}/{class}", "masks": None},
        SOUND | {"aliases": {"Blasts": "Blast"}},  # of a class that is not in use
        TABLE | {"splits": {"train": "../a\\b"}},  # a cell, no folder
    ],
)
def test_sound_layouts_pass(layout):
    check_layout("datasets.wbc", Layout(**layout))


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        (SOUND | {"table": "cells.csv"}, "has both table and folder"),
        (TABLE | {"images": "{class}"}, "has both table and images"),
        (TABLE | {"masks": "m"}, "has both table and masks"),
        ({}, "has neither folder nor table"),
        (
            SOUND | {"images": "{splt}/{class}"},
            r"wbc\.images' has the unknown placeholder \{splt\}: did you mean '\{split\}'\?",
        ),
        (SOUND | {"masks": "{stem}/{class}"}, r"wbc\.masks' has the unknown placeholder \{stem\}"),
        (SOUND | {"images": "{split}/{class"}, "a brace has no partner"),
        (SOUND | {"images": "{split}/{class}-{class}"}, r"has \{class\} twice in '\{class\}-"),
        (SOUND | {"images": "/cells/{split}/{class}"}, "a folder below the data set's"),
        (SOUND | {"images": "../{split}/{class}"}, "a folder below the data set's"),
        (SOUND | {"images": r"{split}\{class}"}, "parted by /"),
        (SOUND | {"splits": {"train": "../a"}}, r"wbc\.splits\.train' is '\.\./a'"),
        (FLAT | {"images": "{class}"}, r"has \{class\}, but 'datasets\.wbc\.classes' is empty"),
        (FLAT | {"images": "{split}"}, r"has \{split\}, but 'datasets\.wbc\.splits' is empty"),
        (
            FLAT | {"classes": ["a"]},
            r"classes' is set, but 'datasets\.wbc\.images' has no \{class\}",
        ),
        (FLAT | {"splits": {"train": "a"}}, r"splits' is set, but .* has no \{split\}"),
        (FLAT | {"masks": "{class}"}, r"masks' has \{class\}, 'datasets\.wbc\.images' has not"),
        (SOUND | {"mask_name": "mask"}, r"with \{stem\} or \{name\} once in it"),
        (SOUND | {"mask_name": "{stem}{stem}"}, r"with \{stem\} or \{name\} once in it"),
        (SOUND | {"mask_name": "{stem}/m"}, r"with \{stem\} or \{name\} once in it"),
        (SOUND | {"mask_name": "{stem}_{name}"}, r"with \{stem\} or \{name\} once in it"),
        (
            SOUND | {"mask_name": "{nmae}_m"},
            r"unknown placeholder \{nmae\}: did you mean '\{name\}'\?",
        ),
        (SOUND | {"images": "{split}/**/{class}"}, r"images' .* stands alone at its end"),
        (SOUND | {"images": "{split}/{class}/x*"}, r"images' .* stands alone at its end"),
        (FLAT | {"masks": ""}, "masks lie in the images' own folder"),
        (SOUND | {"splits": {"trian": "train"}}, "the role 'trian': did you mean 'train'"),
        (
            SOUND | {"splits": {"train": "a", "test": "a"}},
            "gives 'a' to both train and test: an image has one role",
        ),
        (SOUND | {"holdout": 0.2}, "has test images already"),
        (SOUND | {"classes": ["a", "a"]}, "names 'a' twice"),
        (SOUND | {"classes": ["a/b"]}, "'a/b': a class has no /"),
        (FLAT | {"group_pattern": "("}, r"wbc\.group_pattern' is no regular expression"),
        (FLAT | {"group_pattern": "^[0-9]"}, r"must name the groups \(\?P<slide>"),
        (TABLE | {"group_pattern": "(?P<patient>.)"}, r"must name the groups"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(layout, words):
    with pytest.raises(UserError, match=words) as raised:
        check_layout("datasets.wbc", Layout(**layout))
    assert str(raised.value).startswith("key 'datasets.wbc")


def test_numbers_are_names_of_classes_and_folders():
    layout = Layout(**yaml.safe_load("{classes: [0, 1], aliases: {2: 1}, splits: {train: 1}}"))
    assert layout.classes == ("0", "1")
    assert layout.splits == {"train": "1"}
    assert [layout.class_of(name) for name in ("0", "2", "3")] == ["0", "1", None]


def test_aliases_of_classes_not_in_use_count_for_nothing():
    layout = Layout(classes=["a", "b"], aliases={"x": "a", "y": "c", "b": "a"})
    assert {name: layout.class_of(name) for name in "abcxy"} == {
        **{"a": "a", "x": "a"},
        "b": "b",  # a class is never taken for another
        **{"c": None, "y": None},
    }


def test_a_layout_is_read_from_json_as_it_was_written():
    layout = Layout(**SOUND, aliases={"x": "Basophil"}, group_pattern=None)
    assert Layout.from_json(json.dumps(layout.plain())) == layout
    with pytest.raises(argparse.ArgumentTypeError, match=r"unknown key 'clases'.*'classes'"):
        Layout.from_json('{"clases": []}')


@pytest.mark.parametrize("name", ["wbc", "cam16"])
def test_aliases_of_the_published_sets_lead_to_classes(name):
    entry = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))["datasets"][
        name
    ]
    layout = Layout(classes=entry["classes"], aliases=entry["aliases"])
    assert {layout.class_of(alias) for alias in layout.aliases} <= set(layout.classes)


@pytest.mark.parametrize(
    ("text", "template", "filled"),
    [
        ("class_7", "class_{class}", "7"),
        ("7", "{class}", "7"),
        ("a_7_b", "a_{class}_b", "7"),
        ("a_b", "a_{class}_b", None),
        ("class_", "class_{class}", None),
        ("klass_7", "class_{class}", None),
    ],
)
def test_what_stands_for_a_placeholder(text, template, filled):
    assert fill_of(text, template, "{class}") == filled


@pytest.mark.parametrize(
    ("pattern", "fixed", "folder"),
    [
        ("{split}/data/{class}", {"val/data", "val", "."}, "val/data/x"),
        ("{class}/{split}", {"."}, "x/val"),
        ("images_{split}/c_{class}/{class}", {"images_val", "."}, "images_val/c_x/x"),
        ("{split}_{class}", {"."}, "val_x"),
        ("{split}", {"val", "."}, "val"),
        ("", {"."}, "."),
        ("{class}/**", {"."}, "x"),
    ],
)
def test_the_folders_of_a_pattern(pattern, fixed, folder):
    cut = FolderPattern.of(pattern, "val")
    assert cut.fixed_folders() == fixed
    assert cut.folder("x") == folder


@pytest.mark.parametrize(
    ("pattern", "folder", "match"),
    [
        ("{split}/data/{class}", "val/data/x", ("x", "")),
        ("{split}/data/{class}", "val/data/x/deep", None),
        ("{split}/data/{class}", "val/data", None),
        ("{split}/data/{class}", "train/data/x", None),
        ("{class}/{split}/{class}", "x/val/x", ("x", "")),
        ("{class}/{split}/{class}", "x/val/y", None),
        ("{split}/{class}/**", "val/x", ("x", "")),
        ("{split}/{class}/**", "val/x/deep/er", ("x", "deep/er")),
        ("**", "any/where", ("", "any/where")),
        ("", "", ("", "")),
        ("", "x", None),
        ("caf\u00e9/{class}", "cafe\u0301/x", ("x", "")),
    ],
)
def test_which_folders_fit_a_pattern(pattern, folder, match):
    assert FolderPattern.of(pattern, "val").match(folder) == match


def test_the_class_folder_of_a_folder():
    pattern = FolderPattern.of("{split}/{class}/deep/**", "val")
    assert pattern.class_folder("val/x/deep/er") == "val/x"
