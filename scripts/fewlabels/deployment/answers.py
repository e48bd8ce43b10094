"""From probabilities to answers: temperature and threshold out of labelled predictions, entropy, abstention."""

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fewlabels.core.errors import UserError
from fewlabels.statistics.calibration import fit_temperature, scale
from fewlabels.statistics.predictions import Predictions, read_predictions
from fewlabels.statistics.selective import Threshold, fewest_images, threshold_of_risk

#: Column that says whether probabilities were scaled by a temperature.
CALIBRATED = "calibrated"


@dataclass(frozen=True)
class Rule:
    """How probabilities become answers.

    Attributes:
        temperature: of the mean probabilities, from labelled predictions; None: they stay as they are.
        calibration: where the temperature is from, or why there is none.
        least: an answer is given where the highest probability is at least this; None: always.
        why: where this number is from.
    """

    temperature: float | None
    calibration: str
    least: float | None
    why: str

    def scaled(self, probabilities: np.ndarray) -> np.ndarray:
        """Probabilities, float (n, k), behind the temperature."""
        return scale(probabilities, self.temperature) if self.temperature else probabilities

    def abstains(self, probabilities: np.ndarray) -> np.ndarray:
        """Where no answer is given, bool (n,), of scaled probabilities."""
        if self.least is None:
            return np.zeros(len(probabilities), bool)
        return probabilities.max(1) < self.least


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """-sum p ln p of each row, in nats, float (n,): 0 of a sure answer, ln k of k equal ones."""
    logs = np.log(np.where(probabilities > 0, probabilities, 1))
    return np.abs(-(probabilities * logs).sum(1))


def read_calibration(path: Path, classes: Sequence[str]) -> Predictions:
    """Labelled predictions of the same models: of the workflow, or of predict with --uncalibrated.

    Raises:
        UserError: the file is missing or no such table, is of other classes, was scaled already or has no labels.
    """
    if not path.is_file():
        raise UserError(f"--calibration: {path} does not exist: give labelled predictions")
    with path.open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        header, rows = reader.fieldnames or [], list(reader)
    if "label" not in header:
        raise UserError(
            f"--calibration: {path} has no column 'label': predict a table of images with their labels (path, label), "
            "or give a file of the workflow's validation/ or predictions/"
        )
    if not rows:
        raise UserError(f"--calibration: {path} holds no predictions: give another file")
    if not all(row["label"] for row in rows):
        raise UserError(
            f"--calibration: {path} has an image without a label: take those out of the table of images"
        )
    if any(row.get(CALIBRATED) == "1" for row in rows):
        raise UserError(
            f"--calibration: {path} was calibrated already: predict those images again with --uncalibrated"
        )
    found = read_predictions(path, name="path" if "path" in header else "id")
    if found.probabilities is None or found.classes != tuple(classes):
        raise UserError(
            f"--calibration: {path} is of the classes {', '.join(found.classes) or 'none'}, the models of "
            f"{', '.join(classes)}: give predictions of the same models"
        )
    return found


def decide(arguments: argparse.Namespace, calibration: Predictions | None, otherwise: str) -> Rule:
    """The rule that the options ``risk``, ``confidence``, ``min_probability`` and ``calibration`` ask for.

    The risk's bound takes the probabilities as given; a temperature, one number, is fitted to the same images before.

    Args:
        calibration: labelled predictions; None without the option.
        otherwise: what is said of the probabilities without.

    Raises:
        UserError: a risk is asked for that labelled predictions, or their lack, cannot show.
    """
    temperature, told = None, otherwise
    if calibration is not None and calibration.probabilities is not None:
        temperature, reason = fit_temperature(calibration.probabilities, calibration.labels)
        images = f"{len(calibration.ids)} labelled predictions of {arguments.calibration}"
        told = f"fitted to {images}" if temperature else f"not calibrated by {images}: {reason}"
    if arguments.risk is None:
        least = arguments.min_probability
        return Rule(temperature, told, least, "" if least is None else "--min-probability")
    if calibration is None or calibration.probabilities is None:
        raise UserError(
            "--risk needs --calibration, labelled predictions of the same models: their errors tell how sure an answer "
            "must be; or give --min-probability"
        )
    rule = Rule(temperature, told, None, "")
    threshold = _threshold(arguments, calibration, rule.scaled(calibration.probabilities))
    why = (
        f"of {threshold.answered} answers to {len(calibration.ids)} labelled images {threshold.errors} are wrong: at "
        f"most a share of {threshold.bound:.3g}, with confidence {arguments.confidence:g}"
    )
    return Rule(temperature, told, threshold.confidence, why)


def _threshold(
    arguments: argparse.Namespace, calibration: Predictions, probabilities: np.ndarray
) -> Threshold:
    right = calibration.predicted == calibration.labels
    delta = 1 - arguments.confidence
    found = threshold_of_risk(probabilities.max(1), right, arguments.risk, delta)
    if found is None:
        raise UserError(
            f"--risk {arguments.risk:g} is shown by no threshold on the {len(right)} labelled predictions of "
            f"{arguments.calibration} ({int((~right).sum())} wrong): give more (at least "
            f"{fewest_images(arguments.risk, delta)}), a higher --risk or a lower --confidence"
        )
    return found
