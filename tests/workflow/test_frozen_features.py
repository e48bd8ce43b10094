"""Arms with light classifiers on tiny images: no epoch is trained, and their files are those that every table reads."""

import csv
import json

import pytest

pytestmark = pytest.mark.long

LIGHT_ARMS = """
arms:
  logistic:
    title: balanced logistic regression, masked copies appended
    masks: append
    encoders: [{encoder: resnet_cam16, trained: []}, {encoder: pRCC_autoencoder, trained: []}]
    classifier: logistic_regression
  neighbours:
    title: nearest neighbours
    masks: "off"
    encoders: [{encoder: resnet_cam16, trained: []}]
    classifier: nearest_neighbours
experiment: {arms: [resnet, combinedNet, combinedNetClustered, logistic, neighbours]}
"""


def test_light_classifiers_from_the_config_alone(finished_copy):
    (finished_copy.folder / "light.yaml").write_text(LIGHT_ARMS)
    results = finished_copy.folder / "results"
    runs = {name: f"replicate1/{name}_wbc_100" for name in ("logistic", "neighbours")}
    wanted = [f"results/predictions/{run}.csv" for run in runs.values()]
    options = ("--configfile", "tests/tiny.yaml", "light.yaml")
    done = finished_copy.snakemake(*wanted, "--cores", "2", *options)
    assert done.returncode == 0, done.stdout[-4000:]
    assert done.stdout.count("rule train_classifier:") == 2
    assert "rule pretrain_" not in done.stdout
    for name, run in runs.items():
        with (results / f"predictions/{run}.csv").open(newline="") as handle:
            assert len(list(csv.DictReader(handle))) == 20
        with (results / f"history/{run}.csv").open(newline="") as handle:
            [row] = csv.DictReader(handle)
        assert (row["epoch"], row["steps"]) == ("1", "0")
        record = json.loads((results / f"records/{run}.json").read_text())
        assert record["classifier"]["folds"] == 5
        # 60 images, and in the one arm the copies of those that have a mask.
        assert (record["training_images"] > 60) == (name == "logistic")
        log = (results / f"logs/train_classifier/{run}.log").read_text()
        assert f"kind {record['classifier']['kind']}" in log and "epoch" not in log
