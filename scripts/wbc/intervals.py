"""Intervals of one run's metrics: Wilson's, and the bootstrap over groups of test images."""

from functools import lru_cache

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from wbc.metrics import headline_metrics

Interval = tuple[float, float]


def wilson_interval(right: int, images: int, alpha: float) -> Interval:
    """Interval of an accuracy in per cent, images taken as independent (Wilson 1927, JASA 22:209)."""
    low, high = proportion_confint(right, images, alpha=alpha, method="wilson")
    return 100 * float(low), 100 * float(high)


@lru_cache(maxsize=8)
def bootstrap_weights(units: int, draws: int, seed: int) -> np.ndarray:
    """How often each unit is drawn, int (draws, units): ``units`` draws with replacement, each row.

    The same seed gives every run the same draws.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(units, np.full(units, 1 / units), size=draws)


def bootstrap_intervals(
    confusion: np.ndarray, draws: int, seed: int, alpha: float
) -> dict[str, Interval]:
    """Percentile intervals of the headline metrics (Efron & Tibshirani 1993; units: Field & Welsh 2007).

    Args:
        confusion: int (units, k, k), one matrix per group or image.
    """
    units, size, _ = confusion.shape
    # In float64, which multiplies by BLAS; counts stay exact.
    weights = bootstrap_weights(units, draws, seed).astype(float)
    resampled = weights @ confusion.reshape(units, -1).astype(float)
    values = headline_metrics(resampled.reshape(draws, size, size))
    share = (alpha / 2, 1 - alpha / 2)
    return {name: tuple(map(float, np.quantile(value, share))) for name, value in values.items()}
