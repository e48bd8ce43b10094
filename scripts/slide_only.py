"""The slide-only control: how well does the slide alone predict the class, without a look at the image?

A test image gets the most frequent class of its slide among the training images; an image of another slide,
or of none, gets the most frequent class of all. What this reaches above the majority, a network may reach by
recognising slides (their stain, their light) in place of cells.
Writes predictions (id, label, predicted, one row per test image) and a table: control, metric, value, state
  majority      the most frequent training class for every image
  slide_only    as above
with accuracy and balanced accuracy in per cent;
  slides        whether slides tell classes: p_permutation of "an image's slide does not tell its class", labels
                permuted within train and within test, and Cramer's V of each, 0 (nothing) to 1 (all), corrected for
                bias; state says why there is no value
and how many slides and images there are.
"""

import argparse
import logging
from collections.abc import Sequence

from sklearn.metrics import accuracy_score, recall_score

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.slides import (
    check_slides,
    majority,
    predict_from_slides,
    slides_of,
)
from fewlabels.statistics.slide_classes import cramers_v, obstacle, p_permutation, table_of

COLUMNS = ["control", "metric", "value", "state"]
#: Of the permutations.
SEED = 0
Row = dict[str, str]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--target", required=True, help="name of the data set, for messages")
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--predictions", required=True, help="CSV to write")
    parser.add_argument("--table", required=True, help="CSV to write")
    return parser


def association_rows(train: Sequence[Row], test: Sequence[Row]) -> list[dict]:
    """Whether slides tell classes, by the images whose slide is known."""
    tables = {}
    for split, rows in (("train", train), ("test", test)):
        known = [row for row in rows if row["slide"]]
        tables[split] = table_of([row["slide"] for row in known], [row["label"] for row in known])
    reasons = {split: obstacle(table) for split, table in tables.items()}
    p = p_permutation(tables.values(), SEED)
    why = "; ".join(f"{split}: {reason}" for split, reason in reasons.items())
    found = [("p_permutation", p, "" if p is not None else why)]
    found += [
        (f"cramers_v_{split}", cramers_v(table), reasons[split]) for split, table in tables.items()
    ]
    for name, value, reason in found:
        logging.info("slides, %s: %s", name, reason if value is None else f"{value:.4f}")
    return [
        {"control": "slides", "metric": name, "value": value, "state": reason}
        for name, value, reason in found
    ]


def run(arguments: argparse.Namespace) -> None:
    index = read_csv(arguments.index)
    check_slides(index, arguments.target)
    train = [row for row in index if row["split"] == "train"]
    test = [row for row in index if row["split"] == "test"]
    train_labels, labels = ([row["label"] for row in rows] for rows in (train, test))
    train_slides, slides = slides_of(train), slides_of(test)
    predicted = {
        "majority": [majority(train_labels)] * len(test),
        "slide_only": predict_from_slides(train_labels, train_slides, slides),
    }
    rows = []
    by_class = {"labels": sorted(set(labels)), "average": "macro", "zero_division": 0}
    for control, answers in predicted.items():
        accuracy = 100 * float(accuracy_score(labels, answers))
        balanced = 100 * float(recall_score(labels, answers, **by_class))
        logging.info("%s: accuracy %.2f, balanced accuracy %.2f", control, accuracy, balanced)
        rows.append({"control": control, "metric": "accuracy", "value": accuracy})
        rows.append({"control": control, "metric": "balanced_accuracy", "value": balanced})
    rows += association_rows(train, test)
    known = {row["slide"] for row in train if row["slide"]}
    counts = {
        "test_images": len(test),
        "test_images_with_a_slide": sum(bool(row["slide"]) for row in test),
        "share_of_test_images_on_training_slides": 100
        * sum(row["slide"] in known for row in test)
        / len(test),
        "train_slides": len(known),
        "test_slides": len({row["slide"] for row in test if row["slide"]}),
        # An image without a slide is a group of its own.
        "train_groups": len(set(train_slides)),
        "test_groups": len(set(slides)),
    }
    rows += [{"control": "", "metric": name, "value": value} for name, value in counts.items()]
    write_csv(arguments.table, COLUMNS, rows)
    write_csv(
        arguments.predictions,
        ["id", "label", "predicted"],
        (
            {"id": row["id"], "label": row["label"], "predicted": answer}
            for row, answer in zip(test, predicted["slide_only"], strict=True)
        ),
    )


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
