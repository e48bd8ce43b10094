"""A class with training images and without test images: tables and figures are made, means are over the others."""

import numpy as np
import pytest
from builders import call, colours_in, write_index, write_run, write_sheet

from fewlabels.core.files import read_csv, write_csv

#: Of the classes a, b, c none of the test images is a c; three of `bad` are taken for it.
LABELS, GOOD, BAD = "aaaabbbb" * 3, "aaaabbbb" * 3, "aaacbbba" * 3


@pytest.fixture
def options(tmp_path):
    for replicate in (1, 2):
        for arm, predicted in (("base", GOOD), ("bad", BAD)):
            name = f"replicate{replicate}/{arm}_cells_100.csv"
            write_run(tmp_path, name, LABELS, predicted, [0.5, 0.75], classes="abc")
    return {
        "results": tmp_path,
        "index": write_index(tmp_path / "index.csv", "aabbcc", LABELS),
        "runs": write_sheet(
            tmp_path / "runs.csv", ["base", "bad"], ["100"], [1, 2], {"bad": "base"}
        ),
    }


@pytest.fixture
def metrics(options, tmp_path):
    files = {name: tmp_path / f"{name}.csv" for name in ("metrics", "confusion")}
    assert call("evaluate", **options, **files) == 0
    return {
        (row["arm"], row["replicate"], row["metric"]): row
        for row in read_csv(files["metrics"])
        if row["selection"] == "last"
    }


def test_means_over_classes_are_over_those_of_the_test_images(metrics):
    f1_a, f1_b = 2 * 3 / (4 + 4), 2 * 3 / (4 + 3)
    expected = {"accuracy": 75, "macro_f1": 50 * (f1_a + f1_b), "balanced_accuracy": 75}
    for replicate in ("1", "mean"):
        for metric, value in expected.items():
            row = metrics["bad", replicate, metric]
            assert float(row["value"]) == pytest.approx(value), metric
            assert float(row["low"]) < value < float(row["high"]), metric
    # An image taken for a c is wrong, and no less wrong than any other.
    assert float(metrics["base", "mean", "macro_f1"]["value"]) == 100
    untested = metrics["bad", "mean", "recall_c"]
    assert (untested["value"], untested["state"]) == ("", "no test image of this class")
    assert float(metrics["bad", "mean", "macro_auroc"]["value"]) > 50


def test_arms_are_compared(options, tmp_path):
    table = [
        {"arm": arm, "fraction": "100", "replicate": seed, "labels": 6, "subset": "x"}
        for arm in ("base", "bad")
        for seed in (1, 2)
    ]
    write_csv(tmp_path / "labels.csv", list(table[0]), table)
    files = {"labels": tmp_path / "labels.csv", "comparisons": tmp_path / "comparisons.csv"}
    assert call("compare", **options, **files) == 0
    rows = {
        row["metric"]: row
        for row in read_csv(tmp_path / "comparisons.csv")
        if row["replicate"] == "mean"
    }
    assert float(rows["accuracy"]["difference"]) == -25
    assert float(rows["macro_f1"]["difference"]) == pytest.approx(
        50 * (6 / 8 + 6 / 7) - 100, rel=1e-6
    )
    assert {row["images"] for row in rows.values()} == {"24"}


def test_the_confusion_figure_has_an_empty_row(options, metrics, tmp_path):
    rows = [row for row in read_csv(tmp_path / "confusion.csv") if row["arm"] == "bad"]
    counts = np.array([int(row["images"]) for row in rows]).reshape(2, 3, 3)
    assert counts[0].tolist() == [[9, 0, 3], [3, 9, 0], [0, 0, 0]]
    figure = {"title": "bad", "figure": tmp_path / "figure.png", "runs": options["runs"]}
    assert call("plot_confusion", confusion=tmp_path / "confusion.csv", arm="bad", **figure) == 0
    assert colours_in(tmp_path / "figure.png") > 10


def test_the_slide_only_control(options, tmp_path):
    table = tmp_path / "slide_only.csv"
    files = {"target": "cells", "index": options["index"]}
    assert call("slide_only", **files, predictions=tmp_path / "slides.csv", table=table) == 0
    values = {(row["control"], row["metric"]): row["value"] for row in read_csv(table)}
    # All images are taken for an a: the first of equally frequent classes.
    assert values["majority", "balanced_accuracy"] == "50"
