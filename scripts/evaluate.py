"""Score every classifier from its predictions and its history.

Writes a CSV with one row per model and metric: arm, fraction, replicate, selection, metric, value, n.
Rows with selection=last come from the per-image predictions (accuracy, macro_f1, balanced_accuracy), rows with
selection=best_test from the history (accuracy, and the epoch it was reached in): the published protocol, which
picks the epoch on the test set. Values are in per cent; n is the number of test images.
"""

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from wbc.cli import make_parser, run_script
from wbc.files import UserError, read_csv, write_csv
from wbc.metrics import best_epoch, prediction_metrics

COLUMNS = ["arm", "fraction", "replicate", "selection", "metric", "value", "n"]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with predictions/ and history/")
    parser.add_argument("--arms", nargs="+", required=True)
    parser.add_argument("--fractions", nargs="+", required=True)
    parser.add_argument("--replicates", nargs="+", required=True)
    parser.add_argument("--pretrained", nargs="*", default=[], help="classifiers without fraction")
    parser.add_argument("--metrics", required=True, help="CSV to write")
    return parser


def score(name: str, folder: Path, fraction: str = "", replicate: str = "") -> list[dict]:
    """Rows of one model: an arm with its fraction and replicate, or a pretrained classifier.

    Raises:
        UserError: its predictions or history are missing or empty.
    """
    file = f"replicate{replicate}/{name}_wbc_{fraction}.csv" if replicate else f"{name}.csv"
    predictions = read_csv(folder / "predictions" / file)
    history = read_csv(folder / "history" / file)
    if not predictions or not history:
        raise UserError(f"{folder}/{{predictions,history}}/{file} is empty: delete both, run again")
    common = {"arm": name, "fraction": fraction, "replicate": replicate, "n": len(predictions)}
    values = prediction_metrics(
        [row["label"] for row in predictions], [row["predicted"] for row in predictions]
    )
    rows = [
        {**common, "selection": "last", "metric": metric, "value": value}
        for metric, value in values.items()
    ]
    epoch, accuracy = best_epoch(history)
    best = {**common, "selection": "best_test"}
    return [
        *rows,
        {**best, "metric": "accuracy", "value": accuracy},
        {**best, "metric": "epoch", "value": epoch},
    ]


def run(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.results)
    rows = []
    for arm, fraction, replicate in product(
        arguments.arms, arguments.fractions, arguments.replicates
    ):
        rows += score(arm, folder, fraction, replicate)
    for name in arguments.pretrained:
        rows += score(name, folder)
    write_csv(arguments.metrics, COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
