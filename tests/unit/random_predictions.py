"""Predictions at random, somewhat better than chance."""

import numpy as np

from fewlabels.statistics.predictions import Predictions


def random_predictions(images: int, classes: str = "abc", seed: int = 0) -> Predictions:
    """Probabilities of two decimals, so that many are tied, somewhat higher for the label."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(classes), images)
    raw = generator.random((images, len(classes)))
    raw[np.arange(images), labels] += 0.3
    probabilities = np.round(raw / raw.sum(1, keepdims=True), 2)
    ids = tuple(f"{n:04}" for n in range(images))
    return Predictions(ids, labels, probabilities.argmax(1), probabilities, tuple(classes))
