"""Test images whose label is likely wrong, by confident learning (Northcutt, Jiang & Chuang 2021, JAIR 70:1373).

The probabilities must be out of sample, of networks that did not train on the image: those of test images are.
"""

import numpy as np


def confident_thresholds(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How sure the networks are of a class on average over the images that have its label, float (k,); infinity for a
    class without images.

    Args:
        probabilities: float (n, k), out of sample.
        labels: int (n,), the given ones.
    """
    thresholds = np.full(probabilities.shape[1], np.inf)
    for label in np.unique(labels):
        thresholds[label] = probabilities[labels == label, label].mean()
    return thresholds


def confident_classes(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The class that each image is confidently counted to, int (n,): of those whose threshold its probability reaches
    the likeliest; its own label where there is none.

    Args: as of :func:`confident_thresholds`.
    """
    reached = probabilities >= confident_thresholds(probabilities, labels)
    best = np.where(reached, probabilities, -1.0).argmax(1)
    return np.where(reached.any(1), best, labels)


def likely_labels(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The class that each image confidently belongs to, int (n,), where that is the likeliest one as well; else its
    own label. Where it differs from the label (off the diagonal of the confident joint), the label is doubtful.

    Args: as of :func:`confident_thresholds`.
    """
    found = confident_classes(probabilities, labels)
    return np.where(found == probabilities.argmax(1), found, labels)


def self_confidence(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The probability of the given label, float (n,): by it doubtful images are ranked, the lowest first."""
    return probabilities[np.arange(len(labels)), labels]
