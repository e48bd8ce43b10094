"""Planted copies are found, however they were made; cells that merely look alike are not."""

import io
from itertools import chain

import imagehash
import numpy as np
import pytest
from PIL import Image

from fewlabels.audit.duplicates import (
    THUMBNAIL,
    VIEWS,
    Thumbnails,
    dihedral_views,
    has_contrast,
    near_duplicates,
    near_hashes,
    perceptual_hashes,
    standardised,
    thumbnails,
)
from fewlabels.synthetic.blood import draw_cell

SIDE = 128
#: As in config.yaml.
DISTANCE, CORRELATION = 6, 0.96


@pytest.fixture(scope="module")
def cells() -> list[Image.Image]:
    """Twenty drawn cells, four of each class, on two slides."""
    return [
        Image.fromarray(draw_cell(0, 0, label, number, number % 2, 160)[0])
        for label in range(5)
        for number in range(4)
    ]


def packed(pictures) -> np.ndarray:
    return np.array([np.asarray(picture.resize((SIDE, SIDE))) for picture in pictures])


def encoded_anew(picture: Image.Image, quality: int = 60) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


COPIES = {
    "as it is": encoded_anew,
    "flipped": lambda picture: encoded_anew(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    # What was turned by 90 degrees one way is laid over the first by turning on by 270.
    "turned 270°": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "turned 180°": lambda picture: picture.transpose(Image.Transpose.ROTATE_180).resize((144, 144)),
}


@pytest.mark.parametrize("view", COPIES)
def test_a_planted_copy_is_found_with_its_view(cells, view):
    copied = [3, 11, 16]
    others = [*cells[:0], *(COPIES[view](cells[place]) for place in copied)]
    first, second = (Thumbnails(thumbnails(packed(p))) for p in (cells, others))
    matches = near_duplicates(first, second, DISTANCE, CORRELATION)
    assert [(match.second, match.first) for match in matches] == list(enumerate(copied))
    assert {match.view for match in matches} == {view}
    assert all(match.correlation > 0.985 for match in matches)


def test_cells_that_are_no_copies_are_not_reported(cells):
    pictures = thumbnails(packed(cells))
    assert near_duplicates(Thumbnails(pictures[:10]), Thumbnails(pictures[10:]), 6, 0.96) == []
    whole = Thumbnails(pictures)
    assert near_duplicates(whole, whole, DISTANCE, CORRELATION) == []


def test_a_near_hash_alone_is_no_copy(cells):
    """Every pair is a candidate at 64 bits; the correlation refutes them all."""
    pictures = thumbnails(packed(cells))
    assert near_duplicates(Thumbnails(pictures[:10]), Thumbnails(pictures[10:]), 64, 0.96) == []
    assert len(near_duplicates(Thumbnails(pictures[:10]), Thumbnails(pictures[10:]), 64, -1)) == 10


def test_a_set_compared_with_itself_gives_each_copy_once(cells):
    whole = Thumbnails(thumbnails(packed([*cells, encoded_anew(cells[5])])))
    [match] = near_duplicates(whole, whole, DISTANCE, CORRELATION)
    assert (match.first, match.second) == (5, 20)


def test_blank_pictures_are_no_copies_of_each_other():
    generator = np.random.default_rng(0)
    blank = np.full((3, THUMBNAIL, THUMBNAIL, 3), 240, np.uint8)
    blank += generator.integers(0, 3, blank.shape, dtype=np.uint8)
    assert not has_contrast(blank).any()
    assert near_duplicates(Thumbnails(blank), Thumbnails(blank.copy()), 64, -1) == []


def test_thumbnails_are_block_means_and_turn_with_their_images():
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    small = thumbnails(images)
    assert small.shape == (3, THUMBNAIL, THUMBNAIL, 3)
    assert small[1, 4, 7, 2] == np.rint(images[1, 8:10, 14:16, 2].mean())
    for view, of_small in zip(dihedral_views(images), dihedral_views(small), strict=True):
        np.testing.assert_array_equal(thumbnails(view), of_small)


def test_the_eight_views_differ():
    picture = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    assert len({view.tobytes() for view in dihedral_views(picture)}) == len(VIEWS) == 8


def test_hashes_are_those_of_imagehash(cells, monkeypatch):
    """Bit for bit, over several blocks of pictures."""
    monkeypatch.setattr("fewlabels.audit.duplicates.CHUNK", 50)
    noise = np.random.default_rng(2).integers(0, 256, (120, 32, 32, 3), dtype=np.uint8)
    pictures = np.concatenate([thumbnails(packed(cells)), noise])
    found = np.unpackbits(perceptual_hashes(pictures).view(np.uint8)).reshape(-1, 8, 8)
    expected = [imagehash.phash(Image.fromarray(picture)).hash for picture in pictures]
    np.testing.assert_array_equal(found, expected)
    assert len({bits.tobytes() for bits in found}) == len(pictures)


def test_near_hashes_block_by_block(monkeypatch):
    """0b0111 differs from 0b0000 in three bits, from 0b0011 in one."""
    monkeypatch.setattr("fewlabels.audit.duplicates.BLOCK", 2)
    first = np.array([0b0111, 0b1111000, 0], np.uint64)
    second = np.array([0b0011, 0], np.uint64)
    found = [np.stack(block, 1).tolist() for block in near_hashes(first, second, 2)]
    assert list(chain(*found)) == [[0, 0, 1], [2, 0, 2], [2, 1, 0]]


@pytest.mark.parametrize("distance", [0, 3, 6, 9])
def test_near_hashes_of_many_are_those_of_a_comparison_of_all(distance, monkeypatch):
    """Hashes at random, and crowds of some that are near, as blank images have: none is missed, none named twice."""
    draws = np.random.default_rng(distance)
    first = draws.integers(0, 2**63, 9000, dtype=np.uint64) * np.uint64(2)
    for _ in range(12):
        first[: len(first) // 2] ^= np.uint64(1) << draws.integers(0, 64, 4500).astype(np.uint64)
    first[:300] = first[0] ^ (np.uint64(1) << draws.integers(0, 64, 300).astype(np.uint64))
    second = np.concatenate([first[200:400], first[5000:5100], first[-200:]])
    second[::3] ^= np.uint64(0b1011 << 14)
    second[1::3] ^= np.uint64(0b10100001 << 56)
    bits = np.bitwise_count(second[:, None] ^ first[None, :])
    other, one = np.nonzero(bits <= distance)
    monkeypatch.setattr("fewlabels.audit.duplicates.BLOCK", 5000)
    monkeypatch.delattr("fewlabels.audit.duplicates._near_of_all")
    blocks = list(near_hashes(first, second, distance))
    assert len(blocks) > 3
    found = [np.concatenate(part).tolist() for part in zip(*blocks, strict=True)]
    assert found == [one.tolist(), other.tolist(), bits[other, one].tolist()]


def test_only_wanted_images_are_looked_for(cells):
    pair = Thumbnails(thumbnails(packed(cells))), Thumbnails(thumbnails(packed(cells)))
    wanted = np.arange(len(cells)) % 2 == 0
    found = near_duplicates(*pair, DISTANCE, CORRELATION, wanted)
    assert found == near_duplicates(*pair, DISTANCE, CORRELATION)[::2]
    assert len(found) == len(cells) // 2


def test_standardised_pictures_give_correlations_without_the_colour_of_the_whole(cells):
    """One colour, the same picture, gives numpy's correlation; a colour cast over it changes nothing."""
    pictures = thumbnails(packed(cells[:2])).astype(np.float32)
    grey = np.repeat(pictures[..., :1], 3, axis=3)
    rows = standardised(grey)
    expected = np.corrcoef(grey[0, ..., 0].ravel(), grey[1, ..., 0].ravel())[0, 1]
    assert rows[0] @ rows[1] == pytest.approx(expected, abs=1e-5)
    cast = standardised(pictures + np.array([20, 0, -20], np.float32))
    np.testing.assert_allclose(cast, standardised(pictures), atol=1e-6)
