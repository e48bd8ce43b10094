"""How much two seeds spread the results, from one run of each pair: subset, initialisation, and the rest.

Two-way random-effects analysis of variance without replication. Point estimates by the method of moments (Searle,
Casella & McCulloch 1992, Variance Components, chapter 4); upper limits by the modified large-sample method (Ting,
Burdick, Graybill, Jeyaratnam & Lu 1990, J Stat Comput Simul 35:135, after Graybill & Wang 1980, JASA 75:869; as in
Burdick & Graybill 1992, Confidence Intervals on Variance Components).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, f

#: Below this, in squared points, a mean square is rounding error.
ZERO = 1e-18


@dataclass(frozen=True)
class Spread:
    """One source's standard deviation, in the unit of the values.

    Attributes:
        sd: the estimate; a negative one of the variance is 0.
        upper: one-sided upper limit of the level 1 - alpha; None where nothing varies at all, which sets no limit.
        p: F test of "this source spreads nothing"; None for the rest, which has none to be tested against.
    """

    sd: float
    upper: float | None
    p: float | None = None


@dataclass(frozen=True)
class CrossedSpread:
    """What spreads the values of crossed runs."""

    subset: Spread
    initialisation: Spread
    rest: Spread


def crossed_spread(values: np.ndarray, alpha: float) -> CrossedSpread:
    """Part the spread of crossed runs by its sources.

    Args:
        values: float (subsets, initialisations), at least 2 x 2, without gaps.
        alpha: upper limits have the level 1 - alpha.
    """
    subsets, initialisations = values.shape
    rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    df_rest = (subsets - 1) * (initialisations - 1)
    ms_rest = _clean(float((rest**2).sum()) / df_rest)
    limit = ms_rest * df_rest / chi2.ppf(alpha, df_rest)
    return CrossedSpread(
        _source(values.mean(1), initialisations, ms_rest, df_rest, alpha),
        _source(values.mean(0), subsets, ms_rest, df_rest, alpha),
        Spread(math.sqrt(ms_rest), math.sqrt(limit) or None),
    )


def _source(means: np.ndarray, repeats: int, ms_rest: float, df_rest: int, alpha: float) -> Spread:
    """One source's spread, from the means of its levels, each over ``repeats`` values."""
    df = len(means) - 1
    mean_square = _clean(repeats * float(means.var(ddof=1)))
    sd = math.sqrt(max(mean_square - ms_rest, 0) / repeats)
    p = float(f.sf(mean_square / ms_rest, df, df_rest)) if ms_rest else float(mean_square == 0)
    # A mean square expects at least that of the rest: it lies below only by chance, and would promise too low a limit.
    limit = _upper_limit(max(mean_square, ms_rest), ms_rest, df, df_rest, alpha)
    return Spread(sd, math.sqrt(max(limit, 0) / repeats) or None, p)


def _clean(mean_square: float) -> float:
    return mean_square if mean_square > ZERO else 0.0


def _upper_limit(first: float, second: float, df_1: int, df_2: int, alpha: float) -> float:
    """Upper limit of the expected difference of two independent mean squares, by Ting et al. (1990)."""
    h_1 = df_1 / chi2.ppf(alpha, df_1) - 1
    g_2 = 1 - df_2 / chi2.ppf(1 - alpha, df_2)
    ratio = f.ppf(alpha, df_1, df_2)
    h_12 = ((1 - ratio) ** 2 - (h_1 * ratio) ** 2 - g_2**2) / ratio
    variance = (h_1 * first) ** 2 + (g_2 * second) ** 2 + h_12 * first * second
    return float(first - second + math.sqrt(max(variance, 0)))
