"""Uncertainty from replicates and test images together: two-way random effects.

Dorfman, Berbaum & Metz (1992, Invest Radiol 27:723) treat jackknife pseudovalues of a metric as data of a two-way
layout, replicates x groups of test images. Both factors are random: the result speaks of new replicates (subset,
initialisation) and new test images of the same kind. The variance of the mean is a sum of two estimates, one from few
replicates and one from many units; its critical values are those of Cochran & Cox (1957, Experimental Designs, 4.14).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import nctdtrinc, stdtr, stdtrit
from scipy.stats import chi2

from fewlabels.statistics.metrics import headline_metrics

#: Below this, in per cent, a standard error is rounding error.
ZERO = 1e-9
#: MS_R is taken as at least this share of MS_RG. The two would be equal if replicates did not differ, and from two or
#: three replicates MS_R is often near 0 by chance.
FLOOR = 0.1


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
    """A mean over replicates with its uncertainty, in the metric's unit.

    Attributes:
        value: the plain mean over replicates of the metric (or difference).
        error: its standard error; infinite where it cannot be told.
        replicates, units: sizes of the layout.
        effective_units: of units of unequal size, how many equal ones they are worth.
        replicate_share: the share of the variance that is known from replicates, 0 ... 1; the rest is from units.
    """

    value: float
    error: float
    replicates: int
    units: int
    effective_units: float
    replicate_share: float

    def critical(self, tail: float) -> float:
        """How many standard errors leave ``tail`` (0 ... 0.5) on one side.

        The mean of t with R - 1 and t with (effective units - 1) degrees of freedom, weighted by the share of the
        variance that comes from each (Cochran & Cox 1957).
        """
        share, found = self.replicate_share, 0.0
        if share > 0:
            found -= share * float(stdtrit(self.replicates - 1, tail))
        if share < 1:
            found -= (1 - share) * float(stdtrit(self.effective_units - 1, tail))
        return found

    def tail(self, errors: float) -> float:
        """The probability of so many standard errors or more on one side: what :meth:`critical` inverts."""
        if errors < 0:
            return 1 - self.tail(-errors)
        if self.replicate_share in (0, 1):
            df = self.replicates - 1 if self.replicate_share else self.effective_units - 1
            return float(stdtr(df, -errors))
        # Between the tails of the two t distributions.
        tails = [stdtr(df, -errors) for df in (self.replicates - 1, self.effective_units - 1)]
        low, high = float(min(tails)), float(max(tails))
        if high - low <= 1e-15 * high:
            return high
        # On a log scale, as tails may be tiny.
        found = brentq(
            lambda log: self.critical(math.exp(log)) - errors,
            math.log(max(low, 1e-300)) - 1e-9,
            math.log(max(high, 1e-300)) + 1e-9,
        )
        return math.exp(found)

    def interval(self, alpha: float) -> tuple[float, float]:
        """Two-sided interval of the level 1 - alpha."""
        half = math.inf if self.error == math.inf else self.critical(alpha / 2) * self.error
        return self.value - half, self.value + half

    def p_difference(self) -> float:
        """Two-sided p value of "the mean is 0"."""
        if self.error == math.inf:
            return 1.0
        if self.error == 0:
            return float(abs(self.value) <= ZERO)
        return min(2 * self.tail(abs(self.value) / self.error), 1.0)

    def p_equivalence(self, margin: float) -> float:
        """p value of "the mean is at least ``margin`` from 0": two one-sided tests (Schuirmann 1987).

        Where no unit differs there is no variance to test with. Then it is the probability of seeing none among the
        units if a share of ``margin`` per cent of them did differ, which a difference of ``margin`` points needs.
        """
        if self.error == math.inf:
            return 1.0
        if self.error == 0:
            if abs(self.value) <= ZERO:
                return (1 - min(margin, 100) / 100) ** self.effective_units
            return float(abs(self.value) >= margin)
        return self.tail((margin - abs(self.value)) / self.error)

    def detectable(
        self, tail: float, power: float = 0.8, alpha: float = 0.05
    ) -> tuple[float, float, float]:
        """The smallest true difference that a two-sided test of this design would find, and an interval of it.

        So many standard errors as the noncentrality that a t distribution needs to exceed critical(tail) so often. The
        interval, of the level 1 - alpha, tells how well the standard error is known, by a chi square. Both have
        Satterthwaite's degrees of freedom.

        Args:
            tail: the test's level on one side, after adjustment.
            power: the chance to find it, above 0.5.
        """
        share = self.replicate_share
        spread = (1 - share) ** 2 / (self.effective_units - 1)
        if share > 0:
            spread += share**2 / (self.replicates - 1)
        df = 1 / spread
        found = float(nctdtrinc(df, 1 - power, self.critical(tail))) * self.error
        low, high = (found * math.sqrt(df / chi2.isf(p, df)) for p in (alpha / 2, 1 - alpha / 2))
        return found, float(low), float(high)


def two_way(
    values: np.ndarray,
    data: np.ndarray,
    effective_units: float | None = None,
    shared_pool: float = 0.0,
) -> Estimate:
    """Analyse pseudovalues of a metric, or of a paired difference of it.

    With mean squares MS_R (replicates), MS_G (units) and MS_RG, the variance of the mean is
    (MS_R + max(MS_G - MS_RG, 0)) / (R G) (Hillis, Berbaum & Metz 2008, Acad Radiol 15:647), with MS_R at least a tenth
    of MS_RG. With one replicate: over units alone.

    Args:
        values: float (R,), the metric of each replicate.
        data: float (R, G), its pseudovalues.
        effective_units: of units of unequal size, how many equal ones they are worth; None: G.
        shared_pool: the share f of all training images that each replicate draws, where the result is to speak of
            other pools of training images. Two draws then have about f of their images in common, so that replicates
            differ less than new pools would: MS_R counts 1 + R f / (1 - f) times, after Nadeau & Bengio (2003, Mach
            Learn 52:239). At f = 1 the error is infinite.
    """
    replicates, units = data.shape
    value, effective = float(np.mean(values)), units if effective_units is None else effective_units
    if units < 2 or (replicates > 1 and shared_pool >= 1):
        return Estimate(value, math.inf, replicates, units, effective, 0.0)
    ms_unit = replicates * float(data.mean(0).var(ddof=1))
    if replicates == 1:
        return Estimate(value, _clean(math.sqrt(ms_unit / units)), 1, units, effective, 0.0)
    ms_replicate = units * float(data.mean(1).var(ddof=1))
    rest = data - data.mean(0) - data.mean(1, keepdims=True) + data.mean()
    ms_both = float((rest**2).sum()) / ((replicates - 1) * (units - 1))
    ms_replicate = max(ms_replicate, FLOOR * ms_both)
    ms_replicate *= 1 + replicates * shared_pool / (1 - shared_pool)
    total = ms_replicate + max(ms_unit - ms_both, 0)
    error = _clean(math.sqrt(total / (replicates * units)))
    share = ms_replicate / total if error else 0.0
    return Estimate(value, error, replicates, units, effective, share)


def _clean(error: float) -> float:
    return error if error > ZERO else 0.0
