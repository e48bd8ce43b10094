"""From scored runs to the table of label efficiency: which curves there are, and why not."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from statsmodels.stats.multitest import multipletests

from fewlabels.core.fractions import fraction_text
from fewlabels.core.run_sheet import in_order
from fewlabels.statistics.comparison import obstacle, verdict_obstacle, verdict_warning
from fewlabels.statistics.evaluation import Row, Scored, not_lost, same_images
from fewlabels.statistics.label_efficiency import (
    Curves,
    Ratio,
    difference,
    fraction_ratio,
    gain,
    pooled_ratio,
)
from fewlabels.statistics.scored_runs import Cells, Scores, TrainedOn, TrainingImages, shared_pool
from fewlabels.statistics.variance_components import Estimate


@dataclass(frozen=True)
class Setting:
    """What the table is made with.

    Attributes:
        metric: the primary one.
        alpha: intervals have the level 1 - alpha, and families that error rate.
        pool: how many training images there are, if results are to hold for other pools of them; else None.
    """

    metric: str
    alpha: float
    pool: int | None = None


@dataclass
class Point:
    """One fraction of an arm beside its baseline.

    Attributes:
        arm, baseline: scores of the replicates; of a run without results its state.
        replicates: the labels of the arm's runs.
        training: what the arm's runs were trained on.
        reason: why the two cannot be compared; "" where they can.
        same_as: an earlier fraction of which all runs had the same training images.
    """

    fraction: str
    arm: list[Scored | str]
    baseline: list[Scored | str]
    replicates: list[str]
    training: TrainingImages
    reason: str = ""
    same_as: "Point | None" = None
    row: Row = field(default_factory=dict)


def points_of(
    runs: Cells, scores: Scores, trained_on: TrainedOn, arm: str, baseline: str
) -> list[Point]:
    """The fractions of an arm, in the order of the run sheet."""
    points: list[Point] = []
    for (name, fraction), members in runs.items():
        if name != arm:
            continue
        training, replicates = trained_on.of(arm, fraction), [run.replicate for run in members]
        mine, other = scores[arm, fraction], scores.get((baseline, fraction), [])
        point = Point(fraction, mine, other, replicates, training)
        if not other:
            point.reason = "the baseline has no such runs"
        elif replicates != [run.replicate for run in runs[baseline, fraction]]:
            point.reason = "seeds differ: not compared"
        elif training.counts != trained_on.of(baseline, fraction).counts:
            point.reason = "the baseline was trained on other numbers of labels"
        else:
            point.reason = obstacle(mine, other)
        same = (earlier for earlier in points if earlier.training.hashes == training.hashes)
        point.same_as = next(same, None)
        points.append(point)
    return points


def no_curves(points: Sequence[Point]) -> str:
    """Why the points make no curves; "" where they do."""
    for point in points:
        if point.reason:
            return f"{fraction_text(point.fraction)}: {point.reason}"
    if len({point.training.mean for point in points}) < 2:
        return "one number of labels: no curve"
    if any(point.replicates != points[0].replicates for point in points):
        return "seeds differ between fractions: no curve"
    if not same_images([run for point in points for run in not_lost(point.arm)]):
        return "test images differ between fractions: no curve"
    return ""


def curves_of(points: Sequence[Point], setting: Setting) -> Curves:
    """The curves of points that make some."""

    def stacked(side: str, kept: str) -> np.ndarray:
        runs = [not_lost(getattr(point, side)) for point in points]
        return np.array([[getattr(run, kept)[setting.metric] for run in row] for row in runs])

    units = not_lost(points[0].arm)[0].units
    return Curves(
        labels=np.array([point.training.mean for point in points]),
        arm=stacked("arm", "values"),
        baseline=stacked("baseline", "values"),
        arm_data=stacked("arm", "pseudovalues"),
        baseline_data=stacked("baseline", "pseudovalues"),
        effective_units=units.effective,
        shared_pool=max(shared_pool(point.training, setting.pool) for point in points),
    )


def difference_cells(found: Estimate, alpha: float | None) -> Row:
    """Cells of a difference, without its interval where ``alpha`` is None."""
    if alpha is None or not math.isfinite(found.error):
        return {"difference": found.value}
    low, high = found.interval(alpha)
    return {"difference": found.value, "low": low, "high": high}


def ratio_cells(found: Ratio) -> Row:
    """Cells of a ratio and its limits, each with its bound."""
    limits = {"ratio": found.value, "ratio_low": found.low, "ratio_high": found.high}
    row: Row = {}
    for name, limit in limits.items():
        if limit is not None:
            row |= {name: limit.value, f"{name}_bound": limit.bound}
    return row


def noted(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def arm_rows(points: Sequence[Point], setting: Setting) -> tuple[Row, list[Row], Estimate | None]:
    """The pooled row, those of the fractions, and the gain where it may be tested."""
    for point in points:
        runs = not_lost(point.arm)
        point.row = {"fraction": point.fraction, "labels": point.training.mean}
        point.row["state"] = point.reason
        if len(runs) == len(point.arm):
            point.row["value"] = float(np.mean([run.values[setting.metric] for run in runs]))
    pooled: Row = {"fraction": "", "state": ""}
    found, different = None, [point for point in points if point.same_as is None]
    if reason := no_curves(different):
        pooled["state"] = reason
        for point in different:
            point.row["state"] = point.reason or f"no ratio: {reason}"
    else:
        found = _fill(pooled, different, setting)
    for point in points:
        if point.same_as is not None:
            first = fraction_text(point.same_as.fraction)
            same = f"same training images as {first}: counted once"
            point.row["state"] = noted(point.reason, same)
    return pooled, [point.row for point in points], found


def _fill(pooled: Row, points: Sequence[Point], setting: Setting) -> Estimate | None:
    """Complete the rows of points that make curves, in place; gives the gain where it may be tested."""
    curves = curves_of(points, setting)
    first = not_lost(points[0].arm)[0]
    replicates = len(points[0].replicates)
    hindered = verdict_obstacle(replicates, first.units, curves.shared_pool)
    alpha = None if hindered else setting.alpha
    note = hindered or verdict_warning(replicates)
    for place, point in enumerate(points):
        ratio = fraction_ratio(curves, place, alpha)
        point.row |= difference_cells(difference(curves, place), alpha) | ratio_cells(ratio)
        point.row["state"] = noted(note, ratio.reason)
    found, ratio = gain(curves), pooled_ratio(curves, alpha)
    pooled |= difference_cells(found, alpha) | ratio_cells(ratio)
    pooled["state"] = noted(note, ratio.reason)
    return None if hindered else found


def efficiency_rows(
    runs: Cells, scores: Scores, trained_on: TrainedOn, test_set: str, setting: Setting
) -> list[Row]:
    """The rows of one test set: of each arm with a baseline its pooled one, then its fractions.

    The pooled tests of all arms are a family of their own, adjusted after Holm (1979, Scand J Stat 6:65).
    """
    rows: list[Row] = []
    family: list[tuple[Row, Estimate]] = []
    for arm in in_order(arm for arm, _ in runs):
        baseline = next(members[0].baseline for (name, _), members in runs.items() if name == arm)
        if not baseline:
            continue
        points = points_of(runs, scores, trained_on, arm, baseline)
        pooled, of_fractions, found = arm_rows(points, setting)
        common = {"arm": arm, "baseline": baseline, "test_set": test_set, "metric": setting.metric}
        pooled = common | pooled
        if found is not None:
            family.append((pooled, found))
        rows += [pooled, *(common | row for row in of_fractions)]
    if family:
        tests = [found.p_difference() for _, found in family]
        adjusted = multipletests(tests, setting.alpha, method="holm")[1]
        for (row, _), p, p_holm in zip(family, tests, adjusted, strict=True):
            row |= {"p": p, "p_holm": float(p_holm)}
    return rows
