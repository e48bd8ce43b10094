"""Finding images in the real layout, and what file names tell."""

import os
import shutil

import pytest
import yaml
from builders import CLASSES, PLACES, REPOSITORY, save, write_labelled
from PIL import Image

from fewlabels.core.errors import UserError
from fewlabels.data.datasets import folders_read, listing_hash, scan_dataset
from fewlabels.data.found_images import image_names, is_image_file, parse_group
from fewlabels.data.layouts import Layout

CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
PATTERN = CONFIG["datasets"]["wbc"]["group_pattern"]
LAYOUT = Layout(
    **PLACES,
    aliases={"Eosinophils": "Eosinophil"},
    splits={"train": "train", "test": "val"},
    group_pattern=PATTERN,
)


@pytest.fixture
def raw(tmp_path):
    return write_labelled(tmp_path / "raw", {"train": 2, "val": 1}, {"train": 1})


def kinds(problems) -> list[tuple[str, str]]:
    return [(problem.kind, problem.path) for problem in problems]


def test_images_with_their_masks_in_order(raw):
    images, problems = scan_dataset(raw, LAYOUT)
    assert problems == []
    assert [(image.split, image.label) for image in images] == [
        *(("train", label) for label in CLASSES for _ in range(2)),
        *(("test", label) for label in CLASSES),
    ]
    first = images[0]
    assert first.id == "train/Neutrophil/95-8-27-0_0_0.png"
    assert first.path == "train/data/Neutrophil/95-8-27-0_0_0.png"
    assert first.mask == "train/mask/Neutrophil/95-8-27-0_0_0.png"
    assert (first.slide, first.field) == ("95-8-27-0", "95-8-27-0/0")
    assert [bool(image.mask) for image in images] == [True, False] * 3 + [False] * 3


def test_a_mask_may_have_another_format(raw):
    mask = raw / "train/mask/Neutrophil/95-8-27-0_0_0.png"
    mask.rename(mask.with_suffix(".bmp"))
    images, problems = scan_dataset(raw, LAYOUT)
    assert problems == []
    assert images[0].mask == "train/mask/Neutrophil/95-8-27-0_0_0.bmp"


def test_an_alias_is_read_as_its_class(raw):
    for split in ("train/data", "train/mask", "val/data"):
        (raw / split / "Eosinophil").rename(raw / split / "Eosinophils")
    images, problems = scan_dataset(raw, LAYOUT)
    assert problems == []
    found = [image for image in images if image.label == "Eosinophil"]
    assert [image.id for image in found] == [
        "train/Eosinophil/95-8-27-0_0_0.png",
        "train/Eosinophil/95-8-27-0_0_1.png",
        "val/Eosinophil/95-8-27-1_0_0.png",
    ]
    assert found[0].path == "train/data/Eosinophils/95-8-27-0_0_0.png"
    assert found[0].mask == "train/mask/Eosinophils/95-8-27-0_0_0.png"


def test_a_class_and_its_alias_side_by_side_are_joined(raw):
    save(Image.new("RGB", (8, 8)), raw / "train/data/Eosinophils/more.png")
    images, _ = scan_dataset(raw, LAYOUT)
    assert sum((image.split, image.label) == ("train", "Eosinophil") for image in images) == 3


def test_two_files_of_one_name_in_a_class_and_its_alias(raw):
    save(Image.new("RGB", (8, 8)), raw / "train/data/Eosinophils/95-8-27-0_0_0.png")
    with pytest.raises(UserError, match=r"train/Eosinophil/95-8-27-0_0_0\.png.*rename"):
        scan_dataset(raw, LAYOUT)


def test_an_unknown_class_folder(raw):
    save(Image.new("RGB", (8, 8)), raw / "val/data/Blast/a.png")
    images, problems = scan_dataset(raw, LAYOUT)
    assert kinds(problems) == [("unknown_class_folder", "val/data/Blast")]
    assert not any("Blast" in image.path for image in images)


def test_hidden_and_other_files_are_no_images(raw):
    folder = raw / "train/data/Basophil"
    for name in (".DS_Store", "._95-8-27-0_0_0.png", "notes.txt", "Thumbs.db"):
        (folder / name).write_bytes(b"x")
    (raw / "train/data/.hidden").mkdir()
    (raw / "train/data/readme.md").write_bytes(b"x")
    before = listing_hash(raw)
    images, problems = scan_dataset(raw, LAYOUT)
    assert problems == []
    assert len(images) == 9
    (folder / "._other.jpg").write_bytes(b"x")
    assert listing_hash(raw) == before


@pytest.mark.parametrize(
    ("name", "is_image"),
    [
        *((name, True) for name in ("a.jpg", "a.JPEG", "a.TIF", "a.tiff", "a.bmp", "a.png")),
        *((name, False) for name in ("a.gif", "a", ".jpg", ".a.jpg", "a.jpg.txt")),
    ],
)
def test_image_files_by_name(name, is_image):
    assert is_image_file(name) is is_image


def test_names_are_sorted_and_a_missing_folder_has_none(tmp_path):
    for name in ("b.png", "a.jpg", "B.png"):
        (tmp_path / name).touch()
    assert image_names(tmp_path) == ["B.png", "a.jpg", "b.png"]
    assert image_names(tmp_path / "nowhere") == []


def test_a_mask_without_image(raw):
    (raw / "train/data/Neutrophil/95-8-27-0_0_0.png").unlink()
    _, problems = scan_dataset(raw, LAYOUT)
    assert kinds(problems) == [("mask_without_image", "train/mask/Neutrophil/95-8-27-0_0_0.png")]


