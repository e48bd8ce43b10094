"""From the files of one run to the rows of the metrics' table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fewlabels.statistics import calibration
from fewlabels.statistics.intervals import (
    bootstrap_intervals,
    probability_intervals,
    wilson_interval,
)
from fewlabels.statistics.metrics import (
    HEADLINE,
    best_epoch,
    class_metric_names,
    class_metrics,
    confusion_by_unit,
    headline_metrics,
    macro_auroc,
)
from fewlabels.statistics.predictions import Predictions, Units, units_of
from fewlabels.statistics.variance_components import Estimate, pseudovalues, two_way

DIVERGED = "diverged"
UNTESTED = "no test image of this class"
#: Of a run that was to choose its epoch on validation images and could not.
FELL_BACK = "too few images for validation"
#: Metrics of probabilities, and those after temperature scaling.
PROBABILITY = ("macro_auroc", "nll", "brier", "ece")
SCALED = ("temperature", "nll_scaled", "brier_scaled", "ece_scaled")
#: Column -> cell.
Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What the statistics need of the config's section ``statistics``."""

    alpha: float = 0.05
    bootstrap: int = 1000
    seed: int = 0
    bins: int = 15


@dataclass
class Scored:
    """The predictions of one run, resampled: what intervals and comparisons are made of.

    Attributes:
        confusion: int (units, k, k).
        values: headline metric -> per cent.
        pseudovalues: headline metric -> float (units,).
    """

    predictions: Predictions
    units: Units
    confusion: np.ndarray
    values: dict[str, float] = field(default_factory=dict)
    pseudovalues: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def images(self) -> int:
        return len(self.predictions.ids)

    @property
    def right(self) -> np.ndarray:
        """Whether each image was classified rightly, bool (n,)."""
        return self.predictions.labels == self.predictions.predicted


def score(predictions: Predictions, groups: Mapping[str, str]) -> Scored:
    """Score a run that did not diverge; ``groups``: id -> slide."""
    units = units_of(predictions.ids, groups)
    confusion = confusion_by_unit(predictions, units)
    values = {name: float(value) for name, value in headline_metrics(confusion.sum(0)).items()}
    return Scored(predictions, units, confusion, values, pseudovalues(confusion))


def with_bootstrap(
    name: str,
    value: float | None,
    intervals: Mapping[str, tuple[float, float]],
    scored: Scored,
    reason: str,
) -> Row:
    """A metric's row with its interval; without a value (None, NaN) the reason as its state."""
    if value is None or np.isnan(value):
        return {"metric": name, "value": None, "state": reason}
    row: Row = {"metric": name, "value": float(value)}
    if name in intervals:  # not where no resampled test set had a value
        low, high = intervals[name]
        kind = "bootstrap_groups" if scored.units.grouped else "bootstrap_images"
        row |= {"low": low, "high": high, "interval": kind}
    return row


def matrix_metric_rows(scored: Scored, settings: Settings, by_class: bool) -> list[Row]:
    """Metrics of the confusion matrix: Wilson's interval for accuracy, else the bootstrap.

    Args:
        by_class: with precision, recall and F1 of each class.
    """
    classes, values = scored.predictions.classes, dict(scored.values)
    if by_class:
        of_classes = class_metrics(scored.confusion.sum(0), classes)
        values |= {name: float(value) for name, value in of_classes.items()}
    intervals = bootstrap_intervals(
        scored.confusion, classes, settings.bootstrap, settings.seed, settings.alpha
    )
    low, high = wilson_interval(int(scored.right.sum()), scored.images, settings.alpha)
    rows = [
        with_bootstrap(name, value, intervals, scored, UNTESTED) for name, value in values.items()
    ]
    return [
        row | {"low": low, "high": high, "interval": "wilson"}
        if row["metric"] == "accuracy"
        else row
        for row in rows
    ]


def probability_rows(
    scored: Scored, validation: Predictions | None, settings: Settings
) -> list[Row]:
    """AUROC, likelihood, Brier score and calibration error with intervals; after temperature scaling without."""
    labels, probabilities = scored.predictions.labels, scored.predictions.probabilities
    if probabilities is None:
        names = (*PROBABILITY, *SCALED)
        return [{"metric": name, "value": None, "state": "no probabilities"} for name in names]
    values = {
        "macro_auroc": macro_auroc(labels, probabilities),
        "nll": calibration.negative_log_likelihood(probabilities, labels),
        "brier": calibration.brier_score(probabilities, labels),
        "ece": calibration.expected_calibration_error(probabilities, labels, settings.bins),
    }
    intervals = probability_intervals(
        scored.predictions,
        scored.units,
        settings.bins,
        settings.bootstrap,
        settings.seed,
        settings.alpha,
    )
    reason = "test images of one class"
    rows = [
        with_bootstrap(name, value, intervals, scored, reason) for name, value in values.items()
    ]
    if validation is None or validation.diverged or validation.probabilities is None:
        reason = "no validation predictions"
        return rows + [{"metric": name, "value": None, "state": reason} for name in SCALED]
    temperature = calibration.fit_temperature(validation.probabilities, validation.labels)
    scaled = calibration.scale(probabilities, temperature)
    after = (
        temperature,
        calibration.negative_log_likelihood(scaled, labels),
        calibration.brier_score(scaled, labels),
        calibration.expected_calibration_error(scaled, labels, settings.bins),
    )
    return rows + [
        {"metric": name, "value": value} for name, value in zip(SCALED, after, strict=True)
    ]


