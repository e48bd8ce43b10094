"""Finding images in the real layout, and what file names tell."""

import shutil

import pytest
import yaml
from builders import CLASSES, PLACES, REPOSITORY, save, scanned, write_labelled
from PIL import Image

from fewlabels.core.errors import UserError
from fewlabels.data.datasets import folders_read, scan_dataset
from fewlabels.data.found_images import parse_group
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
    images, problems = scanned(raw, LAYOUT)
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
    images, problems = scanned(raw, LAYOUT)
    assert problems == []
    assert images[0].mask == "train/mask/Neutrophil/95-8-27-0_0_0.bmp"


def test_an_alias_is_read_as_its_class(raw):
    for split in ("train/data", "train/mask", "val/data"):
        (raw / split / "Eosinophil").rename(raw / split / "Eosinophils")
    images, problems = scanned(raw, LAYOUT)
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
    images, _ = scanned(raw, LAYOUT)
    assert sum((image.split, image.label) == ("train", "Eosinophil") for image in images) == 3


def test_two_files_of_one_name_in_a_class_and_its_alias(raw):
    save(Image.new("RGB", (8, 8)), raw / "train/data/Eosinophils/95-8-27-0_0_0.png")
    _, problems = scanned(raw, LAYOUT)
    assert kinds(problems) == [
        ("same_name", "train/data/Eosinophils/95-8-27-0_0_0.png"),
        ("ambiguous_mask", "train/mask/Eosinophil/95-8-27-0_0_0.png"),
    ]
    assert (
        "and train/data/Eosinophil/95-8-27-0_0_0.png are two files of one name"
        in problems[0].detail
    )


def test_two_names_that_differ_in_their_unicode_form(raw):
    for name in ("caf\u00e9.png", "cafe\u0301.png"):
        save(Image.new("RGB", (8, 8)), raw / "train/data/Basophil" / name)
    _, problems = scanned(raw, LAYOUT)
    assert [problem.kind for problem in problems] == ["same_name"]
    assert "Unicode form alone: rename" in problems[0].detail


def test_class_folders_count_whatever_their_unicode_form(tmp_path):
    layout = Layout(images="{class}", classes=["caf\u00e9", "x"])
    for name in ("cafe\u0301/1.png", "x/1.png"):
        save(Image.new("RGB", (8, 8)), tmp_path / name)
    images, problems = scanned(tmp_path, layout)
    assert problems == []
    assert [image.label for image in images] == ["caf\u00e9", "x"]


@pytest.mark.parametrize("name", ["EOSINOPHIL", "Eosinophl"])
def test_a_misspelt_class_folder_is_told_with_the_class_that_is_near(raw, name):
    (raw / "train/data/Eosinophil").rename(raw / "train/data" / name)
    _, problems = scanned(raw, LAYOUT)
    assert problems[0].kind == "unknown_class_folder"
    assert (problems[0].path, problems[0].files) == (f"train/data/{name}", 2)
    assert (
        f"did you mean 'Eosinophil'? Rename it, or add '{name}: Eosinophil'" in problems[0].detail
    )
    assert {problem.kind for problem in problems[1:]} == {"empty_class", "mask_without_image"}


def test_class_folders_none_of_which_is_known(raw):
    for folder in raw.glob("*/*/*"):
        folder.rename(folder.with_name(folder.name.upper()))
    with pytest.raises(
        UserError, match=r"unknown class folder: train/data/BASOPHIL .*'Basophil'\?"
    ):
        scan_dataset(raw, LAYOUT)


def test_pictures_where_the_layout_does_not_lead(raw):
    for name in ("train/data/Basophil/patient1/a.png", "train/data/Basophil/patient1/b.png"):
        save(Image.new("RGB", (8, 8)), raw / name)
    save(Image.new("RGB", (8, 8)), raw / "train/other/c.png")
    (raw / "val/data/Basophil/slide.svs").write_bytes(b"x")
    images, problems = scanned(raw, LAYOUT)
    assert len(images) == 9
    found = {problem.path: (problem.kind, problem.files) for problem in problems}
    assert found == {
        "train/data/Basophil/patient1/a.png": ("ignored_image", 2),
        "train/other/c.png": ("ignored_image", 1),
        "val/data/Basophil/slide.svs": ("ignored_image", 1),
    }
    told = " ".join(problem.detail for problem in problems)
    for words in (
        "set datasets.*.images to '{split}/data/{class}/**'",
        "where datasets.*.images ('{split}/data/{class}') does not lead",
        "a format that is not read",
    ):
        assert words in told


