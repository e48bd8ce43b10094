"""From single runs to means, medians and minima over replicates, and which runs stand out among them."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from scipy.stats import trim_mean

from fewlabels.core.run_sheet import OWN_TEST_SET
from fewlabels.statistics.evaluation import (
    FELL_BACK,
    FITTED_TWICE,
    NO_INTERVAL,
    Row,
    Scored,
    Settings,
    noted,
    obstacle,
    same_images,
    wilson_rows,
)
from fewlabels.statistics.intervals import wilson_of
from fewlabels.statistics.metrics import HEADLINE
from fewlabels.statistics.predictions import LEAST_EFFECTIVE, lost_runs
from fewlabels.statistics.variance_components import Estimate, two_way

#: Their means have intervals.
WITH_INTERVALS = (*HEADLINE, "nll", "brier")
#: Shares of images, and means of such, in per cent: their intervals are Wilson's.
SHARES = ("accuracy", "macro_f1", "balanced_accuracy")
#: Where the intervals of the others end.
BOUNDS = {
    **dict.fromkeys(("mcc", "kappa"), (-100.0, 100.0)),
    **dict.fromkeys(("nll", "brier"), (0.0, math.inf)),
}
#: Fewer replicates have no median, interquartile mean and minimum; and none stands out among fewer.
LEAST_SUMMARIZED, LEAST_FENCED = 3, 5
#: Marks of single runs.
OUTLIER = "outlier among replicates"
NOT_ABOVE_MAJORITY = "not above the majority class"
LEARNT_NOTHING = f"learnt nothing: {NOT_ABOVE_MAJORITY}"
#: (arm, fraction, test set) -> the runs of its replicates, those without results left out.
Runs = Mapping[tuple, Sequence[Scored]]


def estimate(runs: Sequence[Scored], metric: str, shared_pool: float = 0.0) -> Estimate:
    """Mean of a metric over runs on the same images, with its uncertainty; ``shared_pool``: see :func:`two_way`."""
    values = np.array([run.values[metric] for run in runs])
    data = np.array([run.pseudovalues[metric] for run in runs])
    return two_way(values, data, runs[0].units.effective, shared_pool)


def combined_interval(
    runs: Sequence[Scored], metric: str, settings: Settings, shared_pool: float = 0.0
) -> Row:
    """Cells beside a mean over replicates: its interval over replicates and units together, or why it has none.

    Means of shares have Wilson's form with the critical value of the two-way layout in place of z; the others are
    value +- critical x error, within their bounds.
    """
    if not same_images(runs):
        return {"state": f"{NO_INTERVAL}test images differ between replicates"}
    first = runs[0]
    if metric == "accuracy" and len(runs) == 1:
        return wilson_rows(first, settings)[metric]
    if why := obstacle(first, metric, LEAST_EFFECTIVE):
        return {"state": why}
    found = estimate(runs, metric, shared_pool)
    if found.error == math.inf:
        return {"state": f"{NO_INTERVAL}all training images are used"}
    if metric in SHARES:
        critical = found.critical(settings.alpha / 2)
        most = len(runs) * first.images
        low, high = wilson_of(found.value, found.error, critical, found.effective_units, most)
    elif found.error == 0:
        return {"state": f"{NO_INTERVAL}every unit scored alike"}
    else:
        low, high = found.interval(settings.alpha)
        least, most_possible = BOUNDS[metric]
        low, high = max(low, least), min(high, most_possible)
    kind = "combined_groups" if first.units.grouped else "combined_images"
    return {"low": low, "high": high, "interval": kind}


def interquartile_mean(values: Sequence[float]) -> float:
    """Mean without the lowest and the highest quarter, rounded down (Agarwal et al. 2021, arXiv:2108.13264)."""
    return float(trim_mean(values, 0.25))


#: The column replicate -> what it has of the values of replicates, without intervals.
SUMMARIES: dict[str, Callable[[Sequence[float]], float]] = {
    **{"median": statistics.median, "iqm": interquartile_mean},
    "minimum": min,
}


def why_no_mean(states: Sequence[str], missing: Sequence[str]) -> str:
    """State of a mean that lacks values; ``missing``: the states of those runs that have none."""
    if lost := lost_runs(states):
        return lost
    reason = next((state for state in missing if state), "no value")
    return reason if len(missing) == len(states) else f"{len(missing)} of {len(states)} {reason}"


def mean_rows(
    rows: Iterable[Row], runs: Runs, settings: Settings, pools: Mapping[tuple[str, str], float]
) -> list[Row]:
    """Means over replicates: ``replicate=mean``, ``n`` empty; behind those of ``HEADLINE``, with three replicates or
    more, ``median``, ``iqm`` and ``minimum``. None is ever given over fewer runs than asked for.

    Args:
        rows: of single runs.
        pools: (arm, fraction) -> the share of all training images that a run draws, where intervals are to hold for
            other pools of them; empty where they are not.
    """
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        place = tuple(row[name] for name in ("arm", "fraction", "test_set", "metric"))
        groups.setdefault((*place, row["selection"] == "best_test"), []).append(row)
    found = []
    for (arm, fraction, test_set, metric, published), members in groups.items():
        selections = {row["selection"] for row in members}
        selection = "validation" if "validation" in selections else members[0]["selection"]
        common: Row = {
            **{"arm": arm, "fraction": fraction, "replicate": "mean", "test_set": test_set},
            **{"selection": selection, "metric": metric, "value": None, "n": None},
        }
        states = [row.get("state") or "" for row in members]
        values = [row["value"] for row in members if row["value"] is not None]
        missing = [row.get("state") or "" for row in members if row["value"] is None]
        summaries = SUMMARIES if metric in HEADLINE and not published else {}
        if len(members) < LEAST_SUMMARIZED:
            summaries = {}
        if missing:
            lacking = common | {"state": why_no_mean(states, missing)}
            found += [lacking | {"replicate": name} for name in ("mean", *summaries)]
            continue
        mean = common | {"value": float(np.mean(values))}
        if metric in WITH_INTERVALS and not published:
            members_scored = runs[arm, fraction, test_set]
            shared_pool = pools.get((arm, fraction), 0.0)
            mean |= combined_interval(members_scored, metric, settings, shared_pool)
        if FITTED_TWICE in states[0]:
            mean = noted(mean, FITTED_TWICE)
        if fell_back := sum(FELL_BACK in state for state in states):
            mean = noted(mean, f"{fell_back} of {len(members)} {FELL_BACK}")
        found.append(mean)
        found += [
            common | {"replicate": name, "value": float(summary(values))}
            for name, summary in summaries.items()
        ]
    return found


def fences(values: Sequence[float]) -> tuple[float, float]:
    """Beyond these a value is an outlier: 3 interquartile ranges from the quartiles, "far out" (Tukey 1977).

    With 1.5 every third group of five normal values would have one.
    """
    low, high = np.quantile(values, (0.25, 0.75))
    return float(low - 3 * (high - low)), float(high + 3 * (high - low))


def majority_share(scored: Scored) -> float | None:
    """Accuracy of always answering the test set's most frequent class, in per cent; None where it has one class."""
    images = scored.confusion.sum((0, 2))
    return 100 * float(images.max() / images.sum()) if (images > 0).sum() > 1 else None


