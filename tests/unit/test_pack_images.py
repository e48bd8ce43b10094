"""Packing: every image in its row, decoded once, the mask on its image."""

import numpy as np
import pytest
from builders import CLASSES, SIDE, count_reads, failure, index, pack, picture, save, write_labelled
from PIL import Image

from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.pictures import open_pictures

SPLITS = {"train": "train", "test": "val"}


@pytest.fixture
def raw(tmp_path):
    raw = write_labelled(tmp_path / "raw", {"train": 2, "val": 1}, {"train": 1})
    assert index(raw, tmp_path, SPLITS) == 0
    return raw


def test_rows_are_those_of_the_index(raw, tmp_path):
    assert pack(raw, tmp_path) == 0
    rows = read_csv(tmp_path / "index.csv")
    assert [row["id"] for row in read_csv(tmp_path / "images.csv")] == [row["id"] for row in rows]
    images = np.load(tmp_path / "images.npy")
    assert images.dtype == np.uint8
    assert images.shape == (9, SIDE, SIDE, 3)
    for row, pixels in zip(rows, images, strict=True):
        with Image.open(raw / row["path"]) as image:
            np.testing.assert_array_equal(pixels, np.asarray(image))


def test_masks_are_those_of_the_index(raw, tmp_path):
    assert pack(raw, tmp_path) == 0
    masked = [row for row in read_csv(tmp_path / "index.csv") if row["mask"]]
    assert [row["id"] for row in read_csv(tmp_path / "masks.csv")] == [row["id"] for row in masked]
    masks = np.load(tmp_path / "masks.npy")
    assert masks.dtype == bool
    assert masks.shape == (3, SIDE, SIDE)
    for row, mask in zip(masked, masks, strict=True):
        with Image.open(raw / row["mask"]) as image:
            np.testing.assert_array_equal(mask, np.asarray(image) >= 128)


def test_order_follows_the_index_not_the_folder(raw, tmp_path):
    rows = read_csv(tmp_path / "index.csv")
    rows.reverse()
    write_csv(tmp_path / "index.csv", list(rows[0]), rows)
    assert pack(raw, tmp_path) == 0
    assert [row["id"] for row in read_csv(tmp_path / "images.csv")] == [row["id"] for row in rows]
    with Image.open(raw / rows[0]["path"]) as image:
        np.testing.assert_array_equal(np.load(tmp_path / "images.npy")[0], np.asarray(image))


def test_each_file_is_opened_once(raw, tmp_path, monkeypatch):
    opened = count_reads(monkeypatch)
    assert pack(raw, tmp_path) == 0
    assert opened == {str(path): 1 for path in raw.rglob("*.png")}


def test_more_images_than_one_chunk(tmp_path):
    """16 images are in flight per thread: 20 take two rounds."""
    raw = tmp_path / "raw"
    for label, colour in zip(CLASSES, (10, 20, 30), strict=True):
        for number in range(20):
            image = Image.new("RGB", (8, 8), (colour, number, 0))
            save(image, raw / "train/data" / label / f"{number:02}.png")
    assert index(raw, tmp_path, {"train": "train"}) == 0
    assert pack(raw, tmp_path, size=8, threads=1) == 0
    images = np.load(tmp_path / "images.npy")
    assert [tuple(map(int, image[0, 0, :2])) for image in images] == [
        (colour, number) for colour in (10, 20, 30) for number in range(20)
    ]
    one = (tmp_path / "images.npy").read_bytes()
    assert pack(raw, tmp_path, size=8, threads=3) == 0
    assert (tmp_path / "images.npy").read_bytes() == one


@pytest.mark.parametrize("how", ["stretch", "crop", "pad"])
def test_images_become_square_as_asked(tmp_path, how):
    """32 x 16 pixels, white in the middle square, black beside it."""
    raw = tmp_path / "raw"
    image = Image.new("RGB", (32, 16))
    image.paste((255, 255, 255), (8, 0, 24, 16))
    save(image, raw / "train/data/Basophil/a.png")
    save(image.convert("L"), raw / "train/mask/Basophil/a.png")
    assert index(raw, tmp_path, {"train": "train"}) == 0
    assert pack(raw, tmp_path, resize=how, size=16) == 0
    white = np.load(tmp_path / "images.npy")[0, :, :, 0] >= 128
    expected = np.zeros((16, 16), bool)
    if how == "stretch":
        expected[:, 4:12] = True
    elif how == "crop":
        expected[:] = True
    else:
        expected[4:12, 4:12] = True
    np.testing.assert_array_equal(white, expected)
    np.testing.assert_array_equal(np.load(tmp_path / "masks.npy")[0], expected)


def test_a_data_set_without_masks(tmp_path):
    raw = write_labelled(tmp_path / "raw", {"train": 2}, {})
    assert index(raw, tmp_path, {"train": "train"}) == 0
    assert pack(raw, tmp_path) == 0
    assert np.load(tmp_path / "masks.npy").shape == (0, SIDE, SIDE)
    assert read_csv(tmp_path / "masks.csv") == []
    assert open_pictures([tmp_path / "masks.npy"]).rows([]).shape == (0, SIDE, SIDE)


@pytest.mark.parametrize("damage", ["broken", "gone"])
def test_a_file_that_changed_since_is_one_line(raw, tmp_path, capsys, damage):
    path = raw / "train/data/Basophil/95-8-27-0_0_0.png"
    if damage == "broken":
        path.write_bytes(b"broken")
    else:
        path.unlink()
    line = failure(
        capsys,
        "pack_images",
        folder=raw,
        index=tmp_path / "index.csv",
        reading=tmp_path / "reading.json",
        size=SIDE,
        **{name: tmp_path / f"{name}.npy" for name in ("images", "masks")},
    )
    assert "changed since index_images" in line
    assert "--forcerun index_images" in line
    assert not (tmp_path / "images.npy").exists()
    assert not (tmp_path / "images.csv").exists()
    assert not list(tmp_path.glob(".*"))


def test_the_tables_beside_the_arrays_name_each_row(raw, tmp_path):
    assert pack(raw, tmp_path) == 0
    index_rows = read_csv(tmp_path / "index.csv")
    masked = [row for row in index_rows if row["mask"]]
    for name, kind, rows in (("images", "plain", index_rows), ("masks", "mask", masked)):
        assert read_csv(tmp_path / f"{name}.csv") == [
            {"id": row["id"], "kind": kind, "row": str(n)} for n, row in enumerate(rows)
        ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("images.csv", "images.npy", "index.csv", "left_out.csv", "masks.csv", "masks.npy"),
        *("problems.csv", "raw", "reading.json"),
    ]


def test_large_images_shrink(tmp_path):
    raw = tmp_path / "raw"
    save(picture((100, 150, 50), 1, (96, 64)), raw / "train/data/Basophil/a.png")
    assert index(raw, tmp_path, {"train": "train"}) == 0
    assert pack(raw, tmp_path) == 0
    image = np.load(tmp_path / "images.npy")[0]
    np.testing.assert_allclose(image.mean((0, 1)), (100, 150, 50), atol=2)
    # Averaging takes most of the noise (standard deviation 15) away.
    assert image[..., 0].std() < 9
