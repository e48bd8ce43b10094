"""What the workflow writes: every named file, its columns, and numbers that agree with each other."""

import csv
import hashlib
import itertools
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

ARMS = ["resnet", "combinedNet", "combinedNetClustered"]
FRACTIONS = ["100", "10"]
CLASSES = ["Basophil", "Eosinophil", "Lymphocyte", "Monocyte", "Neutrophil"]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def results(finished) -> Path:
    return finished.folder / "results"


@pytest.mark.parametrize(
    "name",
    [
        "summary.csv",
        "summary.md",
        "comparisons.csv",
        "labels.csv",
        "label_efficiency.csv",
        "figures/label_efficiency.png",
        "figures/label_efficiency.svg",
        "spread.csv",
        "costs.csv",
        "provenance.json",
        "runs.csv",
        "metrics/evaluate.csv",
        "metrics/confusion.csv",
        "models/resnet_cam16.pt",
        "models/pRCC_clustered_resnet.pt",
        "models/pRCC_autoencoder.pt",
        "features/prcc_feature.csv",
        "clusters/prcc_cluster_label.csv",
        "clusters/prcc_cluster_label_scatter.png",
        "figures/pRCC_autoencoder_reconstructions.png",
        "figures/figure4.png",
        "figures/figure5.png",
        *(f"figures/confusion/{arm}.png" for arm in ARMS),
        "masked/wbc_contact_sheet.png",
        "masked/cam16_contact_sheet.png",
        "data.csv",
        "data.md",
        "leakage/pairs.csv",
        "leakage/leakage.md",
        "leakage/thumbnails.png",
        "leakage/slide_only.csv",
        "predictions/slide_only.csv",
        "history/pRCC_autoencoder.csv",
        "history/resnet_cam16.csv",
        "history/pRCC_clustered_resnet.csv",
        *(
            f"{folder}/replicate1/{arm}_wbc_{fraction}.{ending}"
            for folder, ending in (("models", "pt"), ("history", "csv"), ("predictions", "csv"))
            for arm in ARMS
            for fraction in FRACTIONS
        ),
    ],
)
def test_every_deliverable_exists(results, name):
    assert (results / name).stat().st_size > 0


def test_summary_has_every_run_and_agrees_with_the_predictions(results):
    rows = read(results / "summary.csv")
    assert list(rows[0]) == [
        *("table", "arm", "fraction", "replicate", "selection", "metric", "value", "n", "reported"),
        *("low", "high", "interval", "verdict", "state", "test_set"),
    ]
    for arm in ARMS:
        for fraction in FRACTIONS:
            predictions = read(results / f"predictions/replicate1/{arm}_wbc_{fraction}.csv")
            right = sum(row["label"] == row["predicted"] for row in predictions)
            (last,) = (
                row
                for row in rows
                if (row["arm"], row["fraction"], row["replicate"]) == (arm, fraction, "1")
                and (row["selection"], row["metric"]) == ("last", "accuracy")
            )
            assert float(last["value"]) == pytest.approx(100 * right / len(predictions), abs=1e-4)
            assert int(last["n"]) == len(predictions) == 20
            # The drawn images have slides.
            assert last["interval"] == "wilson_groups"
            assert float(last["low"]) < float(last["value"]) < float(last["high"])
            history = read(results / f"history/replicate1/{arm}_wbc_{fraction}.csv")
            assert len(history) == 2
            (best,) = (
                row
                for row in rows
                if (row["arm"], row["fraction"], row["replicate"]) == (arm, fraction, "1")
                and (row["selection"], row["metric"]) == ("best_test", "accuracy")
            )
            highest = max(float(row["test_accuracy"]) for row in history)
            assert float(best["value"]) == pytest.approx(100 * highest, abs=1e-4)
            # The last epoch's predictions are those of the last row of the history.
            assert float(history[-1]["test_accuracy"]) == pytest.approx(right / len(predictions))
    assert {row["arm"] for row in rows if row["table"] == "2"} == {"pRCC_clustered_resnet"}
    assert {row["arm"] for row in rows if row["table"] == "3"} == {"resnet_cam16"}
    reported = {(r["arm"], r["fraction"]): r["reported"] for r in rows if r["reported"]}
    assert float(reported["resnet", "100"]) == 97.9
    assert float(reported["resnet_cam16", ""]) == 92.13
    assert {r["selection"] for r in rows if r["reported"]} == {"best_test"}


def test_every_arm_is_compared_with_the_baseline(results):
    rows = [row for row in read(results / "comparisons.csv") if row["replicate"] == "mean"]
    found = {(row["arm"], row["fraction"], row["metric"]) for row in rows}
    metrics = ("accuracy", "macro_f1", "balanced_accuracy", "mcc", "nll", "brier")
    assert found == set(itertools.product(ARMS[1:], FRACTIONS, metrics))
    verdicts = {
        (row["arm"], row["fraction"]): row["verdict"]
        for row in read(results / "summary.csv")
        if row["verdict"]
    }
    assert verdicts == {
        (row["arm"], row["fraction"]): row["verdict"] for row in rows if row["metric"] == "accuracy"
    }


