"""Is an arm better than its baseline? Paired differences, their uncertainty, and a verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from fewlabels.statistics.evaluation import Row, Scored, same_images
from fewlabels.statistics.variance_components import Estimate, needed, two_way

METRICS = ("accuracy", "macro_f1")
BETTER, WORSE, UNDECIDED = "better", "worse", "undecided"


@dataclass
class Comparison:
    """One arm beside its baseline, at one fraction, on one test set, by one metric.

    Attributes:
        row: what is known of it so far, by the columns of comparisons.csv.
        estimate: the mean paired difference; None where there is nothing to compare.
        images_per_unit: mean size of a group; 1 where images are the units.
    """

    row: Row
    estimate: Estimate | None = None
    images_per_unit: float = 1.0


def equivalent_verdict(margin: float) -> str:
    """
    >>> equivalent_verdict(1)
    'equivalent within 1.0'
    """
    return f"equivalent within {float(margin)}"


def obstacle(arm: Sequence[Scored | None], baseline: Sequence[Scored | None]) -> str:
    """Why two lists of runs cannot be compared; "" where they can. None stands for a diverged run."""
    for name, runs in (("", arm), (" of the baseline", baseline)):
        if lost := sum(run is None for run in runs):
            return f"{lost} of {len(runs)} diverged{name}"
    if not same_images([run for run in (*arm, *baseline) if run is not None]):
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


def compare(arm: Sequence[Scored], baseline: Sequence[Scored], metric: str) -> Comparison:
    """The mean paired difference of runs on the same images, the i-th with the i-th."""
    pairs = list(zip(arm, baseline, strict=True))
    values = [one.values[metric] - other.values[metric] for one, other in pairs]
    data = [one.pseudovalues[metric] - other.pseudovalues[metric] for one, other in pairs]
    units, images = arm[0].units, arm[0].images
    notes = []
    if not units.grouped:
        known = f"only {units.groups} groups" if units.groups < len(units.codes) else "no groups"
        notes.append(f"image by image: {known}")
    if len(arm) == 1:
        notes.append("one replicate: spread over replicates not covered")
    row = {"replicates": len(arm), "units": units.count, "images": images}
    estimate = two_way(np.array(values), np.array(data))
    return Comparison(row | {"state": "; ".join(notes)}, estimate, images / units.count)


def decide(comparisons: Sequence[Comparison], alpha: float, margin: float) -> None:
    """Complete the rows of one family of comparisons, in place: tests, Holm's adjustment, verdict, what is needed.

    The family are all arms and fractions of one metric and test set. Holm (1979, Scand J Stat 6:65) adjusts the tests
    for a difference and those for equivalence separately.
    """
    family = [(item, item.estimate) for item in comparisons if item.estimate is not None]
    if not family:
        return
    difference = [found.p_difference() for _, found in family]
    equivalence = [found.p_equivalence(margin) for _, found in family]
    adjusted = [multipletests(p, alpha, method="holm")[1] for p in (difference, equivalence)]
    for place, (item, found) in enumerate(family):
        low, high = found.interval(alpha) if math.isfinite(found.error) else (-100.0, 100.0)
        differs, same = (bool(p[place] < alpha) for p in adjusted)
        verdict = equivalent_verdict(margin) if same else UNDECIDED
        if differs:
            verdict = BETTER if found.value > 0 else WORSE
        item.row |= {
            **{"difference": found.value, "low": max(low, -100.0), "high": min(high, 100.0)},
            **{"error": found.error, "df": found.df},
            **{"p_difference": difference[place], "p_difference_holm": float(adjusted[0][place])},
            **{
                "p_equivalence": equivalence[place],
                "p_equivalence_holm": float(adjusted[1][place]),
            },
            **{"equivalent": "true" if same else "false", "verdict": verdict},
        }
        if verdict == UNDECIDED:
            _say_what_is_needed(item, found, margin, alpha, len(family))


def _say_what_is_needed(
    item: Comparison, found: Estimate, margin: float, alpha: float, comparisons: int
) -> None:
    replicates, units = needed(found, margin, alpha, comparisons)
    if units is not None:
        item.row["needed_images"] = math.ceil(units * item.images_per_unit)
    item.row["needed_replicates"] = replicates
    notes = [item.row["state"]] if item.row["state"] else []
    if found.error == 0:
        notes.append("no difference seen, on too few images to tell")
    elif replicates is None and units is None:
        notes.append("neither more replicates nor more images alone would decide")
    item.row["state"] = "; ".join(notes)
