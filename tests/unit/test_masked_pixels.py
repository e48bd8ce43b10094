"""What an arm with predicted masks sees of an image, by hand."""

import numpy as np
import pytest
import torch
from image_sets import CPU

from fewlabels.core.files import write_csv
from fewlabels.data.pictures import Pictures, table_of
from fewlabels.data.predicted_masks import (
    KIND,
    TABLE_COLUMNS,
    cell_box,
    crop_square,
    mask_rows,
    open_predicted_masks,
)
from fewlabels.statistics.overlap import dice_and_iou
from fewlabels.training.masked_pixels import MaskView, held_in_memory, unpack_bits
from fewlabels.training.stored_rows import stored_rows

SIDE = 8
IDS = ["cell", "empty"]


@pytest.fixture
def images():
    """Two images of pixels that all differ, uint8 (2, 8, 8, 3)."""
    return np.arange(2 * SIDE * SIDE * 3, dtype=np.uint8).reshape(2, SIDE, SIDE, 3)


@pytest.fixture
def masks():
    """A cell of 2 x 4 pixels with debris in a corner, and nothing."""
    masks = np.zeros((2, SIDE, SIDE), bool)
    masks[0, 3:5, 2:6] = True
    masks[0, 0, 7] = True
    return masks


@pytest.fixture
def seen(images, masks):
    """Gives the pixels that are taken in some use, uint8 (n, channels, 8, 8)."""

    def take(use, margin=0.0, places=(0, 1)):
        pixels = stored_rows([images], range(2), CPU.device)
        view = MaskView(held_in_memory(IDS, [masks[:1], masks[1:]]), use, margin)
        return view.of(pixels, IDS).take(torch.tensor(places)).numpy()

    return take


def test_replaced_is_black_outside_the_mask_and_whole_without_one(seen, images, masks):
    found = seen("replace").transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(found[0], images[0] * masks[0][..., None])
    np.testing.assert_array_equal(found[1], images[1])


def test_a_channel_is_the_mask_and_colours_stay(seen, images, masks):
    found = seen("channel", places=(1, 0))
    assert found.shape == (2, 4, SIDE, SIDE)
    np.testing.assert_array_equal(found[:, :3].transpose(0, 2, 3, 1), images[::-1])
    np.testing.assert_array_equal(found[:, 3], masks[::-1] * np.uint8(255))


def test_a_crop_is_the_enlarged_square_around_the_largest_piece(seen, images):
    found = seen("crop").transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(found[1], images[1])
    # The square: rows 2 to 5, columns 2 to 5. Twice as large; values rise by 24 a row and 3 a column, evenly.
    cropped = images[0, 2:6, 2:6].astype(int)
    assert found.shape == (2, SIDE, SIDE, 3)
    inner = (cropped[:-1, :-1] + cropped[1:, 1:]) / 2
    np.testing.assert_allclose(found[0, 1:-1, 1:-1][::2, ::2], inner - 24 / 4 - 3 / 4, atol=1)
    np.testing.assert_array_equal(found[0, 0, 0], cropped[0, 0])
    np.testing.assert_array_equal(found[0, -1, -1], cropped[-1, -1])


def test_a_margin_widens_the_crop(seen, images):
    # Of 4 pixels, a half on each side: the whole image, so that nothing is interpolated.
    np.testing.assert_array_equal(seen("crop", 0.5)[0].transpose(1, 2, 0), images[0])
    assert not np.array_equal(seen("crop", 0.25)[0].transpose(1, 2, 0), images[0])


def test_bits_come_back_as_they_were_packed():
    bits = np.random.default_rng(0).integers(0, 2, (3, 4, 16)).astype(np.uint8)
    packed = torch.from_numpy(np.packbits(bits, axis=-1))
    np.testing.assert_array_equal(unpack_bits(packed).numpy(), bits)


def test_the_box_is_of_the_largest_piece(masks):
    assert cell_box(masks[0]) == (3, 2, 5, 6)
    assert cell_box(masks[1]) is None


@pytest.mark.parametrize(
    ("box", "margin", "square"),
    [
        ((3, 2, 5, 6), 0, (2, 2, 4)),
        ((3, 2, 5, 6), 0.25, (1, 1, 6)),
        ((0, 0, 2, 3), 0.5, (0, 0, 7)),
        ((6, 5, 8, 8), 0, (5, 5, 3)),
        ((6, 0, 8, 6), 0, (2, 0, 6)),
        ((0, 0, 8, 1), 1, (0, 0, 8)),
        (None, 1, (0, 0, 8)),
    ],
)
def test_the_square_stays_within_the_image(box, margin, square):
    assert crop_square(box, SIDE, margin) == square


def test_masks_are_read_as_they_were_written(masks, tmp_path):
    path = tmp_path / "masks.npy"
    np.save(path, np.packbits(masks, axis=-1))
    write_csv(table_of(path), TABLE_COLUMNS, mask_rows(IDS, masks))
    found = open_predicted_masks(path)
    assert isinstance(found.pictures, Pictures)
    assert found.boxes == {"cell": (3, 2, 5, 6), "empty": None}
    packed = found.pictures.rows([(name, KIND) for name in IDS])
    np.testing.assert_array_equal(np.unpackbits(packed, axis=-1).astype(bool), masks)


def test_dice_and_iou_by_hand():
    found = np.array([[[1, 1, 0, 0]], [[0, 0, 0, 0]], [[0, 0, 0, 1]]], bool)
    true = np.array([[[0, 1, 1, 1]], [[0, 0, 0, 0]], [[0, 0, 0, 0]]], bool)
    dice, iou = dice_and_iou(found, true)
    np.testing.assert_allclose(dice, [2 / 5, 1, 0])
    np.testing.assert_allclose(iou, [1 / 4, 1, 0])
