"""Images and masks in folders of every form that a pattern can give them."""

import pytest
from builders import scanned

from fewlabels.core.errors import UserError
from fewlabels.data.layouts import Layout, check_layout

SPLITS = {"train": "a", "test": "b"}


def scan(root, files, external=False, **layout):
    """Make empty files; give (id, path, role, label, mask) of each image, and (kind, path) of the problems."""
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    layout = Layout(folder="raw", **layout)
    check_layout("datasets.x", layout)
    images, problems = scanned(root, layout, external)
    return (
        [(i.id, i.path, i.split, i.label, i.mask) for i in images],
        [(problem.kind, problem.path) for problem in problems],
    )


@pytest.mark.parametrize(
    ("pattern", "place"),
    [
        ("{split}/{class}", "{s}/{c}"),
        ("{split}/data/{class}", "{s}/data/{c}"),
        ("{class}/{split}", "{c}/{s}"),
        ("images_{split}/{class}", "images_{s}/{c}"),
        ("images_{split}/class_{class}/x", "images_{s}/class_{c}/x"),
        ("{split}_{class}", "{s}_{c}"),
        ("data/{class}/{split}/{class}", "data/{c}/{s}/{c}"),
    ],
)
def test_classes_and_splits_wherever_the_pattern_has_them(tmp_path, pattern, place):
    """The classes are numbers; 7 is another name of 1."""
    spots = [("a", "0"), ("a", "7"), ("b", "0"), ("b", "1")]
    files = [f"{place.format(s=split, c=name)}/i.png" for split, name in spots]
    images, problems = scan(
        tmp_path, files, images=pattern, classes=[0, 1], aliases={7: 1}, splits=SPLITS
    )
    assert problems == []
    assert images == [
        ("a/0/i.png", files[0], "train", "0", ""),
        ("a/1/i.png", files[1], "train", "1", ""),
        ("b/0/i.png", files[2], "test", "0", ""),
        ("b/1/i.png", files[3], "test", "1", ""),
    ]


def test_without_a_split_all_are_training_images(tmp_path):
    files = ["y/b.png", "x/a.png"]
    found = scan(tmp_path, files, images="{class}", classes=["x", "y"])
    assert found == (
        [("x/a.png", "x/a.png", "train", "x", ""), ("y/b.png", "y/b.png", "train", "y", "")],
        [],
    )
    found, problems = scan(tmp_path, [], images="{class}", classes=["x", "y", "z"])
    assert (len(found), problems) == (2, [("empty_class", "z")])


def test_without_labels_in_folders_of_splits(tmp_path):
    images, problems = scan(
        tmp_path, ["a/2.png", "a/1.png", "c/3.png"], images="{split}", splits=SPLITS
    )
    assert images == [
        ("a/1.png", "a/1.png", "train", "", ""),
        ("a/2.png", "a/2.png", "train", "", ""),
    ]
    assert sorted(problems) == [("empty_class", "b"), ("ignored_image", "c/3.png")]


def test_a_folder_between(tmp_path):
    images, _ = scan(tmp_path, ["deep/er/1.png", "2.png"], images="deep/er")
    assert images == [("1.png", "deep/er/1.png", "train", "", "")]


def test_images_in_folders_that_no_role_names_are_told(tmp_path):
    images, problems = scan(
        tmp_path,
        ["a/x/1.png", "b/x/1.png", "extra/x/1.png"],
        **{"images": "{split}/{class}", "classes": ["x"], "splits": SPLITS},
    )
    assert [image[0] for image in images] == ["a/x/1.png", "b/x/1.png"]
    assert problems == [("ignored_image", "extra/x/1.png")]


@pytest.mark.parametrize(
    ("pattern", "unknown", "ignored"),
    [
        ("{split}/{class}", "a/z/1.png", "z/x/1.png"),
        ("{class}/{split}", "z/a/1.png", "z2/other/1.png"),
        ("{split}/class_{class}", "a/class_z/1.png", "a/other/1.png"),
    ],
)
def test_unknown_class_folders_are_told_once(tmp_path, pattern, unknown, ignored):
    known = [pattern.format(**{"split": split, "class": "x"}) + "/1.png" for split in "ab"]
    extra = [unknown.replace("a", "b")] if pattern == "{class}/{split}" else []
    images, problems = scan(
        tmp_path,
        [*known, unknown, *extra, ignored],
        **{"images": pattern, "classes": ["x"], "splits": SPLITS},
    )
    assert len(images) == 2
    folder = "z" if pattern == "{class}/{split}" else unknown.removesuffix("/1.png")
    assert problems == [("unknown_class_folder", folder), ("ignored_image", ignored)]


