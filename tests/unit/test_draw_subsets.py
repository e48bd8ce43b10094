"""The command line of the subsets: drawn ones, and given ones matched by class and file name."""

import shutil

import pytest
from builders import CLASSES, PLACES, call, failure, half_mask, index_files, picture, save
from PIL import Image

from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.subsets import draw_subset


@pytest.fixture
def options(wbc_data, tmp_path):
    return {
        "index": wbc_data.file("index.csv"),
        "fraction": 50,
        "seed": 1,
        "subset": tmp_path / "subset.csv",
    }


@pytest.fixture
def given(wbc_data, tmp_path):
    """A folder with two training images of each class, one of them with its mask; and its options."""
    folder = tmp_path / "WBC_25"
    for label in CLASSES:
        for number in (1, 2):
            name = f"95-8-27-0_{number // 2}_{number}.png"
            path = folder / "train/data" / label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(wbc_data.raw / "train/data" / label / name, path)
        mask = folder / "train/mask" / label / "95-8-27-0_0_1.png"
        mask.parent.mkdir(parents=True)
        shutil.copy(wbc_data.raw / mask.relative_to(folder), mask)
    return folder, {
        "given_folder": folder,
        # Two of eight are 25 %; most tests here ask for 50 % or less.
        "policy": {"given_share": "warn"},
        "layout": {
            **PLACES,
            "aliases": {"Eosinophils": "Eosinophil"},
            "splits": {"train": "train", "test": "val"},
        },
    }


def rows_of(options) -> list[dict[str, str]]:
    return read_csv(options["subset"])


def test_a_drawn_subset(wbc_data, options):
    assert call("draw_subsets", **options) == 0
    train = [row for row in wbc_data.index if row["split"] == "train"]
    rows = rows_of(options)
    assert rows == [{**row, "part": "train"} for row in draw_subset(train, "50", 1)]
    # 8 images of each class, 2 of them with a mask.
    assert len(rows) == 12
    assert sum(row["mask"] == "1" for row in rows) == 3
    assert all(row["id"].startswith("train/") for row in rows)


def test_fraction_and_seed_are_those_of_the_command_line(options):
    drawn = {}
    for fraction, seed in ((50, 1), (50, 2), (25, 1), ("0.01", 1)):
        assert call("draw_subsets", **options | {"fraction": fraction, "seed": seed}) == 0
        drawn[fraction, seed] = {row["id"] for row in rows_of(options)}
    assert drawn[50, 1] != drawn[50, 2]
    assert drawn["0.01", 1] < drawn[25, 1] < drawn[50, 1]
    assert len(drawn["0.01", 1]) == 3


def test_everything_at_100_per_cent(wbc_data, options):
    assert call("draw_subsets", **options | {"fraction": 100}) == 0
    expected = {
        row["id"]: str(int(bool(row["mask"]))) for row in wbc_data.index if row["split"] == "train"
    }
    assert {row["id"]: row["mask"] for row in rows_of(options)} == expected


def test_a_share_for_validation_changes_the_part_alone(options, capsys):
    assert call("draw_subsets", **options | {"fraction": 100}) == 0
    before = rows_of(options)
    share = {"validation_share": 0.25}
    assert call("draw_subsets", **options | {"fraction": 100}, **share) == 0
    after = rows_of(options)
    assert [{**row, "part": "train"} for row in after] == before
    held = [row["label"] for row in after if row["part"] == "validation"]
    assert held == [label for label in sorted(CLASSES) for _ in range(2)]
    # Four images of each class are too few.
    assert call("draw_subsets", **options, **share) == 0
    assert {row["part"] for row in rows_of(options)} == {"train"}
    assert "all are train" in capsys.readouterr().err


@pytest.mark.parametrize(("share", "parts"), [(0.05, "2 for validation"), (0.95, "1 for training")])
def test_a_share_that_leaves_no_room_for_a_class_is_one_line(options, capsys, share, parts):
    """Of 24 images of three classes."""
    given = {**options, "fraction": 100, "validation_share": share}
    line = failure(capsys, "draw_subsets", **given)
    assert f"subsets.validation_share, at 100 %: {share} of 24 images leaves {parts}" in line
    assert "of 3 classes: give at" in line
    assert not options["subset"].exists()


