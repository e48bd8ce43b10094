"""The area under the ROC curve of each class against the rest, in a test set and in many resampled ones.

The area is the share of pairs, an image of the class and one of the rest, that the probability orders rightly, ties by
half (Hanley & McNeil 1982, Radiology 143:29). scikit-learn has it for one set of weights at a time.
"""

import numpy as np
from scipy.sparse import csr_array

#: Weights of images in memory at a time.
LARGEST = 4_000_000


def macro_auroc(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Mean area over classes in per cent.

    Classes without a label (or with no other) are left out; None where none is left.

    Args:
        labels: int (n,).
        probabilities: float (n, k).
    """
    once = np.ones((1, len(labels)))
    (value,) = weighted_macro_auroc(labels, probabilities, once, np.arange(len(labels)))
    return None if np.isnan(value) else float(value)


def weighted_macro_auroc(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, codes: np.ndarray
) -> np.ndarray:
    """As :func:`macro_auroc` with each unit counted so many times, float (draws,); NaN in place of None.

    Args:
        weights: float (draws, units), whole.
        codes: int (n,), each image's unit.
    """
    classes = [_pairs(labels, probabilities, place) for place in range(probabilities.shape[1])]
    found = np.empty(len(weights))
    block = max(1, LARGEST // len(labels))
    for first in range(0, len(weights), block):
        part = weights[first : first + block]
        # All sums are of whole numbers, and so exact in any order; draws last, as they lie together in memory then.
        counts = np.ascontiguousarray(part[:, codes].T, dtype=np.int32)
        areas = np.array([_areas(*matrices, counts) for matrices in classes])
        known = ~np.isnan(areas)
        total = np.where(known, areas, 0).sum(0)
        mean = np.full(len(part), np.nan)
        found[first : first + block] = np.divide(total, known.sum(0), out=mean, where=known.any(0))
    return 100 * found


def _pairs(
    labels: np.ndarray, probabilities: np.ndarray, place: int
) -> tuple[csr_array, csr_array]:
    """What sums images, for each probability that the class's own have: those, int32 (steps, n), and twice as many of
    the rest as lie between it and the one before, equal ones by half, int32 (steps + 1, n)."""
    mine, others = np.flatnonzero(labels == place), np.flatnonzero(labels != place)
    steps, step_of = np.unique(probabilities[mine, place], return_inverse=True)
    # Of the rest, an image is below all steps from the first that is above it on; below half of an equal one.
    first = [
        np.searchsorted(steps, probabilities[others, place], side) for side in ("left", "right")
    ]
    return (
        _matrix(step_of, mine, (len(steps), len(labels))),
        _matrix(np.concatenate(first), np.tile(others, 2), (len(steps) + 1, len(labels))),
    )


def _matrix(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> csr_array:
    return csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=shape)


def _areas(own: csr_array, between: csr_array, counts: np.ndarray) -> np.ndarray:
    """One class's areas, 0 ... 1, float (draws,); ``counts``: of each image, int32 (n, draws)."""
    positive, below = own @ counts, (between @ counts)[:-1]
    right = np.einsum("sd,sd->d", positive, below.cumsum(0)) / 2
    labelled = positive.sum(0, dtype=np.int64)
    pairs = (labelled * (counts.sum(0, dtype=np.int64) - labelled)).astype(float)
    return np.divide(right, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