def test_subfolders_are_read_where_the_pattern_says_so(raw):
    folder = raw / "train/data/Basophil"
    for name in ("p1/a.png", "p1/deep/b.png", "p2/a.png"):
        save(Image.new("RGB", (8, 8)), folder / name)
        save(Image.new("L", (8, 8)), raw / "train/mask/Basophil" / name)
    layout = LAYOUT.model_copy(
        update={
            "images": "{split}/data/{class}/**",
            "masks": "{split}/mask/{class}/**",
            "group_pattern": "^(?P<slide>[^/]+)/",
        }
    )
    images, problems = scanned(raw, layout)
    assert problems == []
    found = [image for image in images if image.slide]
    assert [(image.id, image.slide) for image in found] == [
        ("train/Basophil/p1/a.png", "p1"),
        ("train/Basophil/p1/deep/b.png", "p1"),
        ("train/Basophil/p2/a.png", "p2"),
    ]
    assert [image.mask for image in found] == [
        f"train/mask/Basophil/{name}" for name in ("p1/a.png", "p1/deep/b.png", "p2/a.png")
    ]
    assert len(images) == 12


def test_one_mask_for_images_of_one_name_in_several_subfolders(raw):
    for name in ("p1/a.png", "p2/a.png"):
        save(Image.new("RGB", (8, 8)), raw / "train/data/Basophil" / name)
    save(Image.new("L", (8, 8)), raw / "train/mask/Basophil/a.png")
    layout = LAYOUT.model_copy(update={"images": "{split}/data/{class}/**"})
    images, problems = scanned(raw, layout)
    assert kinds(problems) == [("ambiguous_mask", "train/mask/Basophil/a.png")]
    assert not any(image.mask.endswith("/a.png") for image in images)


def test_an_unknown_class_folder(raw):
    save(Image.new("RGB", (8, 8)), raw / "val/data/Blast/a.png")
    images, problems = scanned(raw, LAYOUT)
    assert kinds(problems) == [("unknown_class_folder", "val/data/Blast")]
    assert not any("Blast" in image.path for image in images)


def test_hidden_and_other_files_are_listed_and_no_problem(raw):
    folder = raw / "train/data/Basophil"
    for name in (".DS_Store", "._95-8-27-0_0_0.png", "notes.txt", "Thumbs.db"):
        (folder / name).write_bytes(b"x")
    (raw / "train/data/.hidden").mkdir()
    (raw / "train/data/readme.md").write_bytes(b"x")
    scan = scan_dataset(raw, LAYOUT)
    assert scan.problems == []
    assert len(scan.images) == 9
    assert scan.left_out == {
        "train/data/Basophil/.DS_Store": "litter",
        "train/data/Basophil/._95-8-27-0_0_0.png": "litter",
        "train/data/Basophil/Thumbs.db": "litter",
        "train/data/Basophil/notes.txt": "no_picture",
        "train/data/readme.md": "no_picture",
    }


def test_a_mask_without_image(raw):
    (raw / "train/data/Neutrophil/95-8-27-0_0_0.png").unlink()
    _, problems = scanned(raw, LAYOUT)
    assert kinds(problems) == [("mask_without_image", "train/mask/Neutrophil/95-8-27-0_0_0.png")]


@pytest.mark.parametrize("folder_stays", [True, False])
def test_an_empty_class(raw, folder_stays):
    shutil.rmtree(raw / "val/data/Neutrophil")
    if folder_stays:
        (raw / "val/data/Neutrophil").mkdir()
    _, problems = scanned(raw, LAYOUT)
    assert kinds(problems) == [("class_without_test_images", "val/data/Neutrophil")]
    assert "put some into val/data/Neutrophil, or set problems.class_without" in problems[0].detail


def test_a_missing_split_is_an_empty_class_each(raw):
    shutil.rmtree(raw / "val")
    _, problems = scanned(raw, LAYOUT)
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
    images, problems = scanned(tmp_path, Layout())
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


@pytest.fixture
def external(tmp_path):
    """Two of the three classes, one of them under another name."""
    for path in ("Basophil/7-1_2_0.png", "Basophil/b.jpg", "Eosinophils/a.png"):
        save(Image.new("RGB", (8, 8)), tmp_path / "external" / path)
    return tmp_path / "external"


EXTERNAL = Layout(images="{class}", classes=CLASSES, aliases=LAYOUT.aliases, group_pattern=PATTERN)


def test_an_external_test_set_may_lack_classes(external):
    images, problems = scanned(external, EXTERNAL, external=True)
    assert problems == []
    assert [(i.id, i.path, i.split, i.label, i.mask, i.slide) for i in images] == [
        *(("Basophil/7-1_2_0.png", "Basophil/7-1_2_0.png", "test", "Basophil", "", "7-1"),),
        *(("Basophil/b.jpg", "Basophil/b.jpg", "test", "Basophil", "", ""),),
        *(("Eosinophil/a.png", "Eosinophils/a.png", "test", "Eosinophil", "", ""),),
    ]


def test_an_external_folder_of_another_class_is_a_problem(external):
    save(Image.new("RGB", (8, 8)), external / "Blast/a.png")
    images, problems = scanned(external, EXTERNAL, external=True)
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
