"""Finding pictures that are the same but for a flip, a right-angle rotation, a new encoding or a resize.

Two steps. A 64-bit perceptual hash (pHash: which of the 8 x 8 lowest frequencies of a discrete cosine
transform exceed their median; Zauner 2010, "Implementation and benchmarking of perceptual image hash
functions"; bit for bit ImageHash's, of many pictures at a time) gives candidates by Hamming distance. The
correlation of the two colour thumbnails confirms or refutes each, because cells that merely look alike have near
hashes, too. Thumbnails are means over equal blocks of the packed images, so the thumbnail of a flipped or turned
image is the flipped or turned thumbnail, exactly.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.fft import dctn

THUMBNAIL = 32
#: A thumbnail whose grey values vary less (standard deviation, of 255) shows nothing to recognise.
LEAST_CONTRAST = 3.0
#: Hash comparisons held in memory at a time.
BLOCK = 1_000_000
#: Bits of a quarter of a hash, and where the quarters begin.
QUARTER = 16
SHIFTS = (0, 16, 32, 48)
#: To look for the rows of a quarter takes the time of so many comparisons.
PROBE = 10
#: Images, or pairs of them, held in memory at a time.
CHUNK = 1024
#: Images whose blocks are summed at a time: few enough for a processor's cache.
SUMMED = 32
#: Parts of red, green and blue in a grey value, of 65,536, as Pillow mixes them.
GREY = np.array([19595, 38470, 7471], np.uint32)
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
    for start in range(0, count, SUMMED):
        chunk = np.asarray(images[start : start + SUMMED])
        # Whole rows first, which lie together.
        rows = chunk.reshape(len(chunk), THUMBNAIL, side, -1).sum(2, dtype=np.uint32)
        blocks = rows.reshape(len(chunk), THUMBNAIL, THUMBNAIL, side, 3).sum(3)
        result[start : start + len(chunk)] = np.rint(blocks / np.float32(side * side))
    return result


def dihedral_views(pictures: np.ndarray) -> Iterator[np.ndarray]:
    """The 8 views of square pictures (n, side, side, channels), in the order of ``VIEWS``."""
    for pose in (pictures, pictures[:, :, ::-1]):
        for turns in range(4):
            yield np.rot90(pose, turns, axes=(1, 2))


def perceptual_hashes(pictures: np.ndarray) -> np.ndarray:
    """pHash of each thumbnail, uint8 (n, 32, 32, 3), as uint64 (n,)."""
    hashes = np.empty(len(pictures), np.uint64)
    for start in range(0, len(pictures), CHUNK):
        grey = (pictures[start : start + CHUNK] @ GREY + 0x8000) >> 16
        low = dctn(grey.astype(np.float64), axes=(1, 2))[:, :8, :8].reshape(-1, 64)
        bits = low > np.median(low, axis=1, keepdims=True)
        hashes[start : start + len(bits)] = np.packbits(bits, axis=1).view(np.uint64).ravel()
    return hashes


def has_contrast(pictures: np.ndarray) -> np.ndarray:
    """Whether a thumbnail shows anything: bool (n,). Blank glass and black squares all look alike."""
    grey = pictures.mean(3, dtype=np.float32)
    return grey.std((1, 2)) >= LEAST_CONTRAST


def near_hashes(
    first: np.ndarray, second: np.ndarray, distance: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of hashes, uint64 (n,) and (m,), at most ``distance`` bits apart.

    Of two such hashes, one of the four quarters differs in at most ``distance // 4`` bits, so that those alone are
    compared that share a quarter, but for so many bits (Norouzi, Punjani & Fleet 2012, CVPR, "Fast search in Hamming
    space with multi-index hashing").

    Yields, block by block: rows of the first, rows of the second, distances; int64 (k,) each, by row of the second, and
    by row of the first for each.
    """
    numbers = np.arange(2**QUARTER)
    changes = numbers[np.bitwise_count(numbers) <= distance // len(SHIFTS)]
    if len(first) <= PROBE * len(SHIFTS) * len(changes):
        yield from _near_of_all(first, second, distance)
        return
    indexes = [_Buckets.of(quarter) for quarter in _quarters(first)]
    for start in range(0, len(second), CHUNK):
        chunk = second[start : start + CHUNK]
        keys = [quarter[:, None] ^ changes for quarter in _quarters(chunk)]
        many = sum(index.sizes[key].sum(1) for index, key in zip(indexes, keys, strict=True))
        # The rows of a block have so many candidates in all, or one row more.
        for rows in np.split(np.arange(len(chunk)), _ends(many)):
            pairs = [
                index.rows_of(key[rows], rows) for index, key in zip(indexes, keys, strict=True)
            ]
            one, other = np.concatenate(pairs, axis=1)
            near = np.bitwise_count(first[one] ^ chunk[other]) <= distance
            other, one = np.divmod(np.unique(other[near] * len(first) + one[near]), len(first))
            yield one, other + start, np.bitwise_count(first[one] ^ chunk[other]).astype(np.int64)


def _near_of_all(
    first: np.ndarray, second: np.ndarray, distance: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """As :func:`near_hashes`, each hash compared with each."""
    rows = max(1, BLOCK // max(1, len(first)))
    for start in range(0, len(second), rows):
        bits = np.bitwise_count(second[start : start + rows, None] ^ first[None, :])
        other, one = np.nonzero(bits <= distance)
        yield one, other + start, bits[other, one].astype(np.int64)


def _quarters(hashes: np.ndarray) -> list[np.ndarray]:
    """The quarters of hashes, uint64 (n,), as numbers below 65,536: int64 (n,) each."""
    return [((hashes >> np.uint64(s)) & np.uint64(0xFFFF)).astype(np.int64) for s in SHIFTS]


def _ends(many: np.ndarray) -> np.ndarray:
    """Where blocks of rows end, each of which has about ``BLOCK`` candidates: of how many each row has, int64 (n,)."""
    return np.flatnonzero(np.diff(many.cumsum() // BLOCK)) + 1


@dataclass(frozen=True)
class _Buckets:
    """Rows by their number below 65,536.

    Attributes:
        order: rows, those of one number together: int64 (n,).
        starts, sizes: where those of each number begin in ``order``, and how many: int64 (65536,).
    """

    order: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, numbers: np.ndarray) -> "_Buckets":
        sizes = np.bincount(numbers, minlength=2**QUARTER)
        return cls(np.argsort(numbers, kind="stable"), sizes.cumsum() - sizes, sizes)

    def rows_of(self, keys: np.ndarray, names: np.ndarray) -> np.ndarray:
        """The rows of each of some numbers, int64 (k, c), and beside each the name of its k: int64 (2, rows)."""
        sizes = self.sizes[keys].ravel()
        ends = sizes.cumsum()
        places = np.arange(ends[-1]) + np.repeat(self.starts[keys].ravel() + sizes - ends, sizes)
        return np.stack([self.order[places], np.repeat(np.repeat(names, keys.shape[1]), sizes)])


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
        return self.view_hashes[0]

    @cached_property
    def view_hashes(self) -> list[np.ndarray]:
        """uint64 (n,) for each of ``VIEWS``."""
        return [perceptual_hashes(view) for view in dihedral_views(self.pictures)]

    @cached_property
    def contrast(self) -> np.ndarray:
        """bool (n,), see :func:`has_contrast`."""
        return has_contrast(self.pictures)


def near_duplicates(
    first: Thumbnails,
    second: Thumbnails,
    distance: int,
    correlation: float,
    wanted: np.ndarray | None = None,
) -> list[Match]:
    """For each image of the second set its best match in the first, if it has one, in the second's order.

    The same object given twice compares a set with itself: each image with those before it.

    Args:
        distance: the most bits in which hashes of a match may differ.
        correlation: the least correlation of a match.
        wanted: the images of the second set that are looked for, bool (m,); None: all.
    """
    best: dict[int, Match] = {}
    shown = np.flatnonzero(first.contrast)
    sought = np.flatnonzero(second.contrast if wanted is None else second.contrast & wanted)
    views = zip(VIEWS, dihedral_views(second.pictures), second.view_hashes, strict=True)
    for name, pictures, hashes in views:
        for ones, others, distances in near_hashes(first.hashes[shown], hashes[sought], distance):
            pairs = np.stack([shown[ones], sought[others], distances], axis=1)
            if first is second:
                pairs = pairs[pairs[:, 0] < pairs[:, 1]]
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