def test_the_provenance_names_the_tables_as_they_are(results):
    tables = json.loads((results / "provenance.json").read_text())["tables"]
    assert set(tables) == {"summary.csv", "comparisons.csv", "label_efficiency.csv"}
    for name, digest in tables.items():
        assert hashlib.sha256((results / name).read_bytes()).hexdigest() == digest


def test_predictions_cover_the_test_images_only(results):
    index = read(results / "images/wbc_index.csv")
    test_ids = [row["id"] for row in index if row["split"] == "test"]
    rows = read(results / "predictions/replicate1/combinedNet_wbc_10.csv")
    assert list(rows[0]) == ["id", "label", "predicted", *(f"p_{name}" for name in CLASSES)]
    assert [row["id"] for row in rows] == test_ids


def test_smaller_subsets_lie_in_larger_ones(results):
    ids = {
        fraction: {row["id"] for row in read(results / f"subsets/replicate1/wbc_{fraction}.csv")}
        for fraction in FRACTIONS
    }
    assert ids["10"] < ids["100"]
    train = {r["id"] for r in read(results / "images/wbc_index.csv") if r["split"] == "train"}
    assert ids["100"] == train


def test_the_summary_says_what_became_of_the_raw_data(results):
    text = (results / "summary.md").read_text(encoding="utf-8")
    _, section = text.split("\n## Data\n")
    assert "| `wbc` | 60 | – | 20 | – | " in section
    assert "| `cam16` | 20 | 4 | 4 | – | " in section
    assert "near duplicate" not in text


def test_drawn_cells_are_no_copies_and_share_slides_but_no_fields(results):
    kinds = {row["kind"] for row in read(results / "leakage/pairs.csv")}
    assert kinds == {"slide"}
    index = read(results / "images/wbc_index.csv")
    test_ids = [row["id"] for row in index if row["split"] == "test"]
    assert [row["id"] for row in read(results / "predictions/slide_only.csv")] == test_ids


def test_without_validation_all_of_a_subset_is_trained_on(results):
    for path in results.glob("subsets/**/*.csv"):
        assert {row["part"] for row in read(path)} == {"train"}, path


def test_checkpoints_load_without_pickled_code(results):
    for path in sorted((results / "models").rglob("*.pt")):
        content = torch.load(path, weights_only=True)
        assert content["metadata"]["image_size"] == 32, path
        assert all(torch.is_tensor(value) for value in content["state_dict"].values()), path
    metadata = torch.load(results / "models/replicate1/combinedNet_wbc_10.pt", weights_only=True)[
        "metadata"
    ]
    assert metadata["classes"] == CLASSES
    assert [choice["encoder"] for choice in metadata["encoders"]] == [
        "pRCC_autoencoder",
        "resnet_cam16",
    ]
    assert metadata["encoders"][1]["trained"] == ["layer4.0", "layer4.1"]


def test_the_frozen_autoencoder_reaches_the_classifier_unchanged(results):
    autoencoder = torch.load(results / "models/pRCC_autoencoder.pt", weights_only=True)
    classifier = torch.load(
        results / "models/replicate1/combinedNet_wbc_100.pt", weights_only=True
    )["state_dict"]
    compared = 0
    for name, value in autoencoder["state_dict"].items():
        if name.startswith("encoder."):
            inside = classifier[f"encoders.pRCC_autoencoder.{name.removeprefix('encoder.')}"]
            assert torch.equal(inside, value), name
            compared += 1
    assert compared > 10


def test_clusters_have_quality_and_agreement_with_the_hidden_types(results):
    quality = {
        row["metric"]: row for row in read(results / "clusters/prcc_cluster_label_quality.csv")
    }
    assert {"silhouette", "adjusted_rand_index", "normalized_mutual_information", "purity"} <= set(
        quality
    )
    sizes = [int(quality[f"size_of_cluster_{number}"]["value"]) for number in (0, 1)]
    assert sum(sizes) == 12
    assert sizes == sorted(sizes, reverse=True)


def test_records_hold_the_volatile_facts(results):
    record = json.loads((results / "records/replicate1/resnet_wbc_10.json").read_text())
    assert record["device"] == "cpu"
    assert record["seconds"] > 0


def test_figures_are_pictures(results):
    for name in ("figure4", "figure5", "pRCC_autoencoder_reconstructions"):
        with Image.open(results / f"figures/{name}.png") as picture:
            low, high = picture.convert("L").getextrema()
            assert high - low > 100, name
            assert picture.width > 300


def test_every_job_has_a_log_and_a_benchmark(results):
    logs = {p.relative_to(results / "logs").with_suffix("") for p in results.glob("logs/**/*.log")}
    benchmarks = {
        path.relative_to(results / "benchmarks").with_suffix("")
        for path in results.glob("benchmarks/**/*.tsv")
    }
    assert len(logs) >= 25
    assert logs == benchmarks
