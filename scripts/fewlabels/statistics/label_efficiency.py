"""How many labels does an arm save? Its curve of a metric over ln(number of labels), beside its baseline's.

Every number is a weighted sum of runs, or the place where such a sum is 0. Sums are linear in the pseudovalues, so that
:func:`~fewlabels.statistics.variance_components.two_way` gives interval and test from replicates and test images
together; percentiles of a bootstrap of five replicates would be too narrow. Between the numbers of labels that were
run, curves are straight lines over the logarithm; beyond them nothing is said.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression

from fewlabels.statistics.variance_components import ZERO, Estimate, two_way

#: Bounds of a number: it is known, at least so much, at most so much.
KNOWN, AT_LEAST, AT_MOST = "", ">=", "<="
#: Shifted curves are compared where they overlap, which is at least this share of their range.
LEAST_OVERLAP = 1 / 3
#: Ratios are tried at so many places between two neighbouring ones where the curves bend, and halved so often beyond.
STEPS, HALVINGS = 6, 30
FLAT = "the baseline does not rise with more labels: no ratio"

#: Weights of the arm's and of the baseline's fractions, float (fractions,) each, of a shift along the axis.
Contrast = Callable[[float], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Curves:
    """An arm and its baseline: the same fractions, replicates and test images.

    Attributes:
        labels: float (fractions,), training images with a label, mean over replicates; any order, above 0.
        arm, baseline: float (fractions, replicates), the metric, higher is better.
        arm_data, baseline_data: float (fractions, replicates, units), its pseudovalues.
        effective_units: how many units of equal size they are worth; None: as many as there are.
        shared_pool: as of :func:`two_way`.
    """

    labels: np.ndarray
    arm: np.ndarray
    baseline: np.ndarray
    arm_data: np.ndarray
    baseline_data: np.ndarray
    effective_units: float | None = None
    shared_pool: float = 0.0

    @cached_property
    def places(self) -> np.ndarray:
        """ln labels of each fraction, float (fractions,)."""
        return np.log(np.asarray(self.labels, dtype=float))

    @cached_property
    def points(self) -> np.ndarray:
        """Where the curves have points: each place once, ascending, float (points,)."""
        return np.unique(self.places)

    @cached_property
    def spread(self) -> np.ndarray:
        """From weights of points to weights of fractions, float (fractions, points).

        Fractions with as many labels make one point, their mean.
        """
        same = self.places[:, None] == self.points
        return same / same.sum(0)

    @cached_property
    def over_range(self) -> np.ndarray:
        """Weights of the points in the mean of a curve over its whole range, float (points,)."""
        return mean_weights(self.points, self.points[0], self.points[-1])

    def monotone(self, runs: np.ndarray) -> np.ndarray:
        """From weights of a monotone curve's points to weights of fractions, float (fractions, points).

        The monotone curve is the isotonic regression of the mean over replicates (pooled adjacent violators), with the
        weights of points in the mean over the range, so that this mean stays as it is. Which points are pooled is then
        held.

        Args:
            runs: float (fractions, replicates).
        """
        found = isotonic_regression(self.spread.T @ runs.mean(1), weights=self.over_range)
        pooled = np.zeros((len(self.points), len(self.points)))
        for first, last in zip(found.blocks[:-1], found.blocks[1:], strict=True):
            weights = self.over_range[first:last]
            pooled[first:last, first:last] = weights / weights.sum()
        return self.spread @ pooled.T

    def value(self, arm_weights: np.ndarray, baseline_weights: np.ndarray) -> float:
        """The arm's weighted sum minus the baseline's, mean over replicates."""
        return float(arm_weights @ self.arm.mean(1) - baseline_weights @ self.baseline.mean(1))

    def estimate(self, arm_weights: np.ndarray, baseline_weights: np.ndarray) -> Estimate:
        """The same with its uncertainty."""
        values = arm_weights @ self.arm - baseline_weights @ self.baseline
        data = np.tensordot(arm_weights, self.arm_data, 1)
        data -= np.tensordot(baseline_weights, self.baseline_data, 1)
        return two_way(values, data, self.effective_units, self.shared_pool)


class Limit(NamedTuple):
    """A number that is known, or one that it is at least or at most."""

    value: float
    bound: str = KNOWN


@dataclass(frozen=True)
class Ratio:
    """Labels that the baseline needs for what the arm reaches, over the labels of the arm.

    Attributes:
        value: above 1 where the arm saves labels.
        low, high: of an interval.
        reason: why there is none of these.
    """

    value: Limit | None = None
    low: Limit | None = None
    high: Limit | None = None
    reason: str = ""


def hats(points: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weights of a curve's points in its values at some places within its range, float (places, points)."""
    return np.stack([np.interp(at, points, unit) for unit in np.eye(len(points))], axis=1)


def mean_weights(points: np.ndarray, low: float, high: float) -> np.ndarray:
    """Weights of a curve's points in its mean between two places (trapezoids), float (points,).

    >>> mean_weights(np.array([0.0, 1.0, 3.0]), 0.0, 3.0) * 6
    array([1., 3., 2.])
    """
    inner = points[(points > low) & (points < high)]
    bends = np.array([low, *inner, high])
    widths = np.diff(bends)
    trapezoids = (np.append(widths, 0) + np.append(0, widths)) / 2
    return trapezoids @ hats(points, bends) / (high - low)


