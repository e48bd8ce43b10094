"""From the files of one run to the rows of the metrics' table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fewlabels.statistics import calibration
from fewlabels.statistics.auroc import macro_auroc
from fewlabels.statistics.intervals import (
    ZERO,
    effective_units,
    interval_of_mean,
    percentiles,
    resampled_matrices,
    resampled_probabilities,
    resampling_weights,
    share_intervals,
)
from fewlabels.statistics.metrics import (
    HEADLINE,
    best_epoch,
    class_metric_names,
    class_metrics,
    confusion_by_unit,
    headline_metrics,
)
from fewlabels.statistics.predictions import LEAST_EFFECTIVE, Predictions, Units, units_of
from fewlabels.statistics.variance_components import pseudovalues

UNTESTED = "no test image of this class"
#: Of a run that was to choose its epoch on validation images and could not.
FELL_BACK = "too few images for validation"
FEW_IMAGES = "too few test images"
#: Begins the state of a value that has no interval, though values of its kind have.
NO_INTERVAL = "no interval: "
#: A metric that hangs on a class with fewer test images has no interval.
LEAST_OF_CLASS = 10
#: With fewer effective units nothing is resampled (Cameron, Gelbach & Miller 2008, Rev Econ Stat 90:414).
LEAST_RESAMPLED = 20
#: Of a temperature, and what is scaled by it.
FITTED_TWICE = "fitted on the images that chose the epoch"
#: Metrics of probabilities, and those after temperature scaling.
PROBABILITY = ("nll", "brier", "calibration_error", "macro_auroc")
SCALED = ("temperature", "nll_scaled", "brier_scaled", "calibration_error_scaled")
#: Metrics to which each image adds by itself, whatever its class.
MEANS_OVER_IMAGES = ("accuracy", "nll", "brier")
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
        values: headline metric -> per cent; ``nll`` and ``brier``, as they are, where there are probabilities.
        pseudovalues: the same metrics -> float (units,).
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
    def kind_of_units(self) -> str:
        """What the units are, in the words of a state."""
        return "effective slides" if self.units.grouped else "test images"

    @property
    def right(self) -> np.ndarray:
        """Whether each image was classified rightly, bool (n,)."""
        return self.predictions.labels == self.predictions.predicted


def score(predictions: Predictions, groups: Mapping[str, str]) -> Scored:
    """Score a run that has results; ``groups``: id -> slide."""
    units = units_of(predictions.ids, groups)
    confusion = confusion_by_unit(predictions, units)
    values = {name: float(value) for name, value in headline_metrics(confusion.sum(0)).items()}
    found = Scored(predictions, units, confusion, values, pseudovalues(confusion))
    if predictions.probabilities is not None:
        terms = calibration.terms_of_means(predictions.labels, predictions.probabilities)
        found.values.update({name: float(values.mean()) for name, values in terms.items()})
        found.pseudovalues.update(
            {name: pseudovalues_of_mean(values, units) for name, values in terms.items()}
        )
    return found


def pseudovalues_of_mean(terms: np.ndarray, units: Units) -> np.ndarray:
    """Jackknife pseudovalues over units of a mean over images, float (units,).

    Args:
        terms: float (n,), one per image.
    """
    sums = np.bincount(units.codes, terms, units.count)
    images = np.bincount(units.codes, minlength=units.count)
    rest = images.sum() - images
    without = np.divide(sums.sum() - sums, rest, out=np.zeros(units.count), where=rest > 0)
    return units.count * terms.mean() - (units.count - 1) * without


def noted(row: Row, note: str) -> Row:
    """A row with a note more in its state."""
    return row | {"state": "; ".join(filter(None, (row.get("state"), note)))}


def unsure_classes(scored: Scored) -> dict[str, str]:
    """Class -> why a metric that hangs on it has no interval: its test images are few, or of few slides.

    Classes without test images are in no metric, and not here.
    """
    of_unit = scored.confusion.sum(2)
    found = {}
    for name, images, units in zip(
        scored.predictions.classes, of_unit.sum(0), effective_units(of_unit), strict=True
    ):
        if 0 < images < LEAST_OF_CLASS:
            found[name] = f"fewer than {LEAST_OF_CLASS} test images"
        elif images and scored.units.grouped and units < LEAST_EFFECTIVE:
            found[name] = f"fewer than {LEAST_EFFECTIVE} effective slides"
    return found


def obstacle(scored: Scored, metric: str, least_units: int) -> str:
    """Why no interval of a metric, other than a share of images, is given; empty where one is.

    Args:
        least_units: as few effective units are enough.
    """
    if metric not in MEANS_OVER_IMAGES:
        unsure = unsure_classes(scored)
        if metric.startswith("f1_"):
            name = metric.removeprefix("f1_")
            unsure = {name: unsure[name]} if name in unsure else {}
        if unsure:
            reason = next(iter(unsure.values()))
            names = ", ".join(name for name in unsure if unsure[name] == reason)
            return f"{NO_INTERVAL}{reason} of {names}"
    if scored.units.effective < least_units:
        return f"{NO_INTERVAL}fewer than {least_units} {scored.kind_of_units}"
    return ""


def wilson_rows(scored: Scored, settings: Settings) -> dict[str, Row]:
    """Intervals of accuracy, recall and precision; of independent images also of balanced accuracy, a mean of recalls.

    Returns:
        metric -> cells beside the value.
    """
    diagonal = np.diagonal(scored.confusion, axis1=1, axis2=2)
    labelled, predicted = scored.confusion.sum(2), scored.confusion.sum(1)
    classes, grouped = scored.predictions.classes, scored.units.grouped
    shares = (
        (["accuracy"], diagonal.sum(1)[:, None], labelled.sum(1)[:, None]),
        ([f"recall_{name}" for name in classes], diagonal, labelled),
        ([f"precision_{name}" for name in classes], diagonal, predicted),
    )
    kind = "wilson_groups" if grouped else "wilson"
    found: dict[str, Row] = {}
    for names, hits, images in shares:
        limits = share_intervals(hits, images, grouped, settings.alpha)
        for name, total, low, high in zip(names, images.sum(0), *limits, strict=True):
            if not np.isnan(low):
                row: Row = {"low": float(low), "high": float(high), "interval": kind}
            elif total:
                reason = f"fewer than {LEAST_EFFECTIVE} {scored.kind_of_units}"
                row = {"state": NO_INTERVAL + reason}
            else:
                row = {"state": f"{NO_INTERVAL}never predicted"}
            found[name] = row
        if images is labelled and not grouped:
            tested = images.sum(0) > 0
            recalls = 100 * hits.sum(0)[tested] / images.sum(0)[tested]
            mean_low, mean_high = interval_of_mean(recalls, *(limit[tested] for limit in limits))
            found["balanced_accuracy"] = {"low": mean_low, "high": mean_high, "interval": kind}
    return found


def bootstrap_cells(values: np.ndarray, scored: Scored, alpha: float) -> Row:
    """Cells beside a value: its interval by resampled ones, float (draws,), NaN where it has none."""
    if np.isnan(values).all():
        return {"state": f"{NO_INTERVAL}no resampled test set has a value"}
    low, high = percentiles(values, alpha)
    if high - low <= ZERO:
        return {"state": f"{NO_INTERVAL}resampled test sets all score alike"}
    kind = "bootstrap_groups" if scored.units.grouped else "bootstrap_images"
    return {"low": low, "high": high, "interval": kind}


def bootstrap_rows(
    scored: Scored,
    metrics: Sequence[str],
    settings: Settings,
    resample: Callable[[np.ndarray], Mapping[str, np.ndarray]],
) -> dict[str, Row]:
    """Metric -> cells beside the value: its bootstrap interval, or why it has none.

    Args:
        resample: weights, float (draws, units) -> metric -> its resampled values.
    """
    obstacles = {name: obstacle(scored, name, LEAST_RESAMPLED) for name in metrics}
    found: dict[str, Row] = {name: {"state": why} for name, why in obstacles.items() if why}
    if len(found) < len(metrics):
        labels = scored.predictions.labels
        weights = resampling_weights(scored.units, labels, settings.bootstrap, settings.seed)
        values = resample(weights)
        found |= {
            name: bootstrap_cells(values[name], scored, settings.alpha)
            for name in metrics
            if name not in found and name in values
        }
    return found


def value_row(name: str, value: float | None, cells: Mapping[str, Any], reason: str) -> Row:
    """A metric's row; without a value (None, NaN) the reason is its state."""
    if value is None or np.isnan(value):
        return {"metric": name, "value": None, "state": reason}
    return {"metric": name, "value": float(value), **cells}


