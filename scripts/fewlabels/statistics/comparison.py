"""Is an arm better than its baseline? Paired differences, their uncertainty, and a verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from fewlabels.core.fractions import fraction_text
from fewlabels.statistics.evaluation import Row, Scored, not_lost, same_images
from fewlabels.statistics.evaluation import obstacle as interval_obstacle
from fewlabels.statistics.predictions import LEAST_EFFECTIVE, Units, lost_runs
from fewlabels.statistics.variance_components import Estimate, two_way

#: The metrics that verdicts can be made on; and all whose differences are told.
PRIMARY_METRICS = ("accuracy", "macro_f1", "balanced_accuracy", "mcc")
METRICS = (*PRIMARY_METRICS, "nll", "brier")
#: No difference is larger, in points.
LARGEST = dict(zip(PRIMARY_METRICS, (100.0, 100.0, 100.0, 200.0), strict=True))
BETTER, WORSE, UNDECIDED, NO_VERDICT = "better", "worse", "undecided", "no verdict"
#: The chance to find a difference as large as the detectable one.
POWER = 0.8


@dataclass
class Comparison:
    """One arm beside its baseline, at one fraction, on one test set, by one metric.

    Attributes:
        row: what is known of it so far, by the columns of comparisons.csv.
        estimate: the mean paired difference; None where there is nothing to compare.
        obstacle: why there is no verdict, though there is a difference; "" where there is one.
        measured: whether its interval and its test can be trusted.
        largest: no difference can be larger.
        same_as: the comparison of the same training images, at another fraction, whose verdict it shares.
    """

    row: Row
    estimate: Estimate | None = None
    obstacle: str = ""
    measured: bool = True
    largest: float = math.inf
    same_as: "Comparison | None" = None


def equivalent_verdict(margin: float) -> str:
    """
    >>> equivalent_verdict(1)
    'equivalent within 1.0'
    """
    return f"equivalent within {float(margin)}"


def obstacle(arm: Sequence[Scored | str], baseline: Sequence[Scored | str]) -> str:
    """Why two lists of runs cannot be compared; "" where they can. A run without results is its state."""
    for name, runs in (("", arm), (" of the baseline", baseline)):
        if lost := lost_runs([run if isinstance(run, str) else "" for run in runs]):
            return f"{lost}{name}"
    if not same_images(not_lost([*arm, *baseline])):
        return "test images differ: not compared"
    return ""


def mcnemar_values(arm: Scored, baseline: Scored) -> Row:
    """Images that only one of two runs classified rightly, and McNemar's exact test on them (1947)."""
    gained = int((arm.right & ~baseline.right).sum())
    lost = int((~arm.right & baseline.right).sum())
    p = mcnemar([[0, gained], [lost, 0]], exact=True).pvalue if gained + lost else 1.0
    return {"only_arm": gained, "only_baseline": lost, "p_mcnemar": float(min(p, 1.0))}


def difference_rows(
    arm: Sequence[Scored], baseline: Sequence[Scored], replicates: Sequence[str], metric: str
) -> list[Row]:
    """One row per replicate: the difference in points, and for accuracy McNemar's test."""
    rows = []
    for one, other, replicate in zip(arm, baseline, replicates, strict=True):
        row = {"replicate": replicate, "difference": one.values[metric] - other.values[metric]}
        rows.append(row | (mcnemar_values(one, other) if metric == "accuracy" else {}))
    return rows


def rows_beside_lost(
    arm: Sequence[Scored | str],
    baseline: Sequence[Scored | str],
    replicates: Sequence[str],
    metric: str,
) -> list[Row]:
    """One row per replicate where some runs have no results: the difference of a whole pair, else the lost run's
    state."""
    rows: list[Row] = []
    for mine, others, replicate in zip(arm, baseline, replicates, strict=True):
        if isinstance(mine, str):
            rows.append({"replicate": replicate, "state": mine})
        elif isinstance(others, str):
            rows.append({"replicate": replicate, "state": f"baseline {others}"})
        elif not same_images([mine, others]):
            rows.append({"replicate": replicate, "state": "test images differ: not compared"})
        elif metric in mine.values and metric in others.values:
            rows += difference_rows([mine], [others], [replicate], metric)
    return rows


