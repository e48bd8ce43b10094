"""Finding pictures that are the same but for a flip, a right-angle rotation, a new encoding or a resize.

Two steps. A 64-bit perceptual hash (pHash: which of the 8 x 8 lowest frequencies of a discrete cosine
transform exceed their median; Zauner 2010, "Implementation and benchmarking of perceptual image hash functions";
computed by ImageHash) gives candidates by Hamming distance. The correlation of the two colour thumbnails confirms or
refutes each, because cells that merely look alike have near hashes, too. Thumbnails are means over equal
blocks of the packed images, so the thumbnail of a flipped or turned image is the flipped or turned
thumbnail, exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import imagehash
import numpy as np
from PIL import Image

THUMBNAIL = 32
#: A thumbnail whose grey values vary less (standard deviation, of 255) shows nothing to recognise.
LEAST_CONTRAST = 3.0
#: Hash comparisons held in memory at a time.
BLOCK = 4_000_000
#: Images, or pairs of them, held in memory at a time.
CHUNK = 1024
VIEWS = (
    *("as it is", "turned 90°", "turned 180°", "turned 270°"),
    *("flipped", "flipped, turned 90°", "flipped, turned 180°", "flipped, turned 270°"),
)


@dataclass(frozen=True)
class Match:
    """An image of the second set and the one of the first set that it is most like.

    Attributes:
        first, second: rows of the two sets.
        distance: bits in which the hashes differ, 0 ... 64.
        correlation: of the thumbnails, -1 ... 1 (see :func:`standardised`).
        view: what was done to the second image to lay it over the first; of ``VIEWS``.
    """

    first: int
    second: int
    distance: int
    correlation: float
    view: str


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Block means of packed images, uint8 (n, size, size, 3), as uint8 (n, 32, 32, 3).

    The size must be a multiple of 32 (the config's schema says so); the images may be memory-mapped.
    """
    count, side = len(images), images.shape[1] // THUMBNAIL
    result = np.empty((count, THUMBNAIL, THUMBNAIL, 3), np.uint8)
    for start in range(0, count, CHUNK):
        chunk = np.asarray(images[start : start + CHUNK])
        blocks = chunk.reshape(len(chunk), THUMBNAIL, side, THUMBNAIL, side, 3)
        result[start : start + len(chunk)] = np.rint(blocks.mean((2, 4), dtype=np.float32))
    return result


def dihedral_views(pictures: np.ndarray) -> Iterator[np.ndarray]:
    """The 8 views of square pictures (n, side, side, channels), in the order of ``VIEWS``."""
    for pose in (pictures, pictures[:, :, ::-1]):
        for turns in range(4):
            yield np.rot90(pose, turns, axes=(1, 2))


def perceptual_hashes(pictures: np.ndarray) -> np.ndarray:
    """pHash of each thumbnail, uint8 (n, 32, 32, 3), as uint64 (n,)."""
    bits = [imagehash.phash(Image.fromarray(picture)).hash.ravel() for picture in pictures]
    return np.packbits(np.array(bits, bool).reshape(-1, 64), axis=1).view(np.uint64).ravel()


def has_contrast(pictures: np.ndarray) -> np.ndarray:
    """Whether a thumbnail shows anything: bool (n,). Blank glass and black squares all look alike."""
    grey = pictures.mean(3, dtype=np.float32)
    return grey.std((1, 2)) >= LEAST_CONTRAST


def near_hashes(
    first: np.ndarray, second: np.ndarray, distance: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of hashes, uint64 (n,) and (m,), at most ``distance`` bits apart.

    Yields, block by block: rows of the first, rows of the second, distances; int64 (k,) each.
    """
    rows = max(1, BLOCK // max(1, len(second)))
    for start in range(0, len(first), rows):
        bits = np.bitwise_count(first[start : start + rows, None] ^ second[None, :])
        one, other = np.nonzero(bits <= distance)
        yield one + start, other, bits[one, other].astype(np.int64)


def standardised(pictures: np.ndarray) -> np.ndarray:
    """Pictures as float32 rows of length 1, each colour's mean taken off: a dot product is then a correlation
    to which the background's colour, the same in all images of one stain, adds nothing."""
    centred = pictures.astype(np.float32)
    centred -= centred.mean((1, 2), keepdims=True)
    flat = centred.reshape(len(pictures), -1)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


@dataclass(frozen=True)
class Thumbnails:
    """The thumbnails of one set of images, uint8 (n, 32, 32, 3), and what is computed from them once."""

    pictures: np.ndarray

    @cached_property
    def hashes(self) -> np.ndarray:
        """uint64 (n,), of the images as they are."""
        return perceptual_hashes(self.pictures)

    @cached_property
    def view_hashes(self) -> list[np.ndarray]:
        """uint64 (n,) for each of ``VIEWS``."""
        return [perceptual_hashes(view) for view in dihedral_views(self.pictures)]

    @cached_property
    def contrast(self) -> np.ndarray:
        """bool (n,), see :func:`has_contrast`."""
        return has_contrast(self.pictures)


def near_duplicates(
    first: Thumbnails, second: Thumbnails, distance: int, correlation: float
) -> list[Match]:
    """For each image of the second set its best match in the first, if it has one, in the second's order.

    The same object given twice compares a set with itself: each image with those before it.

    Args:
        distance: the most bits in which hashes of a match may differ.
        correlation: the least correlation of a match.
    """
    best: dict[int, Match] = {}
    views = zip(VIEWS, dihedral_views(second.pictures), second.view_hashes, strict=True)
    for name, pictures, hashes in views:
        for ones, others, distances in near_hashes(first.hashes, hashes, distance):
            kept = first.contrast[ones] & second.contrast[others]
            if first is second:
                kept &= ones < others
            pairs = np.stack([ones, others, distances], axis=1)[kept]
            for start in range(0, len(pairs), CHUNK):
                chunk = pairs[start : start + CHUNK]
                similar = np.einsum(
                    "ij,ij->i",
                    standardised(first.pictures[chunk[:, 0]]),
                    standardised(pictures[chunk[:, 1]]),
                )
                for row in np.flatnonzero(similar >= correlation):
                    one, other, bits = map(int, chunk[row])
                    match = Match(one, other, bits, float(similar[row]), name)
                    if other not in best or match.correlation > best[other].correlation:
                        best[other] = match
    return [best[row] for row in sorted(best)]
