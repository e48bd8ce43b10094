"""How well predicted probabilities fit what happens: likelihood, Brier score, calibration error."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

#: Probabilities are kept above this, so that a sure and wrong answer costs a lot, not infinity.
SMALLEST = 1e-12


def _of_label(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return probabilities[np.arange(len(labels)), labels]


def log_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """-ln p(label) of each image, in nats, float (n,).

    Args:
        probabilities: float (n, k), rows sum to 1.
        labels: int (n,).
    """
    return -np.log(np.maximum(_of_label(probabilities, labels), SMALLEST))


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of the log losses."""
    return float(log_losses(probabilities, labels).mean())


def brier_terms(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Sum over all classes of (p - y)^2 of each image, 0 to 2, float (n,) (Brier 1950, Mon Weather Rev 78:1)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return ((probabilities - truth) ** 2).sum(1)


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of the Brier terms."""
    return float(brier_terms(probabilities, labels).mean())


def calibration_gaps(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> np.ndarray:
    """Each image's answer (0 or 1) minus its confidence, in the column of its bin, float (n, bins).

    The confidence is the highest probability; the bins are of equal width, open on the left.
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.zeros((len(labels), bins))
    gaps[np.arange(len(labels)), place] = right - confidence
    return gaps


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Mean gap between confidence and accuracy, in per cent (Guo et al. 2017, ICML, arXiv:1706.04599).

    Bins are weighted by their number of images.
    """
    gaps = calibration_gaps(probabilities, labels, bins).sum(0)
    return 100 * float(np.abs(gaps).sum() / len(labels))


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities of the logits divided by a temperature (Guo et al. 2017)."""
    return softmax(np.log(np.maximum(probabilities, SMALLEST)) / temperature, axis=1)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature in [0.05, 20] with the least negative log likelihood on validation images."""
    found = minimize_scalar(
        lambda log: negative_log_likelihood(scale(probabilities, np.exp(log)), labels),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
    )
    return float(np.exp(found.x))