def prediction_rows(
    scored: Scored | None,
    classes: Sequence[str],
    validation: Predictions | None,
    settings: Settings,
) -> list[Row]:
    """Every metric of the predictions; without values where the run diverged (``scored`` is None)."""
    if scored is None:
        names = [*HEADLINE, *class_metric_names(classes), *PROBABILITY, *SCALED]
        return [{"metric": name, "value": None, "state": DIVERGED} for name in names]
    return [
        *matrix_metric_rows(scored, settings, by_class=True),
        *probability_rows(scored, validation, settings),
    ]


def history_rows(scored: Scored | None, history: Sequence[dict[str, str]]) -> list[Row]:
    """Accuracy of the best test epoch, that epoch, and how optimistic it is: best minus chosen epoch."""
    if scored is None:
        names = ("accuracy", "epoch", "optimism")
        return [{"metric": name, "value": None, "state": DIVERGED} for name in names]
    epoch, accuracy = best_epoch(history, scored.images)
    return [
        {"metric": "accuracy", "value": accuracy},
        {"metric": "epoch", "value": epoch},
        {"metric": "optimism", "value": accuracy - scored.values["accuracy"]},
    ]


def confusion_rows(scored: Scored) -> list[Row]:
    """The confusion matrix of a run, one row per pair of classes."""
    classes, matrix = scored.predictions.classes, scored.confusion.sum(0)
    return [
        {"label": label, "predicted": answer, "images": int(matrix[row, column])}
        for row, label in enumerate(classes)
        for column, answer in enumerate(classes)
    ]


def same_images(runs: Sequence[Scored]) -> bool:
    """Whether all runs predicted the same images."""
    return all(run.predictions.ids == runs[0].predictions.ids for run in runs)


def estimate(runs: Sequence[Scored], metric: str) -> Estimate:
    """Mean of a headline metric over runs on the same images, with its uncertainty."""
    values = np.array([run.values[metric] for run in runs])
    return two_way(values, np.array([run.pseudovalues[metric] for run in runs]))


def combined_interval(runs: Sequence[Scored], metric: str, settings: Settings) -> Row:
    """Interval of a mean over replicates, within 0 ... 100 (-100 ... 100 for mcc and kappa)."""
    if not same_images(runs):
        return {"state": "test images differ between replicates: no interval"}
    found = estimate(runs, metric)
    # Where every unit scored alike nothing varies, which is no certainty.
    if found.error == 0 and metric != "accuracy":
        return {"state": "every unit scored alike: no interval"}
    single = len(runs) == 1 and not runs[0].units.grouped
    if metric == "accuracy" and (single or found.error == 0):
        hits, images = int(runs[0].right.sum()), runs[0].images
        low, high = wilson_interval(hits, images, settings.alpha)
        return {"low": low, "high": high, "interval": "wilson"}
    low, high = found.interval(settings.alpha)
    floor = -100.0 if metric in ("mcc", "kappa") else 0.0
    kind = "combined_groups" if runs[0].units.grouped else "combined_images"
    return {"low": max(low, floor), "high": min(high, 100.0), "interval": kind}


def mean_rows(
    rows: Iterable[Row], runs: Mapping[tuple, Sequence[Scored]], settings: Settings
) -> list[Row]:
    """Means over replicates: ``replicate=mean``, ``n`` empty. A mean over fewer runs than asked for is never given.

    Args:
        rows: of single runs.
        runs: (arm, fraction, test set) -> its replicates, diverged ones left out.
    """
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        place = tuple(row[name] for name in ("arm", "fraction", "test_set", "metric"))
        groups.setdefault((*place, row["selection"] == "best_test"), []).append(row)
    means = []
    for (arm, fraction, test_set, metric, published), members in groups.items():
        selections = {row["selection"] for row in members}
        selection = "validation" if "validation" in selections else members[0]["selection"]
        mean: Row = {
            **{"arm": arm, "fraction": fraction, "replicate": "mean", "test_set": test_set},
            **{"selection": selection, "metric": metric, "value": None, "n": None},
        }
        states = Counter(row.get("state") or "" for row in members)
        values = [row["value"] for row in members if row["value"] is not None]
        if states[DIVERGED]:
            mean["state"] = f"{states[DIVERGED]} of {len(members)} diverged"
        elif len(values) < len(members):
            mean["state"] = next(state for state in states if state) if any(states) else "no value"
        else:
            mean["value"] = float(np.mean(values))
            if metric in HEADLINE and not published:
                mean |= combined_interval(runs[arm, fraction, test_set], metric, settings)
            if states[FELL_BACK]:
                mean["state"] = f"{states[FELL_BACK]} of {len(members)} {FELL_BACK}"
        means.append(mean)
    return means