def gain(curves: Curves) -> Estimate:
    """The area between the curves over the length of their range: the mean difference over ln labels, in points."""
    weights = curves.spread @ curves.over_range
    return curves.estimate(weights, weights)


def difference(curves: Curves, place: int) -> Estimate:
    """The paired difference at one fraction, the ``place``-th."""
    own = np.eye(len(curves.places))[place]
    return curves.estimate(own, own)


@dataclass(frozen=True)
class Shift:
    """Moves of the baseline's curve along the axis, and what they leave between the curves.

    Attributes:
        contrast: weights whose value falls with the move; a move is the ln of a ratio.
        bends: float (bends,), moves at which the value bends, ascending; the first and the last are the ends.
    """

    curves: Curves
    contrast: Contrast
    bends: np.ndarray

    def value(self, move: float) -> float:
        """The arm minus the moved baseline."""
        return self.curves.value(*self.contrast(move))

    def possible(self, move: float, alpha: float) -> bool:
        """Whether that value is not known to be another than 0, at the level ``alpha``."""
        low, high = self.curves.estimate(*self.contrast(move)).interval(alpha)
        return low <= ZERO and high >= -ZERO

    def ratio(self, alpha: float | None) -> Ratio:
        """The ratio at which nothing is left, and those that are possible (inversion of the test: Fieller 1954).

        Args:
            alpha: the interval's level is 1 - alpha; None: no interval.
        """
        first, last = float(self.bends[0]), float(self.bends[-1])
        root = _root(self.value, first, last)
        value = Limit(math.exp(root.value), root.bound)
        if alpha is None:
            return Ratio(value)
        pairs = zip(self.bends[:-1], self.bends[1:], strict=True)
        between = [np.linspace(*pair, STEPS, endpoint=False) for pair in pairs]
        moves = np.unique([*np.concatenate(between), root.value, last])
        inside = [place for place, move in enumerate(moves) if self.possible(move, alpha)]
        if not inside:
            return Ratio(value, value, value)

        def edge(place: int, outside: int) -> Limit:
            last_possible = _edge(
                lambda move: self.possible(move, alpha), moves[place], moves[outside]
            )
            return Limit(math.exp(last_possible))

        low, high = Limit(math.exp(first), AT_MOST), Limit(math.exp(last), AT_LEAST)
        if inside[0] > 0:
            low = edge(inside[0], inside[0] - 1)
        if inside[-1] < len(moves) - 1:
            high = edge(inside[-1], inside[-1] + 1)
        return Ratio(value, low, high)


def is_flat(curves: Curves) -> bool:
    """Whether more labels do the baseline no good, so that a ratio of labels has no sense."""
    return float(np.ptp(curves.monotone(curves.baseline).T @ curves.baseline.mean(1))) <= ZERO


def fraction_shift(curves: Curves, place: int) -> Shift:
    """The arm at its ``place``-th fraction beside the baseline's curve."""
    own = np.eye(len(curves.places))[place]
    start, monotone = curves.places[place], curves.monotone(curves.baseline)

    def contrast(move: float) -> tuple[np.ndarray, np.ndarray]:
        return own, monotone @ hats(curves.points, np.array([start + move]))[0]

    return Shift(curves, contrast, curves.points - start)


def pooled_shift(curves: Curves) -> Shift:
    """The arm's curve beside the baseline's: their means where both are.

    Without a move this is the gain.
    """
    of_arm, of_baseline = curves.monotone(curves.arm), curves.monotone(curves.baseline)
    points = curves.points
    first, last = points[0], points[-1]

    def contrast(move: float) -> tuple[np.ndarray, np.ndarray]:
        low, high = max(first, first - move), min(last, last - move)
        moved = mean_weights(points, max(low + move, first), min(high + move, last))
        return of_arm @ mean_weights(points, low, high), of_baseline @ moved

    most = (1 - LEAST_OVERLAP) * (last - first)
    bends = np.unique(points[:, None] - points)
    return Shift(curves, contrast, np.array([-most, *bends[np.abs(bends) < most], most]))


def fraction_ratio(curves: Curves, place: int, alpha: float | None) -> Ratio:
    """The ratio at the ``place``-th fraction; ``alpha`` as of :meth:`Shift.ratio`."""
    return Ratio(reason=FLAT) if is_flat(curves) else fraction_shift(curves, place).ratio(alpha)


def pooled_ratio(curves: Curves, alpha: float | None) -> Ratio:
    """The ratio of all fractions; ``alpha`` as of :meth:`Shift.ratio`."""
    return Ratio(reason=FLAT) if is_flat(curves) else pooled_shift(curves).ratio(alpha)


def _root(value: Callable[[float], float], first: float, last: float) -> Limit:
    """Where a falling function is 0; of many such places the one nearest to 0."""
    if value(last) > ZERO:
        return Limit(last, AT_LEAST)
    if value(first) < -ZERO:
        return Limit(first, AT_MOST)
    low, high = first, last
    if value(first) > ZERO:
        low = _edge(lambda shift: value(shift) <= ZERO, last, first)
    if value(last) < -ZERO:
        high = _edge(lambda shift: value(shift) >= -ZERO, first, last)
    return Limit(min(max(0.0, low), max(low, high)))


def _edge(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """The last place, from one where a condition holds to one where it does not, where it holds."""
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        if holds(middle):
            inside = middle
        else:
            outside = middle
    return inside
