"""The area under the ROC curve of each class against the rest, in a test set and in many resampled ones.

The area is the share of pairs, an image of the class and one of the rest, that the probability orders rightly, ties by
half (Hanley & McNeil 1982, Radiology 143:29). scikit-learn has it for one set of weights at a time.
"""

import numpy as np
from scipy.sparse import csr_array


def macro_auroc(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    """Mean area over classes in per cent.

    Classes without a label (or with no other) are left out; None where none is left.

    Args:
        labels: int (n,).
        probabilities: float (n, k).
    """
    (value,) = weighted_macro_auroc(labels, probabilities, np.ones((1, len(labels))))
    return None if np.isnan(value) else float(value)


def weighted_macro_auroc(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """As :func:`macro_auroc` with each image counted ``weights`` times, float (draws,); NaN in place of None.

    Args:
        weights: float (draws, n), whole.
    """
    areas = []
    # All sums are of whole numbers, and so exact in any order; draws last, as they lie together in memory then.
    counts = np.ascontiguousarray(weights.T, dtype=np.int32)
    images = counts.sum(0, dtype=np.int64)
    for place in range(probabilities.shape[1]):
        mine, others = np.flatnonzero(labels == place), np.flatnonzero(labels != place)
        steps, step_of = np.unique(probabilities[mine, place], return_inverse=True)
        positive = _sums(counts, step_of, mine, len(steps))
        # Of the rest, an image is below all steps from the first that is above it on; below half of an equal one.
        first = [
            np.searchsorted(steps, probabilities[others, place], side) for side in ("left", "right")
        ]
        below = _sums(counts, np.concatenate(first), np.tile(others, 2), len(steps) + 1)[:-1]
        right = np.einsum("sd,sd->d", positive, below.cumsum(0)) / 2
        labelled = positive.sum(0, dtype=np.int64)
        pairs = (labelled * (images - labelled)).astype(float)
        areas.append(np.divide(right, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
    known = ~np.isnan(areas)
    found = np.where(known, areas, 0).sum(0)
    return 100 * np.divide(found, known.sum(0), out=np.full(len(found), np.nan), where=known.any(0))


def _sums(counts: np.ndarray, codes: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
    """Sums, for each code below ``size``, of the named rows of ``counts`` (n, draws), int32 (size, draws)."""
    ones = np.ones(len(codes), np.int32)
    return csr_array((ones, (codes, rows)), shape=(size, len(counts))) @ counts