def compare(
    arm: Sequence[Scored], baseline: Sequence[Scored], metric: str, shared_pool: float = 0.0
) -> Comparison:
    """The mean paired difference of runs on the same images, the i-th with the i-th.

    Args:
        shared_pool: see :func:`fewlabels.statistics.variance_components.two_way`.
    """
    pairs = list(zip(arm, baseline, strict=True))
    if any(metric not in run.values for pair in pairs for run in pair):
        return Comparison({"state": "no probabilities"})
    values = [one.values[metric] - other.values[metric] for one, other in pairs]
    data = [one.pseudovalues[metric] - other.pseudovalues[metric] for one, other in pairs]
    units = arm[0].units
    estimate = two_way(np.array(values), np.array(data), units.effective, shared_pool)
    row: Row = {"replicates": len(arm), "units": units.count, "images": arm[0].images}
    row |= {"effective_units": units.effective, "state": ""}
    found = Comparison(row, estimate, largest=LARGEST.get(metric, math.inf))
    found.obstacle = verdict_obstacle(len(arm), units, shared_pool)
    if reason := interval_obstacle(arm[0], metric, LEAST_EFFECTIVE):
        found.measured, row["state"] = False, reason
        found.obstacle = found.obstacle or reason
    elif not found.obstacle:
        row["state"] = verdict_warning(len(arm))
    return found


def verdict_obstacle(replicates: int, units: Units, shared_pool: float) -> str:
    """Why there is no verdict on a difference that is known; "" where there can be one."""
    if replicates == 1:
        return "one replicate: how far replicates spread is not known"
    if units.effective < LEAST_EFFECTIVE:
        kind = "slides" if units.grouped else "images"
        return f"test images of only {units.effective:.1f} effective {kind}"
    if shared_pool >= 1:
        return "all training images are used: other pools of them are not covered"
    return ""


def verdict_warning(replicates: int) -> str:
    """What stands beside a verdict, or ""."""
    if replicates == 2:
        return "two replicates: how far replicates spread is hardly known"
    return ""


def measure(comparisons: Sequence[Comparison], alpha: float) -> None:
    """Complete the rows of comparisons by the difference, its interval and its test, in place."""
    for item in comparisons:
        if item.estimate is None:
            continue
        found = item.estimate
        item.row["difference"] = found.value
        if item.measured and math.isfinite(found.error):
            item.row["p_difference"] = found.p_difference()
            low, high = found.interval(alpha)
            low, high = max(low, -item.largest), min(high, item.largest)
            item.row |= {"low": low, "high": high, "error": found.error}
            item.row["critical"] = found.critical(alpha / 2)


def decide(comparisons: Sequence[Comparison], alpha: float, margin: float) -> None:
    """Complete the rows of one family of comparisons, in place: tests, Holm's adjustment, verdict, what was detectable.

    The family are all arms and fractions of the primary metric on one test set, each set of training images once. Holm
    (1979, Scand J Stat 6:65) adjusts the tests for a difference and those for equivalence separately.
    """
    measure(comparisons, alpha)
    family = []
    for item in comparisons:
        if item.estimate is None:
            continue
        if item.obstacle:
            item.row |= {"verdict": NO_VERDICT, "state": item.obstacle}
        elif item.same_as is None:
            family.append((item, item.estimate))
    if family:
        difference = [found.p_difference() for _, found in family]
        equivalence = [found.p_equivalence(margin) for _, found in family]
        adjusted = [multipletests(p, alpha, method="holm")[1] for p in (difference, equivalence)]
        for place, (item, found) in enumerate(family):
            differs, same = (bool(p[place] < alpha) for p in adjusted)
            verdict = equivalent_verdict(margin) if same else UNDECIDED
            if differs:
                verdict = BETTER if found.value > 0 else WORSE
            item.row |= {
                "p_difference_holm": float(adjusted[0][place]),
                "p_equivalence": equivalence[place],
                "p_equivalence_holm": float(adjusted[1][place]),
                "equivalent": "true" if same else "false",
                "verdict": verdict,
            }
            _tell_the_detectable(item.row, found, alpha, len(family))
    for item in comparisons:
        if item.same_as is not None and item.estimate is not None and not item.obstacle:
            _share(item, item.same_as)


def _tell_the_detectable(row: Row, found: Estimate, alpha: float, comparisons: int) -> None:
    """The smallest difference that Holm's first step would have shown."""
    if found.error == 0:
        row["state"] = "; ".join(filter(None, [row["state"], "no image tells the two apart"]))
        return
    names = ("detectable", "detectable_low", "detectable_high")
    values = found.detectable(alpha / (2 * comparisons), POWER, alpha)
    row |= dict(zip(names, values, strict=True))


def _share(item: Comparison, first: Comparison) -> None:
    """Give a comparison the decision of the one with the same training images."""
    decided = [
        *("p_difference_holm", "p_equivalence", "p_equivalence_holm", "equivalent", "verdict"),
        *("detectable", "detectable_low", "detectable_high"),
    ]
    item.row |= {key: first.row[key] for key in decided if key in first.row}
    label = fraction_text(first.row["fraction"])
    notes = [item.row["state"], f"same training images as {label}: counted once"]
    item.row["state"] = "; ".join(filter(None, notes))
