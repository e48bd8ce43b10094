"""Uncertainty from replicates and test images together: two-way random effects.

Dorfman, Berbaum & Metz (1992, Invest Radiol 27:723) treat jackknife pseudovalues of a metric as data of a two-way
layout, replicates x groups of test images; Hillis, Berbaum & Metz (2008, Acad Radiol 15:647) give the degrees of
freedom. Both factors are random: the result speaks of new replicates (subset, initialisation) and new test images of
the same kind.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from fewlabels.statistics.metrics import headline_metrics

#: Below this, in per cent, a standard error is rounding error.
ZERO = 1e-9
#: More degrees of freedom than these make no difference.
MOST_DF = 1e6
#: Nobody would run more than these to decide a comparison.
MOST_REPLICATES, MOST_UNITS = 1000, 1_000_000


def pseudovalues(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """Jackknife pseudovalues of the headline metrics over units, in per cent, float (units,) each.

    Unit j has G x (metric of all) - (G - 1) x (metric without unit j) (Quenouille 1956; Tukey 1958).

    Args:
        confusion: int (units, k, k), one matrix per group or image.
    """
    units = len(confusion)
    total = confusion.sum(0)
    whole, without = headline_metrics(total), headline_metrics(total - confusion)
    return {name: units * whole[name] - (units - 1) * without[name] for name in whole}


@dataclass(frozen=True)
class Estimate:
    """A mean over replicates with its uncertainty, in points.

    Attributes:
        value: the plain mean over replicates of the metric (or difference).
        error: its standard error.
        df: degrees of freedom of the t distribution.
        replicates, units: sizes of the layout.
        var_replicate, var_unit, var_both: variance components of one replicate, one unit, and their interaction
            with noise; var_replicate is None with one replicate, which cannot tell it.
    """

    value: float
    error: float
    df: float
    replicates: int
    units: int
    var_replicate: float | None
    var_unit: float
    var_both: float

    def interval(self, alpha: float) -> tuple[float, float]:
        """Two-sided interval of the level 1 - alpha."""
        half = float(t.ppf(1 - alpha / 2, self.df)) * self.error
        return self.value - half, self.value + half

    def p_difference(self) -> float:
        """Two-sided p value of "the mean is 0"."""
        if self.error == 0:
            return float(abs(self.value) <= ZERO)
        return float(2 * t.sf(abs(self.value) / self.error, self.df))

    def p_equivalence(self, margin: float) -> float:
        """p value of "the mean is at least ``margin`` from 0": two one-sided tests (Schuirmann 1987).

        Where no unit differs there is no variance to test with. Then it is the probability of seeing none among the
        units if a share of ``margin`` per cent of them did differ, which a difference of ``margin`` points needs.
        """
        if self.error == 0:
            if abs(self.value) <= ZERO:
                return (1 - min(margin, 100) / 100) ** self.units
            return float(abs(self.value) >= margin)
        return float(t.sf((margin - abs(self.value)) / self.error, self.df))


def two_way(values: np.ndarray, data: np.ndarray) -> Estimate:
    """Analyse pseudovalues of a metric, or of a paired difference of it.

    With mean squares MS_R (replicates), MS_G (units) and MS_RG, the variance of the mean is
    (MS_R + max(MS_G - MS_RG, 0)) / (R G), with Hillis' degrees of freedom
    (MS_R + max(MS_G - MS_RG, 0))^2 / (MS_R^2 / (R - 1)). MS_R, known from few replicates, is taken as at least MS_RG,
    below which it lies only by chance: without that, chance finds of a Holm-adjusted family came too often in
    simulations. With one replicate: over units alone.

    Args:
        values: float (R,), the metric of each replicate.
        data: float (R, G), its pseudovalues.
    """
    replicates, units = data.shape
    value = float(np.mean(values))
    if units < 2:
        return Estimate(value, math.inf, 1, replicates, units, None, 0.0, 0.0)
    ms_unit = replicates * float(data.mean(0).var(ddof=1))
    if replicates == 1:
        error = math.sqrt(ms_unit / units)
        return Estimate(value, _clean(error), units - 1, 1, units, None, ms_unit, 0.0)
    ms_replicate = units * float(data.mean(1).var(ddof=1))
    rest = data - data.mean(0) - data.mean(1, keepdims=True) + data.mean()
    ms_both = float((rest**2).sum()) / ((replicates - 1) * (units - 1))
    ms_replicate = max(ms_replicate, ms_both)
    numerator = ms_replicate + max(ms_unit - ms_both, 0)
    df = MOST_DF
    if ms_replicate > ZERO**2:
        df = min((numerator / ms_replicate) ** 2 * (replicates - 1), MOST_DF)
    return Estimate(
        value,
        _clean(math.sqrt(numerator / (replicates * units))),
        df,
        replicates,
        units,
        (ms_replicate - ms_both) / units,
        max((ms_unit - ms_both) / replicates, 0),
        ms_both,
    )


def _clean(error: float) -> float:
    return error if error > ZERO else 0.0


def projected(estimate: Estimate, replicates: int, units: int) -> tuple[float, float]:
    """Standard error and degrees of freedom with other numbers of replicates and units, by the variance components."""
    if estimate.var_replicate is None:
        return math.sqrt(estimate.var_unit / units), units - 1
    ms_replicate = units * estimate.var_replicate + estimate.var_both
    numerator = ms_replicate + replicates * estimate.var_unit
    df = MOST_DF
    if ms_replicate > ZERO**2:
        df = min((numerator / ms_replicate) ** 2 * (replicates - 1), MOST_DF)
    return math.sqrt(numerator / (replicates * units)), df


def needed(
    estimate: Estimate, margin: float, alpha: float, comparisons: int
) -> tuple[int | None, int | None]:
    """The fewest replicates, and the fewest units, that would decide if the present difference d is the true one.

    Decided is a difference once |d| is t(1 - alpha / 2m) standard errors, or its equivalence once margin - |d| is
    t(1 - alpha / m) of them; m is the number of comparisons (Holm's strictest step). Standard error and degrees of
    freedom follow from the variance components, one of the two numbers held. A true difference of just d would then be
    decided in about half of all repetitions.

    Returns:
        Replicates and units, None where no reasonable number decides or it cannot be told.
    """
    distance = abs(estimate.value)

    def decides(replicates: int, units: int) -> bool:
        error, df = projected(estimate, replicates, units)
        differs = float(t.ppf(1 - alpha / (2 * comparisons), df))
        same = float(t.ppf(1 - alpha / comparisons, df))
        return distance >= differs * error or margin - distance >= same * error

    replicates, units = estimate.replicates, estimate.units
    if estimate.error in (0, math.inf):
        return None, None
    more_units = _fewest(lambda number: decides(replicates, number), units, MOST_UNITS)
    if estimate.var_replicate is None:
        return None, more_units
    return _fewest(lambda number: decides(number, units), replicates, MOST_REPLICATES), more_units


def _fewest(enough: Callable[[int], bool], now: int, most: int) -> int | None:
    """The first number above ``now`` that is enough, None if none up to ``most`` is.

    Enough may end again, because the degrees of freedom fall with more units; hence a grid (of steps of at
    most a tenth), then bisection.
    """
    if most <= now:
        return None
    steps = math.ceil(math.log(most / (now + 1)) / math.log(1.1)) + 1
    grid = sorted({round(number) for number in np.geomspace(now + 1, most, steps)})
    for below, number in zip([now, *grid], grid, strict=False):
        if enough(number):
            return bisect_left(range(number + 1), True, lo=below + 1, key=enough)
    return None


def crossed_components(values: np.ndarray) -> tuple[float, float, float]:
    """Standard deviations of subset, initialisation and the rest, from one value of each pair.

    Two-way random-effects analysis of variance without replication, by the method of moments, negative estimates set
    to 0 (Searle, Casella & McCulloch 1992, Variance Components, chapter 4).

    Args:
        values: float (subsets, initialisations), at least 2 x 2.
    """
    subsets, initialisations = values.shape
    ms_subset = initialisations * float(values.mean(1).var(ddof=1))
    ms_initialisation = subsets * float(values.mean(0).var(ddof=1))
    rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    ms_rest = float((rest**2).sum()) / ((subsets - 1) * (initialisations - 1))
    return (
        math.sqrt(max((ms_subset - ms_rest) / initialisations, 0)),
        math.sqrt(max((ms_initialisation - ms_rest) / subsets, 0)),
        math.sqrt(ms_rest),
    )