def matrix_metric_rows(scored: Scored, settings: Settings, by_class: bool) -> list[Row]:
    """Metrics of the confusion matrix: Wilson's interval for shares of images, else the bootstrap.

    Args:
        by_class: with precision, recall and F1 of each class.
    """
    classes = scored.predictions.classes
    values = {name: scored.values[name] for name in HEADLINE}
    if by_class:
        of_classes = class_metrics(scored.confusion.sum(0), classes)
        values |= {name: float(value) for name, value in of_classes.items()}
    cells = wilson_rows(scored, settings)

    def resample(weights: np.ndarray) -> dict[str, np.ndarray]:
        matrices = resampled_matrices(scored.confusion, weights)
        return headline_metrics(matrices) | (class_metrics(matrices, classes) if by_class else {})

    resampled = [name for name in values if name not in cells and not np.isnan(values[name])]
    cells |= bootstrap_rows(scored, resampled, settings, resample)
    return [value_row(name, value, cells.get(name, {}), UNTESTED) for name, value in values.items()]


def probability_rows(
    scored: Scored, validation: Predictions | None, settings: Settings
) -> list[Row]:
    """Likelihood, Brier score, calibration error and AUROC; those after temperature scaling without intervals."""
    labels, probabilities = scored.predictions.labels, scored.predictions.probabilities
    if probabilities is None:
        names = (*PROBABILITY, *SCALED)
        return [{"metric": name, "value": None, "state": "no probabilities"} for name in names]

    def resample(weights: np.ndarray) -> Mapping[str, np.ndarray]:
        return resampled_probabilities(labels, probabilities, scored.units, weights)

    auroc = macro_auroc(labels, probabilities)
    resampled = ["nll", "brier", *(["macro_auroc"] if auroc is not None else [])]
    cells = bootstrap_rows(scored, resampled, settings, resample)
    error = calibration.calibration_error(probabilities, labels, settings.bins)
    rows = [
        *(value_row(name, scored.values[name], cells[name], "") for name in ("nll", "brier")),
        value_row("calibration_error", error, {}, FEW_IMAGES),
        value_row("macro_auroc", auroc, cells.get("macro_auroc", {}), "test images of one class"),
    ]
    temperature, reason = None, "no validation predictions"
    if validation and not validation.diverged and validation.probabilities is not None:
        found = calibration.fit_temperature(validation.probabilities, validation.labels)
        temperature, reason = found
    if temperature is None:
        return rows + [{"metric": name, "value": None, "state": reason} for name in SCALED]
    scaled = calibration.scale(probabilities, temperature)
    after = (
        temperature,
        calibration.negative_log_likelihood(scaled, labels),
        calibration.brier_score(scaled, labels),
        calibration.calibration_error(scaled, labels, settings.bins),
    )
    # Validation images are read only where they chose the epoch.
    return rows + [
        value_row(name, value, {"state": FITTED_TWICE}, FEW_IMAGES)
        for name, value in zip(SCALED, after, strict=True)
    ]