def test_so_many_of_each_class(wbc_data, options):
    for count, taken in ((3, 3), (20, 8)):
        assert call("draw_subsets", **options | {"fraction": f"{count}perclass"}) == 0
        rows = rows_of(options)
        assert [row["label"] for row in rows] == [
            name for name in sorted(CLASSES) for _ in range(taken)
        ]
        # Two of eight images of a class have a mask: floor(3 * 2 / 8) and all.
        assert sum(row["mask"] == "1" for row in rows) == 3 * {3: 0, 8: 2}[taken]
    assert {row["id"] for row in rows} == {
        row["id"] for row in wbc_data.index if row["split"] == "train"
    }


def test_a_given_subset_of_a_number_per_class_is_one_line(options, given, capsys):
    _, given_options = given
    line = failure(capsys, "draw_subsets", **options | {"fraction": "2perclass"}, **given_options)
    assert "--fraction 2perclass: " in line
    assert "WBC_25 is a given subset, and these are in per cent" in line


@pytest.mark.parametrize("fraction", ["0", "100.5", "-3", "3perclas"])
def test_an_impossible_fraction_is_one_line(options, capsys, fraction):
    line = failure(capsys, "draw_subsets", **options | {"fraction": fraction})
    assert f"--fraction {fraction}: must lie in (0, 100]" in line


def test_a_given_subset_is_matched_by_class_and_file_name(options, given):
    _, given_options = given
    assert call("draw_subsets", **options, **given_options) == 0
    assert rows_of(options) == [
        {
            "id": f"train/{label}/95-8-27-0_{field}.png",
            "label": label,
            "mask": mask,
            "part": "train",
        }
        for label in sorted(CLASSES)
        for field, mask in (("0_1", "1"), ("1_2", "0"))
    ]


def test_a_given_subset_may_use_aliases(options, given):
    folder, given_options = given
    (folder / "train/data/Eosinophil").rename(folder / "train/data/Eosinophils")
    assert call("draw_subsets", **options, **given_options) == 0
    assert sum(row["label"] == "Eosinophil" for row in rows_of(options)) == 2


def test_a_given_mask_that_the_full_set_lacks(options, given, capsys):
    folder, given_options = given
    save(half_mask(), folder / "train/mask/Basophil/95-8-27-0_1_2.png")
    line = failure(capsys, "draw_subsets", **options, **given_options)
    assert "given mask: train/mask/Basophil/95-8-27-0_1_2.png is a mask of" in line
    given_options["policy"] |= {"given_mask": "warn"}
    assert call("draw_subsets", **options, **given_options) == 0
    assert "warning: " in capsys.readouterr().err
    masks = {row["id"]: row["mask"] for row in rows_of(options)}
    assert masks["train/Basophil/95-8-27-0_1_2.png"] == "0"


def test_a_given_subset_ignores_fraction_and_seed(options, given):
    _, given_options = given
    assert call("draw_subsets", **options, **given_options) == 0
    before = options["subset"].read_bytes()
    assert call("draw_subsets", **options | {"seed": 9, "fraction": 1}, **given_options) == 0
    assert options["subset"].read_bytes() == before


def test_a_given_subset_without_a_class_is_one_line(options, given, capsys):
    folder, given_options = given
    shutil.rmtree(folder / "train/data/Neutrophil")
    shutil.rmtree(folder / "train/mask/Neutrophil")
    line = failure(capsys, "draw_subsets", **options, **given_options)
    assert "WBC_25 holds no image of Neutrophil" in line
    assert not options["subset"].exists()


@pytest.mark.parametrize("name", ["unknown.png", "95-8-27-1_0_0.png"])
def test_a_given_image_unknown_to_the_full_training_set_is_one_line(options, given, capsys, name):
    """The second name is that of a test image."""
    folder, given_options = given
    save(picture((200, 30, 30), 77), folder / "train/data/Basophil" / name)
    line = failure(capsys, "draw_subsets", **options, **given_options)
    assert f"train/data/Basophil/{name}: no image of that class and name" in line


def test_another_picture_under_a_known_name_is_one_line(options, given, capsys):
    """Files that were numbered anew, or a test image among the training images."""
    folder, given_options = given
    path = folder / "train/data/Basophil/95-8-27-0_0_1.png"
    save(picture((200, 30, 30), 77), path)
    line = failure(capsys, "draw_subsets", **options, **given_options)
    assert "given differs: train/data/Basophil/95-8-27-0_0_1.png is another picture than" in line
    test = options["index"].parent.parent / "raw/val/data/Basophil/95-8-27-1_0_0.png"
    shutil.copy(test, path)
    line = failure(capsys, "draw_subsets", **options, **given_options)
    assert "is the test image val/Basophil/95-8-27-1_0_0.png" in line


