"""What the index makes of each kind of fault in the files of a data set."""

import json

import numpy as np
import pytest
from builders import CLASSES, call, index, index_files, picture, save, spotted_mask, write_labelled
from PIL import Image

from fewlabels.core.files import read_csv

SPLITS = {"train": "train", "test": "val"}
NAME = "95-8-27-0_0_0.png"


@pytest.fixture
def raw(tmp_path):
    return write_labelled(tmp_path / "raw", {"train": 2, "val": 1}, {"train": 1})


class Found:
    """What index_images wrote."""

    def __init__(self, folder):
        files = index_files(folder)
        self.rows = {row["id"]: row for row in read_csv(files["index"])}
        self.problems = read_csv(files["problems"])
        self.left_out = {row["path"]: row["reason"] for row in read_csv(files["left_out"])}
        self.reading = json.loads(files["reading"].read_text())

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return [(row["kind"], row["path"]) for row in self.problems]


@pytest.fixture
def indexed(raw, tmp_path):
    def run(**options):
        assert index(raw, tmp_path, SPLITS, **options) == 0
        return Found(tmp_path)

    return run


def of_layout(folder, out, **layout):
    assert call("index_images", folder=folder, layout=layout, **index_files(out)) == 0
    return Found(out)


def rewrite_masks(raw, write):
    """Each mask anew by what ``write`` makes of its pixels, bool (height, width)."""
    for path in raw.glob("*/mask/*/*.png"):
        write(np.asarray(Image.open(path)) >= 128).save(path)


def test_an_ordinary_set_has_no_problems(indexed):
    found = indexed()
    assert found.problems == []
    assert found.left_out == {}
    masks = found.reading["masks"]
    assert (masks["used"], masks["empty"], masks["full"]) == (3, 0, 0)
    assert (masks["source"], masks["chosen"]) == ("grey", "auto")
    assert found.reading["intensities"] is None


@pytest.mark.parametrize("value", [1, 127])
def test_masks_of_two_values_are_used_as_masks(raw, indexed, value):
    before = {name: row["mask_foreground"] for name, row in indexed().rows.items()}
    rewrite_masks(raw, lambda mask: Image.fromarray(mask.astype(np.uint8) * value))
    found = indexed()
    assert found.problems == []
    assert {name: row["mask_foreground"] for name, row in found.rows.items()} == before


def test_masks_of_three_levels_are_asked_for_and_the_answer_is_taken(raw, tmp_path, indexed):
    def three_levels(mask):
        values = mask.astype(np.uint8) * 127
        values[:8] *= 2
        return Image.fromarray(values)

    rewrite_masks(raw, three_levels)
    found = indexed()
    ((kind, path),) = found.kinds
    assert (kind, path.split("/")[:2]) == ("unclear_masks", ["train", "mask"])
    assert "datasets.wbc.mask_foreground" in indexed(key="datasets.wbc").problems[0]["detail"]
    assert {row["mask"] for row in found.rows.values()} == {""}
    assert set(found.left_out.values()) == {"unclear_masks"}
    layout = {"images": "{split}/data/{class}", "masks": "{split}/mask/{class}", "classes": CLASSES}
    layout |= {"splits": SPLITS, "mask_foreground": [127, 254]}
    answered = of_layout(raw, tmp_path, **layout)
    assert answered.problems == []
    share = float(answered.rows[f"train/Neutrophil/{NAME}"]["mask_foreground"])
    assert share == pytest.approx((np.asarray(spotted_mask(0)) >= 128).mean())


@pytest.mark.parametrize(("value", "words"), [(0, "all empty"), (255, "all full")])
def test_masks_that_are_all_alike_are_named(raw, indexed, value, words):
    rewrite_masks(raw, lambda mask: Image.new("L", mask.shape[::-1], value))
    (problem,) = indexed().problems
    assert problem["kind"] == "masks_all_alike"
    assert words in problem["detail"]
    assert problem["files"] == "3"


def test_a_class_whose_masks_are_all_empty_is_named(raw, indexed):
    Image.new("L", (32, 32)).save(raw / "train/mask/Basophil" / NAME)
    found = indexed()
    assert found.kinds == [("class_masks_all_alike", f"train/mask/Basophil/{NAME}")]
    assert "of Basophil are all empty" in found.problems[0]["detail"]
    assert found.rows[f"train/Basophil/{NAME}"]["mask_foreground"] == "0"
    assert found.reading["masks"]["empty"] == 1