def marked_rows(rows: Iterable[Row], runs: Runs) -> list[Row]:
    """Rows of single runs, those of accuracy with a mark in their state where the run stands out.

    Marked are runs not above the majority class of the test set, and outliers among five replicates or more.
    """
    rows = list(rows)
    place_of = [tuple(row[name] for name in ("arm", "fraction", "test_set")) for row in rows]
    accuracies: dict[tuple, list[float]] = {}
    is_accuracy = [
        row["metric"] == "accuracy" and row["selection"] != "best_test" and row["value"] is not None
        for row in rows
    ]
    for row, place, wanted in zip(rows, place_of, is_accuracy, strict=True):
        if wanted:
            accuracies.setdefault(place, []).append(row["value"])
    found = []
    for row, place, wanted in zip(rows, place_of, is_accuracy, strict=True):
        if wanted:
            majority = majority_share(runs[place][0])
            if majority is not None and row["value"] <= majority:
                own = row["test_set"] == OWN_TEST_SET
                row = noted(row, LEARNT_NOTHING if own else NOT_ABOVE_MAJORITY)
            low, high = fences(accuracies[place])
            if len(accuracies[place]) >= LEAST_FENCED and not low <= row["value"] <= high:
                row = noted(row, OUTLIER)
        found.append(row)
    return found