def test_the_same_pixels_in_another_file_are_the_same_picture(options, given):
    folder, given_options = given
    path = folder / "train/data/Basophil/95-8-27-0_0_1.png"
    before = path.read_bytes()
    Image.open(path).save(path, compress_level=1)
    assert path.read_bytes() != before
    assert call("draw_subsets", **options, **given_options) == 0


def test_another_mask_under_a_known_name_is_one_line(options, given, capsys):
    folder, given_options = given
    save(half_mask(), folder / "train/mask/Basophil/95-8-27-0_0_1.png")
    line = failure(capsys, "draw_subsets", **options, **given_options)
    assert "given differs: train/mask/Basophil/95-8-27-0_0_1.png is another mask than" in line


def test_an_unknown_class_folder_of_a_given_subset_is_one_line(options, given, capsys):
    folder, given_options = given
    (folder / "train/data/Basophil").rename(folder / "train/data/basophil_2")
    line = failure(capsys, "draw_subsets", **options, **given_options)
    assert "unknown class folder: train/data/basophil_2 is no class of the config" in line


@pytest.mark.parametrize(("fraction", "stops"), [("25", False), ("50", True), ("10", True)])
def test_a_given_subset_of_another_share(options, given, capsys, fraction, stops):
    """It holds 6 of 24 images."""
    _, given_options = given
    options |= given_options | {"fraction": fraction, "policy": {}}
    if stops:
        line = failure(capsys, "draw_subsets", **options)
        assert f"holds 6 of 24 training images (25 %) where {fraction} % are" in line
        assert f"subsets.given.{fraction}" in line
    else:
        assert call("draw_subsets", **options) == 0


def test_masks_that_are_not_applied_count_as_none(wbc_data, options, tmp_path):
    table = [
        {"id": row["id"], "state": "kept" if "Basophil" in row["id"] else "applied"}
        for row in wbc_data.index
        if row["mask"]
    ]
    write_csv(tmp_path / "masked.csv", ["id", "state"], table)
    options |= {"fraction": 100, "masked_table": tmp_path / "masked.csv"}
    assert call("draw_subsets", **options) == 0
    used = [row["label"] for row in rows_of(options) if row["mask"] == "1"]
    assert used == ["Eosinophil"] * 2 + ["Neutrophil"] * 2


def test_a_missing_given_folder_is_one_line(options, given, capsys):
    folder, given_options = given
    shutil.rmtree(folder)
    assert "WBC_25 does not exist" in failure(capsys, "draw_subsets", **options, **given_options)


def test_a_given_subset_lies_in_the_layout_of_the_full_set(options, tmp_path):
    """Flat class folders, masks beside the images, and numbers as classes."""
    layout = {"images": "{class}", "masks": "{class}", "mask_name": "{stem}_m", "classes": [0, 1]}
    for folder, numbers in (("full", range(4)), ("part", (1, 3))):
        for label in "01":
            for number in numbers:
                path = tmp_path / folder / label / f"{number}.png"
                save(picture((9, 9, 90 * int(label)), number), path)
                save(half_mask(), path.with_name(f"{number}_m.png"))
    files = index_files(tmp_path)
    assert call("index_images", folder=tmp_path / "full", layout=layout, **files) == 0
    options |= {"index": files["index"], "given_folder": tmp_path / "part"}
    options["policy"] = {"given_share": "warn"}
    assert call("draw_subsets", **options, layout=layout) == 0
    assert [(row["id"], row["mask"]) for row in rows_of(options)] == [
        (f"{label}/{number}.png", "1") for label in "01" for number in (1, 3)
    ]


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ({"table": "cells.csv", "classes": CLASSES}, "listed in cells.csv, and given subsets are"),
        ({**PLACES, "splits": {"test": "val"}}, "the full set has no training images"),
        (None, "give the layout of the full set"),
    ],
)
def test_a_given_subset_needs_training_folders(options, given, capsys, layout, words):
    folder, _ = given
    given_options = {"given_folder": folder} | ({"layout": layout} if layout else {})
    line = failure(capsys, "draw_subsets", **options, **given_options)
    assert words in line
    assert not options["subset"].exists()
