"""The index: one row per usable image, one decoding each, and what is wrong with the others."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from builders import (
    CLASSES,
    PLACES,
    call,
    count_reads,
    failure,
    half_mask,
    index,
    index_files,
    picture,
    save,
    spotted_mask,
    write_labelled,
)
from PIL import Image
from sklearn.model_selection import train_test_split

from fewlabels.core.files import read_csv
from fewlabels.data import indexing
from fewlabels.data.images import pixel_hash

SPLITS = {"train": "train", "test": "val"}
PATTERN = "^(?P<slide>[0-9-]+)_(?P<field>[0-9]+)_[0-9]+$"


@pytest.fixture
def raw(tmp_path):
    return write_labelled(tmp_path / "raw", {"train": 2, "val": 1}, {"train": 1})


@pytest.fixture
def indexed(raw, tmp_path):
    """Runs the script; gives the rows of the index and of the problems."""

    def run(**options):
        assert index(raw, tmp_path, SPLITS, **options) == 0
        return read_csv(tmp_path / "index.csv"), read_csv(tmp_path / "problems.csv")

    return run


def kinds(problems) -> list[tuple[str, str]]:
    return [(row["kind"], row["path"]) for row in problems]


def test_columns_and_values(raw, indexed):
    rows, problems = indexed(group_pattern=PATTERN)
    assert problems == []
    assert list(rows[0]) == [
        *("id", "path", "split", "label", "mask", "width", "height"),
        *("file_sha256", "pixel_sha256", "mask_sha256", "mask_foreground", "mask_turn"),
        *("slide", "field"),
    ]
    path = raw / "train/data/Neutrophil/95-8-27-0_0_0.png"
    with Image.open(path) as image:
        pixels = pixel_hash(image)
    assert rows[0] == {
        "id": "train/Neutrophil/95-8-27-0_0_0.png",
        "path": "train/data/Neutrophil/95-8-27-0_0_0.png",
        "split": "train",
        "label": "Neutrophil",
        "mask": "train/mask/Neutrophil/95-8-27-0_0_0.png",
        "width": "32",
        "height": "32",
        "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "pixel_sha256": pixels,
        "mask_sha256": hashlib.sha256((raw / rows[0]["mask"]).read_bytes()).hexdigest(),
        "mask_foreground": f"{(np.asarray(spotted_mask(0)) >= 128).mean():.7g}",
        "mask_turn": "1",
        "slide": "95-8-27-0",
        "field": "95-8-27-0/0",
    }
    assert len(rows) == 9
    assert len({row["pixel_sha256"] for row in rows}) == 9
    assert all(bool(row["mask"]) == bool(row["mask_sha256"]) for row in rows)
    assert Counter((row["split"], row["label"]) for row in rows) == {
        **{("train", label): 2 for label in CLASSES},
        **{("test", label): 1 for label in CLASSES},
    }


def test_groups_are_empty_without_pattern(indexed):
    rows, _ = indexed()
    assert {(row["slide"], row["field"]) for row in rows} == {("", "")}


def test_sizes_are_those_of_the_upright_image(raw, indexed):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture((200, 30, 30), 5, (40, 20)).save(raw / "val/data/Basophil/a.jpg", exif=exif)
    rows, _ = indexed()
    row = next(row for row in rows if row["id"] == "val/Basophil/a.jpg")
    assert (row["width"], row["height"]) == ("20", "40")


def test_an_undecodable_image_is_left_out_and_listed(raw, indexed):
    (raw / "train/data/Basophil/95-8-27-0_0_0.png").write_bytes(b"broken")
    rows, problems = indexed()
    assert len(rows) == 8
    assert kinds(problems) == [("undecodable_image", "train/data/Basophil/95-8-27-0_0_0.png")]
    assert "replace or remove it" in problems[0]["detail"]


def test_too_large_an_image_is_left_out_and_listed(raw, indexed):
    save(picture((200, 30, 30), 5, (64, 64)), raw / "val/data/Basophil/large.png")
    rows, problems = indexed(max_megapixels=0.002)
    assert len(rows) == 9
    assert kinds(problems) == [("undecodable_image", "val/data/Basophil/large.png")]
    assert "max_megapixels" in problems[0]["detail"]


def test_a_class_of_which_nothing_is_usable_counts_as_empty(raw, indexed):
    for path in raw.glob("*/data/Neutrophil/*.png"):
        path.write_bytes(b"broken")
    rows, problems = indexed()
    assert len(rows) == 6
    assert [row["kind"] for row in problems] == [
        *["undecodable_image"] * 3,
        *("empty_class", "class_without_test_images"),
    ]
    assert [row["path"] for row in problems[3:]] == ["train/data/Neutrophil", "val/data/Neutrophil"]


def test_a_folder_of_unlabelled_images_none_of_them_usable(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"broken")
    files = index_files(tmp_path)
    assert call("index_images", folder=folder, layout={}, **files) == 0
    problems = read_csv(files["problems"])
    assert kinds(problems) == [("undecodable_image", "a.jpg"), ("empty_class", ".")]


def test_a_mask_of_another_size_is_dropped_and_listed(raw, indexed):
    name = "95-8-27-0_0_0.png"
    save(half_mask((16, 32)), raw / "train/mask/Neutrophil" / name)
    rows, problems = indexed()
    assert len(rows) == 9
    assert rows[0]["id"] == f"train/Neutrophil/{name}"
    assert rows[0]["mask"] == ""
    assert kinds(problems) == [("mask_of_another_size", f"train/mask/Neutrophil/{name}")]
    assert "16x32" in problems[0]["detail"]
    assert "32x32" in problems[0]["detail"]


def test_an_undecodable_mask_is_dropped_and_listed(raw, indexed):
    name = "95-8-27-0_0_0.png"
    (raw / "train/mask/Neutrophil" / name).write_bytes(b"broken")
    rows, problems = indexed()
    assert len(rows) == 9
    assert rows[0]["mask"] == ""
    assert kinds(problems) == [("undecodable_mask", f"train/mask/Neutrophil/{name}")]


def test_problems_of_the_scan_are_listed_as_well(raw, indexed):
    (raw / "val/data/Blast").mkdir()
    _, problems = indexed()
    assert kinds(problems) == [("unknown_class_folder", "val/data/Blast")]


def test_each_file_is_opened_once(raw, indexed, monkeypatch):
    opened = count_reads(monkeypatch)
    indexed()
    assert opened == {str(path): 1 for path in raw.rglob("*.png")}


def test_each_image_is_decoded_once(indexed, monkeypatch):
    decoded = []
    really = indexing.read_image
    monkeypatch.setattr(
        indexing,
        "read_image",
        lambda path, *rest: (decoded.append(path), really(path, *rest))[1],
    )
    rows, _ = indexed()
    assert len(decoded) == len(set(decoded)) == len(rows) == 9


def test_threads_change_nothing(indexed, tmp_path):
    indexed()
    one = (tmp_path / "index.csv").read_bytes()
    indexed(threads=3)
    assert (tmp_path / "index.csv").read_bytes() == one


def test_a_missing_folder_is_one_line(tmp_path, capsys):
    line = failure(
        capsys,
        "index_images",
        folder=tmp_path / "nowhere",
        layout={},
        **index_files(tmp_path),
    )
    assert "nowhere does not exist" in line
    assert list(tmp_path.iterdir()) == []


def index_layout(folder, out, layout, **options):
    """Index a data set of any layout; give the rows of the index and of the problems."""
    files = index_files(out)
    assert call("index_images", folder=folder, layout=layout, **files, **options) == 0
    return read_csv(files["index"]), read_csv(files["problems"])


def test_a_holdout_is_drawn_from_the_usable_images_in_order(tmp_path):
    """As the autoencoder drew its test images from the packed ones."""
    for number in range(21):
        save(picture((90, 20, 20), number), tmp_path / f"raw/k{number:02}.png")
    (tmp_path / "raw/k05.png").write_bytes(b"broken")
    plain, _ = index_layout(tmp_path / "raw", tmp_path, {})
    rows, _ = index_layout(tmp_path / "raw", tmp_path, {"holdout": 0.2}, split_seed=3)
    assert [{**row, "split": "train"} for row in rows] == plain
    assert len(rows) == 20
    _, test = train_test_split([row["id"] for row in plain], test_size=0.2, random_state=3)
    assert {row["id"] for row in rows if row["split"] == "test"} == set(test)
    other, _ = index_layout(tmp_path / "raw", tmp_path, {"holdout": 0.2}, split_seed=4)
    assert other != rows


def test_a_holdout_of_labelled_images_keeps_the_classes(raw, tmp_path):
    for label in CLASSES:
        for number in range(8):
            image = picture((20, 90, 20 + 10 * CLASSES.index(label)), number)
            save(image, raw / "train/data" / label / f"m{number}.png")
    layout = {"images": "train/data/{class}", "classes": CLASSES, "holdout": 0.3}
    rows, _ = index_layout(raw, tmp_path, layout)
    assert Counter((row["split"], row["label"]) for row in rows) == {
        **{("train", label): 7 for label in CLASSES},
        **{("test", label): 3 for label in CLASSES},
    }


@pytest.mark.parametrize("holdout", [0.001, 0.999])
def test_an_impossible_holdout_is_one_line(raw, tmp_path, capsys, holdout):
    layout = {"images": "train/data/{class}", "classes": CLASSES, "holdout": holdout}
    files = index_files(tmp_path)
    line = failure(capsys, "index_images", folder=raw, layout=layout, **files)
    assert f"{raw}: 6 images can't be split" in line
    assert "datasets.*.holdout" in line


def test_a_table_gives_the_same_images_as_its_folders(raw, tmp_path, indexed):
    rows, _ = indexed()
    lines = [f"{row['path']};{row['mask']};{row['label']};{row['split']}" for row in rows]
    (raw / "cells.csv").write_text("\n".join(["Path;Mask;Label;Split", *lines]))
    layout = {"table": "raw/cells.csv", "classes": CLASSES}
    listed, problems = index_layout(tmp_path, tmp_path, layout)
    assert problems == []
    changed = {"id": "", "path": "", "mask": ""}
    assert [row | changed for row in listed] == [row | changed for row in rows]
    assert [row["id"] for row in listed] == [row["path"] for row in rows]
    assert [row["path"] for row in listed] == [f"raw/{row['path']}" for row in rows]


def test_a_class_of_a_table_of_which_nothing_is_usable(raw, tmp_path):
    (raw / "train/data/Basophil/95-8-27-0_0_0.png").write_bytes(b"broken")
    (raw / "cells.csv").write_text(
        "path,label\ntrain/data/Basophil/95-8-27-0_0_0.png,a\nval/data/Basophil/95-8-27-1_0_0.png,b"
    )
    rows, problems = index_layout(raw, tmp_path, {"table": "cells.csv", "classes": ["a", "b"]})
    assert [row["label"] for row in rows] == ["b"]
    assert kinds(problems)[1:] == [("empty_class", "cells.csv")]
    assert "train image of a" in problems[1]["detail"]


def test_an_external_test_set(raw, tmp_path):
    layout = {"images": "{class}", "classes": [*CLASSES, "Blast"]}
    rows, problems = index_layout(raw / "val/data", tmp_path, layout, external=True)
    assert [(row["split"], row["label"]) for row in rows] == [("test", label) for label in CLASSES]
    assert problems == []


def test_a_layout_that_is_wrong_is_one_line(raw, tmp_path, capsys):
    files = index_files(tmp_path)
    layout = {**PLACES, "images": "{role}/{class}"}
    line = failure(capsys, "index_images", folder=raw, layout=layout, **files)
    assert "'datasets.*.images' has the unknown placeholder {role}" in line
