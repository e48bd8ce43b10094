"""How well masks agree."""

import numpy as np


def dice_and_iou(found: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Dice coefficient (1945) and intersection over union (Jaccard 1912) of pairs of masks.

    Args:
        found, true: bool (n, h, w).

    Returns:
        Two float64 (n,), 0 ... 1; 1 where both masks are empty.

    >>> both = np.array([[[1, 1, 0]], [[0, 0, 0]]], bool), np.array([[[0, 1, 1]], [[0, 0, 0]]], bool)
    >>> [values.round(3).tolist() for values in dice_and_iou(*both)]
    [[0.5, 1.0], [0.333, 1.0]]
    """
    shared = (found & true).sum((1, 2)).astype(float)
    together = (found | true).sum((1, 2)).astype(float)
    sizes = shared + together
    empty = together == 0
    dice = np.divide(2 * shared, sizes, out=np.ones_like(shared), where=~empty)
    iou = np.divide(shared, together, out=np.ones_like(shared), where=~empty)
    return dice, iou
