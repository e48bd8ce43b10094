"""Answering only where a classifier is sure enough: a threshold of confidence whose errors stay below a risk."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import beta


@dataclass(frozen=True)
class Threshold:
    """Answers are given where the highest probability is at least ``confidence``.

    Attributes:
        answered: of the labelled images, how many are.
        errors: how many of these answers are wrong.
        bound: the share of wrong answers is at most this, as surely as was asked for.
    """

    confidence: float
    answered: int
    errors: int
    bound: float


def highest_share(errors: int, images: int, delta: float) -> float:
    """Upper limit of a share, one-sided at 1 - delta (Clopper & Pearson 1934, Biometrika 26:404)."""
    return 1.0 if errors >= images else float(beta.ppf(1 - delta, errors + 1, images - errors))


def looks(images: int) -> int:
    """How many thresholds a binary search over so many confidences tries at most."""
    return images.bit_length()


def fewest_images(risk: float, delta: float) -> int:
    """With fewer labelled images no threshold is shown to keep a risk, though every answer were right."""
    images = 1
    while (1 - risk) ** images > delta / looks(images):
        images += 1
    return images


def threshold_of_risk(
    confidence: np.ndarray, right: np.ndarray, risk: float, delta: float
) -> Threshold | None:
    """The threshold that answers the most images while at most a share ``risk`` of the answers is wrong.

    This is selection with guaranteed risk (Geifman & El-Yaniv 2017, NeurIPS, arXiv:1705.08500, algorithm 1): a binary
    search over the confidences of labelled images, each look of which bounds the risk at 1 - delta / looks. With
    probability 1 - delta over these images the risk on further images of the same kind stays below; images of another
    microscope, stain or clinic are another kind.

    Args:
        confidence: float (n,), the highest probability of each labelled image, none of which was trained on.
        right: bool (n,), whether its class is the image's.

    Returns:
        None where no threshold is shown to keep the risk.
    """
    ordered = np.sort(confidence)
    low, high, found = 0, len(ordered) - 1, None
    while low <= high:
        place = (low + high) // 2
        answered = confidence >= ordered[place]
        count, errors = int(answered.sum()), int((answered & ~right).sum())
        bound = highest_share(errors, count, delta / looks(len(ordered)))
        if bound <= risk:
            found = Threshold(float(ordered[place]), count, errors, bound)
            high = place - 1
        else:
            low = place + 1
    return found