@pytest.mark.parametrize(
    ("size", "mask_size", "turn"), [((32, 20), (20, 32), "1"), ((32, 20), (32, 20), "6")]
)
def test_the_mask_of_an_image_that_its_camera_turned(tmp_path, size, mask_size, turn):
    """Told by the sizes: drawn on the upright image, or on the stored one."""
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "raw/m").mkdir(parents=True)
    picture((200, 30, 30), 5, size).save(tmp_path / "raw/a.jpg", exif=exif)
    mask = np.zeros(mask_size[::-1], np.uint8)
    mask[: mask_size[1] // 2] = 255
    Image.fromarray(mask).save(tmp_path / "raw/m/a.png")
    found = of_layout(tmp_path / "raw", tmp_path, masks="m")
    assert found.problems == []
    assert found.rows["a.jpg"]["mask_turn"] == turn


def test_a_turned_square_image_asks_how_its_mask_lies(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "raw/m").mkdir(parents=True)
    picture((200, 30, 30), 5).save(tmp_path / "raw/a.jpg", exif=exif)
    spotted_mask(1).save(tmp_path / "raw/m/a.png")
    found = of_layout(tmp_path / "raw", tmp_path, masks="m")
    assert found.kinds == [("unclear_mask_orientation", "m/a.png")]
    assert found.left_out == {"m/a.png": "unclear_mask_orientation"}
    answered = of_layout(tmp_path / "raw", tmp_path, masks="m", mask_orientation="stored")
    assert answered.problems == []
    assert answered.rows["a.jpg"]["mask_turn"] == "6"


def test_a_mask_among_the_images(raw, indexed):
    spotted_mask(9).save(raw / "train/data/Basophil/95-8-27-0_0_0_mask.png")
    found = indexed()
    path = "train/data/Basophil/95-8-27-0_0_0_mask.png"
    assert found.kinds == [("mask_among_images", path)]
    assert found.left_out == {path: "mask_among_images"}
    assert len(found.rows) == 9


def test_the_same_picture_in_two_classes(raw, indexed):
    picture((9, 90, 30), 4).save(raw / "train/data/Basophil/x.png")
    picture((9, 90, 30), 4).save(raw / "val/data/Neutrophil/y.bmp")
    picture((9, 90, 30), 5).save(raw / "train/data/Basophil/z.png")
    picture((9, 90, 30), 5).save(raw / "train/data/Basophil/z2.png")
    found = indexed()
    paths = ["val/data/Neutrophil/y.bmp", "train/data/Basophil/x.png"]
    assert sorted(found.kinds) == sorted(("label_conflict", path) for path in paths)
    assert found.left_out == dict.fromkeys(paths, "label_conflict")
    assert len(found.rows) == 11


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_image_that_shows_nothing(raw, indexed, value):
    Image.new("RGB", (32, 32), (value,) * 3).save(raw / "val/data/Basophil/blank.png")
    found = indexed()
    assert found.kinds == [("blank_image", "val/data/Basophil/blank.png")]
    assert "val/Basophil/blank.png" in found.rows


def test_a_file_of_several_pages(raw, indexed):
    pages = [picture((200, 30, 30), number) for number in (7, 8, 9)]
    path = raw / "train/data/Basophil/stack.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    found = indexed()
    assert found.kinds == [("unread_pages", "train/data/Basophil/stack.tif")]
    assert "has 3 pages" in found.problems[0]["detail"]
    assert "train/Basophil/stack.tif" in found.rows


def test_intensities_are_decided_for_the_whole_set(tmp_path):
    """Twelve bits in files of sixteen: the second is dark by itself."""
    grey = np.asarray(picture((120, 120, 120), 1).convert("L")).astype(np.uint16)
    for name, factor in (("a", 16), ("b", 4)):
        save(Image.fromarray(grey * factor), tmp_path / f"raw/{name}.tif")
    found = of_layout(tmp_path / "raw", tmp_path)
    assert found.problems == []
    assert found.reading["intensities"]["integer_white"] == 4095
    assert found.reading["intensities"]["deep_files"] == 2
    hashes = {row["pixel_sha256"] for row in found.rows.values()}
    assert len(hashes) == 2
    assert "" not in hashes
    other = of_layout(tmp_path / "raw", tmp_path, white_level=3000)
    assert {row["pixel_sha256"] for row in other.rows.values()}.isdisjoint(hashes)


def test_a_link_to_nothing_is_named(raw, indexed):
    (raw / "train/data/Basophil/a.png").symlink_to("/mnt/old_disk/a.png")
    found = indexed()
    assert found.kinds == [("undecodable_image", "train/data/Basophil/a.png")]
    assert "is a link to /mnt/old_disk/a.png, which does not exist" in found.problems[0]["detail"]


def test_a_damaged_image_is_left_out_and_so_is_its_mask(raw, indexed):
    path = raw / "train/data/Basophil" / NAME
    content = bytearray(path.read_bytes())
    content[-20] ^= 255
    path.write_bytes(content)
    found = indexed()
    assert found.kinds == [("damaged_image", f"train/data/Basophil/{NAME}")]
    assert found.left_out == {
        f"train/data/Basophil/{NAME}": "damaged_image",
        f"train/mask/Basophil/{NAME}": "mask_of_unused",
    }


def test_the_cause_is_told_before_what_follows_from_it(raw, indexed):
    (raw / "train/data/Basophil").rename(raw / "train/data/BASOPHIL")
    (raw / "val/data/Neutrophil/95-8-27-1_0_0.png").write_bytes(b"broken")
    kinds = [kind for kind, _ in indexed().kinds]
    assert kinds[0] == "unknown_class_folder"
    assert kinds[1:] == [
        "undecodable_image",
        "mask_without_image",
        "empty_class",
        "class_without_test_images",
    ]
