"""Intervals of metrics: Wilson's of shares, also of clustered images and of means; the bootstrap over test images."""

import math
from functools import lru_cache

import numpy as np
from scipy.special import ndtri, stdtrit

from fewlabels.statistics import calibration
from fewlabels.statistics.auroc import weighted_macro_auroc
from fewlabels.statistics.predictions import LEAST_EFFECTIVE, Units

Interval = tuple[float, float]
#: Below this a spread is rounding error.
ZERO = 1e-11


def score_limits(
    share: np.ndarray, size: np.ndarray, critical: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The shares from which an observed one is just ``critical`` standard errors away (Wilson 1927, JASA 22:209).

    Args:
        share: 0 ... 1.
        size: of the sample, above 0; need not be whole.
        critical: quantile of the normal or the t distribution.
    """
    shrink = 1 + critical**2 / size
    centre = (share + critical**2 / (2 * size)) / shrink
    half = critical * np.sqrt(share * (1 - share) / size + critical**2 / (4 * size**2)) / shrink
    # At 0 and 1 the near limit is exact but for rounding.
    return np.clip(centre - half, 0, share), np.clip(centre + half, share, 1)


def effective_sizes(
    share: np.ndarray, error: np.ndarray, units: np.ndarray, most: np.ndarray
) -> np.ndarray:
    """How many independent images would tell shares as well: p (1 - p) / error^2 (Korn & Graubard 1998, Surv Methodol
    24:193), at most ``most``; where nothing varies, as many as there are units."""
    spread = share * (1 - share)
    varies = (error > ZERO) & (spread > ZERO)
    sizes = np.divide(spread, error**2, out=np.ones_like(spread), where=varies)
    return np.where(varies, np.minimum(sizes, most), np.minimum(units, most))


def wilson_of(
    value: float, error: float, critical: float, units: float, most: float = math.inf
) -> Interval:
    """Wilson's interval of a value in per cent with a standard error of its own, such as a mean over replicates.

    Unlike value +- critical x error it stays within 0 ... 100, and has a width where no error was seen.

    Args:
        error: in points, from units (and replicates) as they are.
        critical: how many standard errors are allowed.
        units: effective ones: as many images are taken as independent where nothing varies.
        most: no more images than these are taken as independent.
    """
    share = np.clip(np.array([value / 100]), 0, 1)
    size = effective_sizes(share, np.array([error / 100]), np.array([units]), np.array([most]))
    low, high = score_limits(share, size, np.array([critical]))
    return 100 * float(low[0]), 100 * float(high[0])


def effective_units(images: np.ndarray) -> np.ndarray:
    """(sum n)^2 / sum n^2 of the numbers of images of units, over the first axis; 0 where there is no image."""
    squares = (images.astype(float) ** 2).sum(0)
    return np.divide(images.sum(0) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)


def share_intervals(
    hits: np.ndarray, images: np.ndarray, clustered: bool, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's intervals of m shares of one run, in per cent, float (m,) each.

    Images are independent; or, ``clustered``, only units are: the size of the sample is then that of independent images
    with the standard error of the jackknife over units, at most the number of images, and t with (effective units - 1)
    degrees of freedom takes the place of z (Korn & Graubard 1998).

    Args:
        hits, images: int (units, m), the share's numerator and denominator in each unit.

    Returns:
        NaN where there is no image, or, ``clustered``, fewer than ``LEAST_EFFECTIVE`` effective units.
    """
    total, size = hits.sum(0).astype(float), images.sum(0).astype(float)
    share = np.divide(total, size, out=np.full(size.shape, np.nan), where=size > 0)
    critical = np.full(size.shape, float(ndtri(1 - alpha / 2)))
    if clustered:
        effective = effective_units(images)
        error = jackknife_errors(hits, images)
        size = effective_sizes(np.nan_to_num(share), error, effective, size)
        enough = effective >= LEAST_EFFECTIVE
        critical = np.full(size.shape, np.nan)
        critical[enough] = stdtrit(effective[enough] - 1, 1 - alpha / 2)
    limits = score_limits(share, np.where(size > 0, size, np.nan), critical)
    return 100 * limits[0], 100 * limits[1]


def interval_of_mean(shares: np.ndarray, low: np.ndarray, high: np.ndarray) -> Interval:
    """Interval of the plain mean of independent shares from theirs: distances to the limits, squared and added.

    (Zou & Donner 2008, Stat Med 27:1693.) Unlike the bootstrap it knows that 100 % of few images is uncertain.

    Args:
        shares, low, high: float (m,), in per cent.
    """
    below, above = (math.sqrt(((limit - shares) ** 2).sum()) for limit in (low, high))
    mean = shares.mean()
    return float(mean - below / len(shares)), float(mean + above / len(shares))


def jackknife_errors(hits: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Standard errors of shares by the jackknife over those units that have an image of theirs, float (m,).

    Args:
        hits, images: int (units, m).
    """
    rest = images.sum(0) - images
    used = (images > 0) & (rest > 0)
    without = np.divide(hits.sum(0) - hits, rest, out=np.zeros(images.shape), where=used)
    count = used.sum(0)
    mean = np.divide(without.sum(0), count, out=np.zeros(count.shape), where=count > 0)
    squares = np.where(used, (without - mean) ** 2, 0).sum(0)
    return np.sqrt(
        squares * np.divide(count - 1, count, out=np.zeros(count.shape), where=count > 0)
    )


def resampling_weights(units: Units, labels: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """:func:`bootstrap_weights` of slides; of single images within classes, so that no draw lacks one.

    Args:
        labels: int (n,), of the images.
    """
    if units.grouped:
        return bootstrap_weights(units.count, draws, seed)
    strata = np.empty_like(labels)
    strata[units.codes] = labels
    return bootstrap_weights(units.count, draws, seed, strata.tobytes())


@lru_cache(maxsize=8)
def bootstrap_weights(units: int, draws: int, seed: int, strata: bytes = b"") -> np.ndarray:
    """How often each unit is drawn, float (draws, units): ``units`` draws with replacement, each row.

    The same seed gives every run the same draws. They are whole, and floats as BLAS multiplies these.

    Args:
        strata: int64 (units,), as bytes: each is resampled by itself.
    """
    generator = np.random.default_rng(seed)
    of_unit = np.frombuffer(strata, np.int64) if strata else np.zeros(units, np.int64)
    weights = np.empty((draws, units))
    for stratum in np.unique(of_unit):
        (members,) = np.nonzero(of_unit == stratum)
        count = len(members)
        weights[:, members] = generator.multinomial(count, np.full(count, 1 / count), size=draws)
    return weights


def percentiles(values: np.ndarray, alpha: float) -> Interval:
    """Percentile interval of resampled values (Efron & Tibshirani 1993), those left out that are NaN."""
    low, high = np.nanquantile(values, (alpha / 2, 1 - alpha / 2))
    return float(low), float(high)


def resampled_matrices(confusion: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Confusion matrices of resampled test sets, float (draws, k, k); ``confusion``: int (units, k, k)."""
    units, size, _ = confusion.shape
    resampled = weights @ confusion.reshape(units, -1).astype(float)
    return resampled.reshape(len(weights), size, size)


def resampled_probabilities(
    labels: np.ndarray, probabilities: np.ndarray, units: Units, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Metrics of probabilities in resampled test sets, float (draws,) each.

    ``nll``, ``brier`` and, where labels are of several classes, ``macro_auroc``.

    Args:
        labels: int (n,).
        probabilities: float (n, k).
        weights: float (draws, units).
    """
    terms = calibration.terms_of_means(labels, probabilities)
    sums = [np.bincount(units.codes, values, units.count) for values in terms.values()]
    sums.append(np.bincount(units.codes, minlength=units.count).astype(float))
    *totals, images = (weights @ np.column_stack(sums)).T
    values = {name: total / images for name, total in zip(terms, totals, strict=True)}
    if len(np.unique(labels)) > 1:
        values["macro_auroc"] = weighted_macro_auroc(labels, probabilities, weights, units.codes)
    return values
