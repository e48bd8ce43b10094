"""A classifier of a finished run, exported by its rule, predicts what the run's table says."""

import csv
import json

import numpy as np
import onnxruntime
import pytest

pytestmark = pytest.mark.long

RUN = "replicate1/resnet_wbc_100"
#: What the probabilities of a CSV and of the graph, both in float32, may differ by.
TOLERANCE = 1e-4


def read(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_an_exported_classifier_predicts_as_the_run_did(finished_copy):
    target = f"results/export/{RUN}.onnx"
    assert finished_copy.planned("--", target) == {"export_model": 1}
    finished_copy.run("--", target)
    results = finished_copy.folder / "results"
    session = onnxruntime.InferenceSession(results / f"export/{RUN}.onnx")
    metadata = session.get_modelmeta().custom_metadata_map
    classes = json.loads(metadata["classes"])
    row_of = {row["id"]: int(row["row"]) for row in read(results / "images/wbc.csv")}
    pixels = np.load(results / "images/wbc.npy", mmap_mode="r")
    predictions = read(results / f"predictions/{RUN}.csv")
    images = np.stack([pixels[row_of[row["id"]]] for row in predictions])
    (found,) = session.run(None, {"images": images})
    expected = [[float(row[f"p_{name}"]) for name in classes] for row in predictions]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    assert [classes[place] for place in found.argmax(1)] == [
        row["predicted"] for row in predictions
    ]
    data = json.loads(metadata["training_data"])
    (labels,) = (
        row
        for row in read(results / "labels.csv")
        if (row["arm"], row["fraction"], row["replicate"]) == ("resnet", "100", "1")
    )
    assert data["images"] == int(labels["labels"])
    card = (results / f"export/{RUN}.md").read_text()
    (accuracy,) = (
        row["value"]
        for row in read(results / "metrics/evaluate.csv")
        if (row["arm"], row["fraction"], row["replicate"]) == ("resnet", "100", "1")
        and (row["metric"], row["selection"], row["test_set"]) == ("accuracy", "last", "test")
    )
    assert f"| accuracy (%) | {float(accuracy):.1f} [" in card
    assert "none, random weights" in card
    assert finished_copy.planned("--", target) == {}
    # A run makes no export that nobody asked for.
    assert finished_copy.planned() == {}
