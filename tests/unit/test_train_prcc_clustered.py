"""Training on the clusters: a stratified share held out, cluster numbers as classes."""

import json
from collections import Counter

import pytest
import torch
from builders import ON_CPU, TRAINING, call, failure
from torchvision.models import resnet18
from train_prcc_clustered import split_by_cluster

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.training.run_files import Sample

OUTPUTS = ("checkpoint.pt", "history.csv", "predictions.csv", "record.json")


@pytest.fixture
def options(prcc_data, resnet_weights, tmp_path):
    """Twelve images of cluster 0, eight of cluster 1: dark and bright."""
    ids = [row["id"] for row in read_csv(prcc_data["ids"])]
    write_csv(
        tmp_path / "labels.csv",
        ["id", "cluster"],
        ({"id": name, "cluster": int(n >= 12)} for n, name in enumerate(ids)),
    )
    return {
        **prcc_data,
        "labels": tmp_path / "labels.csv",
        "weights": resnet_weights,
        "trained": ["layer4"],
        "test_share": 0.25,
        "training": TRAINING,
        "seed": 0,
        "resize": "stretch",
        **ON_CPU,
        **{name.split(".")[0]: tmp_path / name for name in OUTPUTS},
    }


def test_a_run(options, tmp_path):
    assert call("train_prcc_clustered", **options) == 0
    rows = read_csv(tmp_path / "predictions.csv")
    assert list(rows[0]) == ["id", "label", "predicted", "p_0", "p_1"]
    # A quarter of twelve and of eight.
    assert Counter(row["label"] for row in rows) == {"0": 3, "1": 2}
    clusters = {row["id"]: row["cluster"] for row in read_csv(options["labels"])}
    assert all(clusters[row["id"]] == row["label"] for row in rows)
    history = read_csv(tmp_path / "history.csv")
    accuracy = sum(row["label"] == row["predicted"] for row in rows) / 5
    assert float(history[-1]["test_accuracy"]) == pytest.approx(accuracy, abs=1e-6)
    assert json.loads((tmp_path / "record.json").read_text())["training_images"] == 15
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert content["metadata"]["classes"] == ["0", "1"]
    assert content["metadata"]["mask_use"] == "off"
    resnet18(num_classes=2).load_state_dict(content["state_dict"], strict=True)


def test_it_learns_the_clusters(options, tmp_path):
    training = {**TRAINING, "epochs": 5}
    assert call("train_prcc_clustered", **options | {"training": training}) == 0
    history = read_csv(tmp_path / "history.csv")
    assert float(history[-1]["train_loss"]) < float(history[0]["train_loss"])
    assert float(history[-1]["train_accuracy"]) > 0.9


def test_equal_seeds_give_equal_files(options, tmp_path):
    contents = []
    for seed in (0, 0, 1):
        assert call("train_prcc_clustered", **options | {"seed": seed}) == 0
        contents.append([(tmp_path / name).read_bytes() for name in OUTPUTS[1:3]])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def samples(*sizes: int) -> list[Sample]:
    return [
        Sample(f"{label}-{n}", str(label), False)
        for label, size in enumerate(sizes)
        for n in range(size)
    ]


def test_the_share_is_stratified_and_nothing_is_lost():
    everything = samples(30, 20, 10)
    train, test = split_by_cluster(everything, 0.2, 0)
    assert Counter(sample.label for sample in test) == {"0": 6, "1": 4, "2": 2}
    assert sorted(train + test, key=str) == sorted(everything, key=str)
    assert split_by_cluster(everything, 0.2, 0) == (train, test)
    assert split_by_cluster(everything, 0.2, 1) != (train, test)


@pytest.mark.parametrize(("sizes", "share"), [((10, 1), 0.2), ((2, 2), 0.1)])
def test_clusters_too_small_are_one_line(sizes, share):
    with pytest.raises(UserError, match=r"can't be split into train and test.*test_share"):
        split_by_cluster(samples(*sizes), share, 0)


def test_a_cluster_of_one_image_stops_the_script(options, tmp_path, capsys):
    rows = read_csv(options["labels"])
    for row in rows:
        row["cluster"] = str(int(row is rows[0]))
    write_csv(options["labels"], ["id", "cluster"], rows)
    line = failure(capsys, "train_prcc_clustered", **options)
    assert "can't be split" in line
    assert not (tmp_path / "checkpoint.pt").exists()


def test_clusters_are_ordered_as_numbers(options, tmp_path):
    """Cluster 10 comes behind cluster 2."""
    rows = read_csv(options["labels"])
    for place, row in enumerate(rows):
        row["cluster"] = ("2", "10")[place % 2]
    write_csv(options["labels"], ["id", "cluster"], rows)
    training = {**TRAINING, "epochs": 1}
    assert call("train_prcc_clustered", **options | {"training": training}) == 0
    assert list(read_csv(tmp_path / "predictions.csv")[0])[3:] == ["p_2", "p_10"]
