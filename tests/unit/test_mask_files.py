"""Which mask belongs to which image; what is in doubt belongs to none."""

import pytest

from fewlabels.data.found_images import Scan
from fewlabels.data.mask_files import match_masks

E_ONE, E_TWO = "caf\u00e9", "cafe\u0301"


def match(images, masks, mask_name="{stem}"):
    """Pairs, and (kind, path, files) of the problems."""
    scan = Scan()
    pairs = match_masks(images, masks, mask_name, scan, "x", "datasets.wbc")
    assert set(scan.left_out) == set(masks) - set(pairs.values())
    return pairs, scan.problems


@pytest.mark.parametrize(
    ("images", "masks", "mask_name", "pairs"),
    [
        (["a.jpg"], ["m/a.png"], "{stem}", {"a.jpg": "m/a.png"}),
        (["a.jpg"], ["m/a_seg.bmp"], "{stem}_seg", {"a.jpg": "m/a_seg.bmp"}),
        (["a.jpg"], ["m/a.jpg.png"], "{name}", {"a.jpg": "m/a.jpg.png"}),
        (["a.jpg"], ["m/a.jpg_m.png"], "{name}_m", {"a.jpg": "m/a.jpg_m.png"}),
        (["a.b.jpg"], ["m/a.b.png"], "{stem}", {"a.b.jpg": "m/a.b.png"}),
        ([f"{E_ONE}.jpg"], [f"{E_TWO}.png"], "{stem}", {f"{E_ONE}.jpg": f"{E_TWO}.png"}),
        (["a.jpg", "a.png"], ["m/a.png"], "{stem}", {"a.png": "m/a.png"}),
        (
            ["a.jpg", "a.png"],
            ["m/a.png", "m/a.jpg"],
            "{stem}",
            {"a.png": "m/a.png", "a.jpg": "m/a.jpg"},
        ),
    ],
)
def test_pairs(images, masks, mask_name, pairs):
    assert match(images, masks, mask_name) == (pairs, [])


def test_one_mask_for_two_images_is_in_doubt():
    pairs, (problem,) = match(["a.jpg", "a.tif"], ["m/a.png"])
    assert pairs == {}
    assert (problem.kind, problem.path) == ("ambiguous_mask", "m/a.png")
    assert "a.jpg or of a.tif" in problem.detail


def test_two_masks_of_one_image_are_in_doubt():
    pairs, (problem,) = match(["a.jpg"], ["m/a.png", "m/a.bmp"])
    assert pairs == {}
    assert (problem.kind, problem.path, problem.files) == ("ambiguous_mask", "m/a.bmp", 2)
    pairs, (problem,) = match(["a.png"], ["m/a.png", "m/a.bmp"])
    assert pairs == {"a.png": "m/a.png"}
    assert (problem.kind, problem.path) == ("ambiguous_mask", "m/a.bmp")


@pytest.mark.parametrize(
    ("mask", "template"),
    [
        ("cell_7_mask.png", "{stem}_mask"),
        ("mask_cell_7.png", "mask_{stem}"),
        ("cell_7.jpg.png", "{name}"),
        ("cell_7.jpg_m.png", "{name}_m"),
    ],
)
def test_a_mask_that_is_called_otherwise_names_the_key(mask, template):
    _, (problem,) = match(["d/cell_7.jpg", "d/cell_70.jpg"], [f"m/{mask}"])
    assert problem.kind == "mask_without_image"
    assert f"datasets.wbc.mask_name to '{template}'" in problem.detail


def test_a_mask_that_is_called_after_no_image():
    _, (problem,) = match(["d/cell_7.jpg"], ["m/other.png"])
    assert problem.detail.endswith("in x: add the image or remove the mask")
