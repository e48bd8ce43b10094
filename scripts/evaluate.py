"""Score every classifier from its predictions and its history.

Writes a CSV with one row per model and metric:
  arm, fraction, replicate, test_set, selection, metric, value, n, low, high, interval, state
  replicate  a seed; mean: over all replicates, never over fewer than were run; with three or more, for the metrics
             from accuracy to kappa also median, iqm (interquartile mean: without the lowest and the highest quarter)
             and minimum
  test_set   test: the target's own test images; else the name of an external set
  selection  last, or, with --selection validation where there were enough images for it, validation: the epoch of the
             predictions; best_test: the epoch that is best on the test images, as published (metrics accuracy, epoch,
             and optimism = best minus that of the predictions)
  metric     per cent: accuracy, macro_f1, balanced_accuracy, mcc, kappa, {precision,recall,f1}_<class>,
             calibration_error (root mean square, debiased, over bins of equal mass), macro_auroc, optimism; as they
             are: nll, brier, temperature, epoch; behind temperature, and scaled by it, nll_scaled, brier_scaled,
             calibration_error_scaled
  n          test images; empty where replicate is no seed
  low, high  interval of the level 1 - alpha, by the method in the column interval
             of a run: wilson (accuracy, recall, precision, and balanced_accuracy as a mean of recalls) or, where units
             are slides, wilson_groups (but balanced_accuracy); bootstrap_images (within classes) or bootstrap_groups of
             all others but calibration_error and what is scaled
             of a mean: combined_images or combined_groups: replicates and test images together, of accuracy, macro_f1,
             balanced_accuracy (Wilson's form), mcc, kappa, nll, brier (t); wilson, wilson_groups: of one run's accuracy
  state      why a value is missing (diverged, failed: and the last line of its log, no validation predictions, ...),
             or, beside a value:
             no interval: ...               fewer than 10 test images of a class that the metric hangs on, fewer than 20
                                            units to resample or 5 to take a mean over, no spread, ...
             outlier among replicates       accuracy beyond Tukey's outer fences of five replicates or more
             learnt nothing: ...            accuracy not above that of the test set's most frequent class
             fitted on the images that chose the epoch
                                            temperature, and what it scales
             too few images for validation  so the run is of its last epoch
The arms `majority` (always the most frequent training class) and those of --baseline-predictions are baselines without
training. A second CSV holds the confusion matrices: arm, fraction, replicate, test_set, label, predicted, images.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.run_sheet import OWN_TEST_SET, Run, read_run_sheet, tabled
from fewlabels.statistics.evaluation import (
    FELL_BACK,
    Row,
    Scored,
    Settings,
    confusion_rows,
    history_rows,
    matrix_metric_rows,
    noted,
    prediction_rows,
    score,
)
from fewlabels.statistics.over_replicates import marked_rows, mean_rows
from fewlabels.statistics.predictions import (
    Predictions,
    add_test_set_arguments,
    constant_predictions,
    majority_class,
    read_predictions,
    test_set_groups,
)
from fewlabels.statistics.scored_runs import TrainedOn, add_pool_argument, pool_size, shared_pool

COLUMNS = [
    *("arm", "fraction", "replicate", "test_set", "selection", "metric", "value", "n"),
    *("low", "high", "interval", "state"),
]
CONFUSION_COLUMNS = ["arm", "fraction", "replicate", "test_set", "label", "predicted", "images"]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with predictions/ and history/")
    add_test_set_arguments(parser)
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--pretrained", nargs="*", default=[], help="classifiers without fraction")
    parser.add_argument(
        "--baseline-predictions", nargs="*", default=[], help="NAME=CSV with id, label, predicted"
    )
    parser.add_argument("--selection", choices=["last", "validation"], default="last")
    parser.add_argument("--labels", help="CSV of count_labels; for --training-pool any")
    add_pool_argument(parser)
    parser.add_argument("--alpha", type=float, default=0.05, help="1 - level of the intervals")
    parser.add_argument("--bootstrap", type=int, default=1000, help="resampled test sets")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--bins", type=int, default=15, help="of the calibration error")
    parser.add_argument("--metrics", required=True, help="CSV to write")
    parser.add_argument("--confusion", required=True, help="CSV of confusion matrices to write")
    return parser


@dataclass(frozen=True)
class Model:
    """One model on one test set.

    Attributes:
        place: its columns arm, fraction, replicate, test_set.
        predictions: their file.
        history: its file; None on other test sets than its own.
        validation: file of its predictions on validation images; None where its epoch is never chosen by them.
    """

    place: Row
    predictions: Path
    history: Path | None
    validation: Path | None


def trained_model(folder: Path, run: Run, test_set: str) -> Model:
    """A run on a test set; ``folder``: of all results."""
    return Model(
        {
            **{"arm": run.arm, "fraction": run.fraction},
            **{"replicate": run.replicate, "test_set": test_set},
        },
        folder / run.path("predictions", test_set=test_set),
        folder / run.path("history") if test_set == OWN_TEST_SET else None,
        folder / run.path("validation"),
    )


def pretrained_model(folder: Path, name: str) -> Model:
    """A pretrained classifier on its data set's test images; ``folder``: of all results."""
    place: Row = {"arm": name, "fraction": "", "replicate": "", "test_set": OWN_TEST_SET}
    file = f"{name}.csv"
    return Model(place, folder / "predictions" / file, folder / "history" / file, None)


