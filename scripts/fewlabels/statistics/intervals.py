"""Intervals of one run's metrics: Wilson's, and the bootstrap over groups of test images."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from statsmodels.stats.proportion import proportion_confint

from fewlabels.statistics import calibration
from fewlabels.statistics.metrics import class_metrics, headline_metrics
from fewlabels.statistics.predictions import Predictions, Units

Interval = tuple[float, float]
#: Weights of images in memory at a time.
LARGEST = 4_000_000


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


def percentiles(values: np.ndarray, alpha: float) -> Interval:
    """Percentile interval of resampled values (Efron & Tibshirani 1993), those left out that are NaN."""
    low, high = np.nanquantile(values, (alpha / 2, 1 - alpha / 2))
    return float(low), float(high)


def bootstrap_intervals(
    confusion: np.ndarray, classes: Sequence[str], draws: int, seed: int, alpha: float
) -> dict[str, Interval]:
    """Intervals of the headline metrics and those of the classes (units: Field & Welsh 2007).

    Resampled test sets without an image of a class are left out for the metrics of that class; a class without any
    has no interval.

    Args:
        confusion: int (units, k, k), one matrix per group or image.
    """
    units, size, _ = confusion.shape
    # In float64, which multiplies by BLAS; counts stay exact.
    weights = bootstrap_weights(units, draws, seed).astype(float)
    resampled = (weights @ confusion.reshape(units, -1).astype(float)).reshape(draws, size, size)
    values = headline_metrics(resampled) | class_metrics(resampled, classes)
    return {
        name: percentiles(value, alpha)
        for name, value in values.items()
        if not np.isnan(value).all()
    }


def probability_intervals(
    predictions: Predictions,
    units: Units,
    bins: int,
    draws: int,
    seed: int,
    alpha: float,
) -> dict[str, Interval]:
    """Intervals of ``macro_auroc``, ``nll``, ``brier`` and ``ece``: none without probabilities, of the first
    none where labels are of one class."""
    labels, probabilities = predictions.labels, predictions.probabilities
    if probabilities is None:
        return {}
    weights = bootstrap_weights(units.count, draws, seed)
    terms = np.column_stack(
        [
            np.ones(len(labels)),
            calibration.log_losses(probabilities, labels),
            calibration.brier_terms(probabilities, labels),
            calibration.calibration_gaps(probabilities, labels, bins),
        ]
    )
    by_unit = np.zeros((units.count, terms.shape[1]))
    np.add.at(by_unit, units.codes, terms)
    sums = weights.astype(float) @ by_unit
    images = sums[:, 0]
    values = {
        "nll": sums[:, 1] / images,
        "brier": sums[:, 2] / images,
        "ece": 100 * np.abs(sums[:, 3:]).sum(1) / images,
    }
    if len(np.unique(labels)) > 1:
        # Some draws at a time: a weight per draw and image.
        step = max(1, LARGEST // len(labels))
        values["macro_auroc"] = np.concatenate(
            [
                weighted_macro_auroc(
                    labels, probabilities, weights[first : first + step, units.codes]
                )
                for first in range(0, draws, step)
            ]
        )
    return {name: percentiles(value, alpha) for name, value in values.items()}


def weighted_macro_auroc(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """As :func:`fewlabels.statistics.metrics.macro_auroc` with each image counted ``weights`` times, float (draws,).

    The area is the share of pairs, an image of the class and one of the rest, that the probability orders rightly, ties
    by half (Hanley & McNeil 1982, Radiology 143:29). scikit-learn has it for one set of weights at a time.

    Args:
        weights: int (draws, n).
    """
    areas = []
    for place in range(probabilities.shape[1]):
        order = np.argsort(probabilities[:, place], kind="stable")
        _, starts = np.unique(probabilities[order, place], return_index=True)
        mine = labels[order] == place
        if not mine.any():
            continue
        sorted_weights = weights[:, order].astype(float)
        positive = np.add.reduceat(sorted_weights * mine, starts, axis=1)
        negative = np.add.reduceat(sorted_weights * ~mine, starts, axis=1)
        below = negative.cumsum(1) - negative / 2
        pairs = positive.sum(1) * negative.sum(1)
        right = (positive * below).sum(1)
        areas.append(np.divide(right, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
    known = ~np.isnan(areas)
    found = np.where(known, areas, 0).sum(0)
    return 100 * np.divide(found, known.sum(0), out=np.full(len(found), np.nan), where=known.any(0))
