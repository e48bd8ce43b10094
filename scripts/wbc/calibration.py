"""How well predicted probabilities fit what happens: likelihood, Brier score, calibration error."""

import numpy as np
from scipy.optimize import minimize_scalar

#: Probabilities are kept above this, so that a sure and wrong answer costs a lot, not infinity.
SMALLEST = 1e-12


def _of_label(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return probabilities[np.arange(len(labels)), labels]


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -ln p(label), in nats.

    Args:
        probabilities: float (n, k), rows sum to 1.
        labels: int (n,).
    """
    return float(-np.log(np.maximum(_of_label(probabilities, labels), SMALLEST)).mean())


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean over images of the sum over all classes of (p - y)^2, 0 to 2 (Brier 1950, Mon Weather Rev 78:1)."""
    truth = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - truth) ** 2).sum(1).mean())


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Mean gap between confidence and accuracy, in per cent (Guo et al. 2017, ICML, arXiv:1706.04599).

    The confidence is the highest probability; images fall into ``bins`` bins of equal width, open on the left, weighted
    by their number of images.
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=right - confidence, minlength=bins)
    return 100 * float(np.abs(gaps).sum() / len(labels))


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities of the logits divided by a temperature (Guo et al. 2017)."""
    logits = np.log(np.maximum(probabilities, SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature in [0.05, 20] with the least negative log likelihood on validation images."""
    found = minimize_scalar(
        lambda log: negative_log_likelihood(scale(probabilities, np.exp(log)), labels),
        bounds=(np.log(0.05), np.log(20)),
        method="bounded",
    )
    return float(np.exp(found.x))