class Evaluation:
    """Collects rows over models; ``runs`` are the replicates that means are made of."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.selection = arguments.selection
        self.settings = Settings(
            arguments.alpha, arguments.bootstrap, arguments.seed, arguments.bins
        )
        self.rows: list[Row] = []
        self.confusion: list[Row] = []
        self.runs: dict[tuple, list[Scored]] = {}

    def add(self, common: Row, rows: list[Row], scored: Scored | None) -> None:
        images = scored.images if scored else None
        self.rows += [{**common, "n": images, **row} for row in rows]
        if scored:
            place = {key: value for key, value in common.items() if key != "selection"}
            self.confusion += [{**place, **row} for row in confusion_rows(scored)]

    def model(self, model: Model, groups: dict[str, str]) -> None:
        """Score one model on one test set.

        Raises:
            UserError: its predictions or history are missing, or the history alone is empty.
        """
        predictions = read_predictions(model.predictions)
        found = predictions.lost or score(predictions, groups)
        scored = found if isinstance(found, Scored) else None
        validation = self.validation(model)
        common = model.place | {"selection": self.selection if model.validation else "last"}
        rows = prediction_rows(found, predictions.classes, validation, self.settings)
        if scored and validation and validation.diverged:
            # Without images, though the run is complete.
            common["selection"] = "last"
            rows = [row if row["value"] is None else noted(row, FELL_BACK) for row in rows]
        if scored:
            key = tuple(model.place[name] for name in ("arm", "fraction", "test_set"))
            self.runs.setdefault(key, []).append(scored)
        self.add(common, rows, scored)
        if model.history:
            history = read_csv(model.history)
            if scored and not history:
                raise UserError(
                    f"{model.history} is empty: delete it and the predictions, run again"
                )
            self.add_history(common | {"selection": "best_test"}, found, history)

    def add_history(self, common: Row, scored: Scored | str, history: list[dict[str, str]]) -> None:
        images = scored.images if isinstance(scored, Scored) else None
        self.rows += [{**common, "n": images, **row} for row in history_rows(scored, history)]

    def validation(self, model: Model) -> Predictions | None:
        """Predictions on validation images, where there are any."""
        path = model.validation if self.selection == "validation" else None
        return read_predictions(path) if path and path.is_file() else None

    def baseline(self, name: str, scored: Scored) -> None:
        common = {"arm": name, "fraction": "", "replicate": "", "test_set": OWN_TEST_SET}
        rows = matrix_metric_rows(scored, self.settings, by_class=False)
        self.add({**common, "selection": "last"}, rows, scored)


def shared_pools(arguments: argparse.Namespace) -> dict[tuple[str, str], float]:
    """(arm, fraction) -> the share of all training images that its runs draw; empty with --training-pool this.

    Raises:
        UserError: it is any and --labels is missing.
    """
    pool = pool_size(arguments)
    if pool is None:
        return {}
    if not arguments.labels:
        raise UserError("--training-pool any needs --labels, the table of count_labels")
    trained_on = TrainedOn(read_csv(arguments.labels))
    return {cell: shared_pool(trained_on.of(*cell), pool) for cell in trained_on.members}


def run(arguments: argparse.Namespace) -> None:
    evaluation = Evaluation(arguments)
    folder = Path(arguments.results)
    index = read_csv(arguments.index)
    sets = test_set_groups(arguments)
    for test_set in sets:
        for trained in tabled(read_run_sheet(arguments.runs)):
            evaluation.model(trained_model(folder, trained, test_set), sets[test_set])
    evaluation.rows = marked_rows(evaluation.rows, evaluation.runs)
    evaluation.rows += mean_rows(
        evaluation.rows, evaluation.runs, evaluation.settings, shared_pools(arguments)
    )
    majority = majority_class([row["label"] for row in index if row["split"] == "train"])
    test = {row["id"]: row["label"] for row in index if row["split"] == "test"}
    evaluation.baseline("majority", score(constant_predictions(test, majority), sets[OWN_TEST_SET]))
    for pair in arguments.baseline_predictions:
        name, _, path = pair.partition("=")
        evaluation.baseline(name, score(read_predictions(path), sets[OWN_TEST_SET]))
    for name in arguments.pretrained:
        evaluation.model(pretrained_model(folder, name), {})
    write_csv(arguments.confusion, CONFUSION_COLUMNS, evaluation.confusion)
    write_csv(arguments.metrics, COLUMNS, evaluation.rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