def prediction_rows(
    scored: Scored | str,
    classes: Sequence[str],
    validation: Predictions | None,
    settings: Settings,
) -> list[Row]:
    """Every metric of the predictions; without values where the run is lost (``scored`` is its state)."""
    if isinstance(scored, str):
        names = [*HEADLINE, *class_metric_names(classes), *PROBABILITY, *SCALED]
        return [{"metric": name, "value": None, "state": scored} for name in names]
    return [
        *matrix_metric_rows(scored, settings, by_class=True),
        *probability_rows(scored, validation, settings),
    ]


def history_rows(scored: Scored | str, history: Sequence[dict[str, str]]) -> list[Row]:
    """Accuracy of the best test epoch, that epoch, and how optimistic it is: best minus chosen epoch."""
    if isinstance(scored, str):
        names = ("accuracy", "epoch", "optimism")
        return [{"metric": name, "value": None, "state": scored} for name in names]
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


def not_lost(runs: Sequence[Scored | str]) -> list[Scored]:
    """The runs that have results; of the others there is a state."""
    return [run for run in runs if isinstance(run, Scored)]


def same_images(runs: Sequence[Scored]) -> bool:
    """Whether all runs predicted the same images."""
    return all(run.predictions.ids == runs[0].predictions.ids for run in runs)