@pytest.mark.parametrize("folder_stays", [True, False])
def test_an_empty_class(raw, folder_stays):
    shutil.rmtree(raw / "val/data/Neutrophil")
    if folder_stays:
        (raw / "val/data/Neutrophil").mkdir()
    _, problems = scan_dataset(raw, LAYOUT)
    assert kinds(problems) == [("empty_class", "val/data/Neutrophil")]


def test_a_missing_split_is_an_empty_class_each(raw):
    shutil.rmtree(raw / "val")
    _, problems = scan_dataset(raw, LAYOUT)
    assert kinds(problems) == [("empty_class", f"val/data/{label}") for label in CLASSES]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere does not exist: .*config"):
        scan_dataset(tmp_path / "nowhere", LAYOUT)


@pytest.mark.parametrize("layout", [LAYOUT, Layout()])
def test_a_folder_without_images_is_named(tmp_path, layout):
    with pytest.raises(UserError, match=f"{tmp_path} holds no images"):
        scan_dataset(tmp_path, layout)


def test_images_without_labels(tmp_path):
    for name in ("b.jpg", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    images, problems = scan_dataset(tmp_path, Layout())
    assert problems == []
    assert [(image.id, image.path, image.split) for image in images] == [
        ("a.png", "a.png", "train"),
        ("b.jpg", "b.jpg", "train"),
    ]
    assert {image.label + image.mask + image.slide + image.field for image in images} == {""}


@pytest.mark.parametrize(
    ("stem", "slide", "field"),
    [
        ("95-8-27-1_12_3", "95-8-27-1", "95-8-27-1/12"),
        ("20190527_111443_0", "20190527", "20190527/111443"),
        ("something else", "", ""),
        ("95-8-27-1_12", "", ""),
        ("x95-8-27-1_12_3", "", ""),
    ],
)
def test_groups_in_the_real_names(stem, slide, field):
    assert parse_group(stem, PATTERN) == (slide, field)


def test_groups_without_pattern_or_without_field():
    assert parse_group("95-8-27-1_12_3", None) == ("", "")
    assert parse_group("pbc_0012", "^(?P<slide>d1|pbc)_") == ("pbc", "")


def test_listing_hash_is_steady(raw, tmp_path):
    before = listing_hash(raw)
    for path in raw.rglob("*.png"):
        os.utime(path, (1, 1))
    assert listing_hash(raw) == before
    shutil.copytree(raw, tmp_path / "copy")
    assert listing_hash(tmp_path / "copy") == before
    (raw / "notes.txt").write_text("no image")
    assert listing_hash(raw) == before


def test_listing_hash_sees_new_removed_renamed_and_resized_files(raw):
    hashes = [listing_hash(raw)]
    new = save(Image.new("RGB", (8, 8)), raw / "train/data/Basophil/new.png")
    hashes.append(listing_hash(raw))
    new.write_bytes(new.read_bytes() + b"\0")
    hashes.append(listing_hash(raw))
    new = new.rename(new.with_name("newer.png"))
    hashes.append(listing_hash(raw))
    (raw / "val/data/Neutrophil/95-8-27-1_0_0.png").unlink()
    hashes.append(listing_hash(raw))
    assert len(set(hashes)) == 5


@pytest.fixture
def external(tmp_path):
    """Two of the three classes, one of them under another name."""
    for path in ("Basophil/7-1_2_0.png", "Basophil/b.jpg", "Eosinophils/a.png"):
        save(Image.new("RGB", (8, 8)), tmp_path / "external" / path)
    return tmp_path / "external"


EXTERNAL = Layout(images="{class}", classes=CLASSES, aliases=LAYOUT.aliases, group_pattern=PATTERN)


def test_an_external_test_set_may_lack_classes(external):
    images, problems = scan_dataset(external, EXTERNAL, external=True)
    assert problems == []
    assert [(i.id, i.path, i.split, i.label, i.mask, i.slide) for i in images] == [
        *(("Basophil/7-1_2_0.png", "Basophil/7-1_2_0.png", "test", "Basophil", "", "7-1"),),
        *(("Basophil/b.jpg", "Basophil/b.jpg", "test", "Basophil", "", ""),),
        *(("Eosinophil/a.png", "Eosinophils/a.png", "test", "Eosinophil", "", ""),),
    ]


def test_an_external_folder_of_another_class_is_a_problem(external):
    save(Image.new("RGB", (8, 8)), external / "Blast/a.png")
    images, problems = scan_dataset(external, EXTERNAL, external=True)
    assert len(images) == 3
    assert kinds(problems) == [("unknown_class_folder", "Blast")]


def test_an_external_folder_without_classes_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"holds no images: expected <class>/\*\.jpg"):
        scan_dataset(tmp_path, EXTERNAL, external=True)


def test_the_folders_that_a_data_set_is_read_from(tmp_path):
    """What a container must see: the folder, or, of a table, where the files lie that it names."""
    assert folders_read(tmp_path, Layout(folder="cells")) == [str(tmp_path)]
    table = tmp_path / "lists/cells.csv"
    table.parent.mkdir()
    names = ["near/a.png,", "near/deep/b.png,", "../far/c.png,../masks/c.png", "d.png,"]
    table.write_text("\n".join(["path,mask", *names]))
    found = folders_read(tmp_path, Layout(table="lists/cells.csv"))
    assert found == [str(tmp_path / name) for name in ("far", "lists", "masks")]