def masks_of(images) -> dict[str, str]:
    return {image[0]: image[4] for image in images}


@pytest.mark.parametrize("mask_name", ["{stem}_mask", "m-{stem}"])
@pytest.mark.parametrize("ending", ["png", "bmp"])
def test_masks_beside_their_images(tmp_path, mask_name, ending):
    mask, lost = (mask_name.format(stem=stem) for stem in ("1", "nobody"))
    images, problems = scan(
        tmp_path,
        ["x/1.png", "x/2.png", f"x/{mask}.{ending}", f"x/{lost}.png"],
        **{"images": "{class}", "masks": "{class}", "mask_name": mask_name, "classes": ["x"]},
    )
    assert masks_of(images) == {"x/1.png": f"x/{mask}.{ending}", "x/2.png": ""}
    assert problems == [("mask_without_image", f"x/{lost}.png")]


def test_masks_by_another_name_in_folders_of_their_own(tmp_path):
    images, problems = scan(
        tmp_path,
        ["a/x/1.jpg", "a/x/2.jpg", "masks/a/x/1_seg.png", "masks/a/x/2.png"],
        images="{split}/{class}",
        masks="masks/{split}/{class}",
        mask_name="{stem}_seg",
        classes=["x"],
        splits={"train": "a"},
    )
    assert masks_of(images) == {"a/x/1.jpg": "masks/a/x/1_seg.png", "a/x/2.jpg": ""}
    assert problems == [("mask_without_image", "masks/a/x/2.png")]


def test_masks_of_images_without_labels(tmp_path):
    images, problems = scan(tmp_path, ["1.png", "2.png", "masks/1.png"], masks="masks")
    assert masks_of(images) == {"1.png": "masks/1.png", "2.png": ""}
    assert problems == []


def test_the_masks_folder_is_no_class_folder(tmp_path):
    images, problems = scan(
        tmp_path,
        ["x/1.png", "masks/x/1.png"],
        **{"images": "{class}", "masks": "masks/{class}", "classes": ["x"]},
    )
    assert masks_of(images) == {"x/1.png": "masks/x/1.png"}
    assert problems == []


@pytest.mark.parametrize(
    ("masks", "files"),
    [
        ("masks", ["masks/1.png", "masks/2.png", "masks/3.png", "masks/9.png"]),
        ("m/{class}", ["m/x/1.png", "m/y/2.png", "m/x/3.png", "m/x/9.png"]),
        ("m/{split}", ["m/a/1.png", "m/a/2.png", "m/b/3.png", "m/a/9.png"]),
    ],
)
def test_masks_in_fewer_folders_than_images(tmp_path, masks, files):
    """A mask is left over only where no image of any class and split takes it."""
    images, problems = scan(
        tmp_path,
        ["a/x/1.png", "a/y/2.png", "b/x/3.png", "b/y/4.png", *files],
        **{"images": "{split}/{class}", "masks": masks, "classes": ["x", "y"], "splits": SPLITS},
    )
    assert list(masks_of(images).values()) == [*files[:3], ""]
    assert problems == [("mask_without_image", files[3])]


def test_an_external_set_with_splits_may_lack_classes(tmp_path):
    layout = {"images": "{split}/{class}", "classes": ["x", "y"], "splits": SPLITS}
    images, problems = scan(tmp_path, ["b/y/1.png"], external=True, **layout)
    assert (images, problems) == ([("b/y/1.png", "b/y/1.png", "test", "y", "")], [])
    assert len(scan(tmp_path, [], **layout)[1]) == 3


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ({}, r"expected \*\.jpg"),
        ({"images": "{class}", "classes": ["x"]}, r"expected <class>/\*\.jpg"),
        (
            {"images": "{split}/d/{class}", "classes": ["x"], "splits": SPLITS},
            r"expected <split>/d/<class>/\*\.jpg",
        ),
    ],
)
def test_no_image_at_all(tmp_path, layout, expected):
    with pytest.raises(UserError, match=expected):
        scan(tmp_path, ["elsewhere/1.txt"], **layout)
