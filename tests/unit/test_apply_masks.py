"""Applying masks: the background black, the foreground as it was."""

import numpy as np
import pytest
from builders import (
    CLASSES,
    SIDE,
    apply_masks,
    colours_in,
    failure,
    index,
    pack,
    save,
    write_labelled,
)
from PIL import Image

from fewlabels.core.files import read_csv
from fewlabels.data.pictures import open_pictures

SPLITS = {"train": "train"}


@pytest.fixture
def packed(tmp_path):
    """Three classes of two images, all with a mask; the mask of the first has no foreground."""
    raw = write_labelled(tmp_path / "raw", {"train": 2}, {"train": 2})
    save(Image.new("L", (SIDE, SIDE)), raw / "train/mask/Neutrophil/95-8-27-0_0_0.png")
    assert index(raw, tmp_path, SPLITS) == 0
    assert pack(raw, tmp_path) == 0
    return tmp_path


def rows_of(folder) -> list[dict[str, str]]:
    return read_csv(folder / "masked.csv")


def masks_of(folder) -> np.ndarray:
    """The masks of all images, from their files: bool (6, SIDE, SIDE)."""
    masks = []
    for row in read_csv(folder / "index.csv"):
        with Image.open(folder / "raw" / row["mask"]) as image:
            masks.append(np.asarray(image) >= 128)
    return np.stack(masks)


def test_background_is_black_and_foreground_untouched(packed):
    assert apply_masks(packed) == 0
    masked, images = np.load(packed / "masked.npy"), np.load(packed / "images.npy")
    assert masked.dtype == np.uint8
    assert masked.shape == (5, SIDE, SIDE, 3)
    # Image 0 has the empty mask.
    inside = masks_of(packed)[1:]
    np.testing.assert_array_equal(masked[inside], images[1:][inside])
    assert images[1:][~inside].any()
    assert not masked[~inside].any()


def test_an_empty_mask_is_kept_by_default(packed):
    assert apply_masks(packed) == 0
    rows = rows_of(packed)
    assert [row["state"] for row in rows] == ["kept"] + ["applied"] * 5
    assert [row["row"] for row in rows] == ["", "0", "1", "2", "3", "4"]
    shares = masks_of(packed).mean((1, 2))
    assert [float(row["foreground"]) for row in rows] == pytest.approx(shares)
    assert rows[0]["id"] == "train/Neutrophil/95-8-27-0_0_0.png"
    assert [row["label"] for row in rows[::2]] == CLASSES


def test_an_empty_mask_applied_is_a_black_image(packed):
    assert apply_masks(packed, empty="apply") == 0
    assert [row["state"] for row in rows_of(packed)] == ["applied"] * 6
    masked = np.load(packed / "masked.npy")
    assert len(masked) == 6
    assert not masked[0].any()
    np.testing.assert_array_equal(masked[1].any(-1), masks_of(packed)[1])


def test_an_empty_mask_may_stop(packed, capsys):
    line = failure(
        capsys,
        "apply_masks",
        index=packed / "index.csv",
        **{name: packed / f"{name}.npy" for name in ("images", "masks", "masked")},
        contact_sheet=packed / "sheet.png",
        empty="stop",
    )
    assert "train/Neutrophil/95-8-27-0_0_0.png has no foreground" in line
    assert "masks.empty" in line
    assert not (packed / "masked.npy").exists()


@pytest.mark.parametrize(
    ("empty", "words"),
    [
        ("keep", "6 masks, 5 applied, 1 without foreground (keep)"),
        ("apply", "6 masks, 6 applied, 1 without foreground (apply)"),
    ],
)
def test_counts_in_the_log(packed, capsys, empty, words):
    assert apply_masks(packed, empty=empty) == 0
    assert words in capsys.readouterr().err


def test_the_contact_sheet_shows_pictures(packed):
    assert apply_masks(packed) == 0
    assert colours_in(packed / "sheet.png") > 100
    with Image.open(packed / "sheet.png") as sheet:
        assert sheet.width > sheet.height


def test_masked_images_are_found_by_id(packed):
    assert apply_masks(packed) == 0
    masked = open_pictures([packed / "masked.npy"])
    names = [row["id"] for row in rows_of(packed)]
    assert {row["kind"] for row in rows_of(packed)} == {"masked"}
    assert [(name, "masked") in masked for name in names] == [False] + [True] * 5
    np.testing.assert_array_equal(
        masked.rows([(names[3], "masked")])[0], np.load(packed / "masked.npy")[2]
    )


def test_a_data_set_without_masks(tmp_path):
    raw = write_labelled(tmp_path / "raw", {"train": 2}, {})
    assert index(raw, tmp_path, SPLITS) == 0
    assert pack(raw, tmp_path) == 0
    assert apply_masks(tmp_path) == 0
    assert np.load(tmp_path / "masked.npy").shape == (0, SIDE, SIDE, 3)
    assert rows_of(tmp_path) == []
    assert colours_in(tmp_path / "sheet.png") > 1
    assert open_pictures([tmp_path / "masked.npy"]).row_of == {}


def test_only_masks_without_foreground(packed):
    np.save(packed / "masks.npy", np.zeros_like(np.load(packed / "masks.npy")))
    assert apply_masks(packed) == 0
    assert len(np.load(packed / "masked.npy")) == 0
    assert {row["state"] for row in rows_of(packed)} == {"kept"}


def test_equal_input_gives_equal_files(packed):
    assert apply_masks(packed) == 0
    names = ("masked.npy", "masked.csv", "sheet.png")
    before = [(packed / name).read_bytes() for name in names]
    assert apply_masks(packed) == 0
    assert [(packed / name).read_bytes() for name in names] == before
