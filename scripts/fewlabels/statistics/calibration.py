"""How well predicted probabilities fit what happens: likelihood, Brier score, calibration error."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax

#: Probabilities are kept above this, so that a sure and wrong answer costs a lot, not infinity.
SMALLEST = 1e-12
#: Fewer bins are made than asked for where one would hold fewer images than this.
LEAST_IN_BIN = 10
#: Temperatures are sought from the first to the second; so near to a bound, in logarithms, lies at it.
TEMPERATURES = (0.05, 20.0)
AT_BOUND = 0.01


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


def terms_of_means(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """``nll`` and ``brier`` -> the terms that they are means of, float (n,) each."""
    return {
        "nll": log_losses(probabilities, labels),
        "brier": brier_terms(probabilities, labels),
    }


def equal_mass_bins(confidence: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each image, int (n,): about as many images in each, equal confidences in the same."""
    images = len(confidence)
    bins = max(1, min(bins, images // LEAST_IN_BIN))
    edges = np.sort(confidence)[np.arange(1, bins) * images // bins]
    return np.searchsorted(edges, confidence, side="right")


def squared_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Mean squared gap between confidence and accuracy, without the part that chance adds; below 0 by chance.

    Confidence is the highest probability. A bin's mean gap, answer (0 or 1) minus confidence, is squared, and less what
    its square is expected to be from noise alone, the variance of the gaps over their number. That is the debiased
    estimate of Kumar, Liang & Ma (2019, NeurIPS, arXiv:1909.10155), who have one confidence in each bin; with several,
    the variance of answers alone would take away too much. Bins are weighted by their images; a bin of a single image,
    whose variance is unknown, adds nothing. NaN where no bin has more.
    """
    gaps = (probabilities.argmax(1) == labels) - probabilities.max(1)
    place = equal_mass_bins(probabilities.max(1), bins)
    counts = np.bincount(place)
    kept = counts > 1
    if not kept.any():
        return float("nan")
    means = np.bincount(place, gaps) / np.maximum(counts, 1)
    squares = np.bincount(place, (gaps - means[place]) ** 2)
    counts, means, squares = counts[kept], means[kept], squares[kept]
    noise = squares / (counts - 1) / counts
    return float((counts * (means**2 - noise)).sum() / len(labels))


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Root mean square gap between confidence and accuracy, debiased, in per cent; 0 where chance explains all."""
    squared = squared_calibration_error(probabilities, labels, bins)
    return 100 * float(np.sqrt(np.maximum(squared, 0)))


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities of the logits divided by a temperature (Guo et al. 2017, ICML, arXiv:1706.04599)."""
    return softmax(np.log(np.maximum(probabilities, SMALLEST)) / temperature, axis=1)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float | None, str]:
    """The temperature with the least negative log likelihood on validation images, or why there is none.

    Without an error among the images the likelihood only grows as the temperature falls; and an optimum at a bound of
    ``TEMPERATURES`` is the bound's, not the images'.
    """
    if (probabilities.argmax(1) == labels).all():
        return None, "no error on the validation images"
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda log: negative_log_likelihood(scale(probabilities, np.exp(log)), labels),
        bounds=(low, high),
        method="bounded",
    ).x
    if min(found - low, high - found) < AT_BOUND:
        return None, f"temperature at a bound: {TEMPERATURES[0]:g} or {TEMPERATURES[1]:g}"
    return float(np.exp(found)), ""
