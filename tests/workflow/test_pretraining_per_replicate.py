"""Pretraining anew for each replicate, and what test images get: from the config to the files that runs use."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Workflow, copy_repository
from own_images import draw_images
from printed_commands import Job, read_jobs

from fewlabels.networks.checkpoints import load_classifier

pytestmark = pytest.mark.long

#: An arm that two chains of pretraining lead to, one of them by way of clusters.
EACH = """
experiment: {arms: [combinedNetClustered], replicates: [1, 2], pretraining_seeds: per_replicate,
  crossed: {replicates: [1, 2], fractions: [50]}}
subsets: {fractions: [50]}
statistics: {baseline: combinedNetClustered}
"""
ARM = "combinedNetClustered"
#: Replicate of a run -> the replicate whose pretraining it starts from: that of its initialisation.
STARTS = {"1": "1", "2": "2", "1x2": "2", "2x1": "1"}


def state_of(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    workflow = copy_repository(tmp_path_factory.mktemp("each"))
    (workflow.folder / "each.yaml").write_text(EACH)
    workflow.run("each.yaml", "--", "results/summary.md")
    return workflow.folder / "results"


def test_each_replicate_has_a_pretraining_of_its_own(results):
    for name in ("resnet_cam16", "pRCC_clustered_resnet"):
        assert not (results / f"models/{name}.pt").exists()
        first, second = (state_of(results / f"models/{name}_replicate{seed}.pt") for seed in "12")
        assert not torch.equal(first["layer3.0.conv1.weight"], second["layer3.0.conv1.weight"])
        # The backbone that both start from.
        assert torch.equal(first["conv1.weight"], second["conv1.weight"])
    assert [path.name for path in (results / "features").iterdir()] == ["prcc_feature.csv"]
    assert sorted(path.name for path in (results / "clusters").glob("*_replicate?.csv")) == [
        *("prcc_cluster_label_replicate1.csv", "prcc_cluster_label_replicate2.csv")
    ]


@pytest.mark.parametrize(("replicate", "start"), STARTS.items())
def test_a_classifier_starts_from_the_pretraining_of_its_initialisation(results, replicate, start):
    """Blocks that stayed frozen are those of the pretraining."""
    found = state_of(results / f"models/replicate{replicate}/{ARM}_wbc_50.pt")
    for name, block in (("resnet_cam16", "layer3.0"), ("pRCC_clustered_resnet", "layer4.1")):
        trained = state_of(results / f"models/{name}_replicate{start}.pt")
        key = f"{block}.conv1.weight"
        assert torch.equal(found[f"encoders.{name}.{key}"], trained[key])


@pytest.mark.parametrize("replicate", STARTS)
def test_cached_features_are_of_the_same_pretraining(results, replicate):
    """Predictions, which are made from the cache, are what the checkpoint makes of the pixels."""
    model, _ = load_classifier(results / f"models/replicate{replicate}/{ARM}_wbc_50.pt")
    rows = read(results / f"predictions/replicate{replicate}/{ARM}_wbc_50.csv")
    place_of = {row["id"]: int(row["row"]) for row in read(results / "images/wbc.csv")}
    pixels = np.load(results / "images/wbc.npy")[[place_of[row["id"]] for row in rows]]
    with torch.inference_mode():
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
        expected = model(images).softmax(1).numpy()
    columns = [name for name in rows[0] if name.startswith("p_")]
    found = np.array([[float(row[name]) for name in columns] for row in rows])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    headers = [json.loads(path.read_text()) for path in (results / "feature_cache").rglob("*.json")]
    assert {header["encoder"] for header in headers} == {"resnet_cam16", "pRCC_clustered_resnet"}
    assert all(header["pictures"] for header in headers)


def test_the_summary_has_a_table_for_each(results):
    text = (results / "summary.md").read_text()
    for seed in (1, 2):
        assert f": CAM16, normal / tumor, replicate {seed}\n" in text
        assert f"`resnet_cam16_replicate{seed}`" in text
    assert {row["model"] for row in read(results / "costs.csv") if row["fraction"] == ""} == {
        f"{name}_replicate{seed}"
        for name in ("resnet_cam16", "pRCC_clustered_resnet")
        for seed in (1, 2)
    }


# --- what test images get


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Workflow:
    workflow = copy_repository(tmp_path_factory.mktemp("masks"))
    draw_images(workflow.folder / "images")
    return workflow


def planned(workflow: Workflow, masks: str, test_masks: str, fractions: str) -> list[Job]:
    (workflow.folder / "masks.yaml").write_text(
        "experiment: {arms: [resnet], replicates: [1], crossed: {replicates: []},"
        f" test_masks: '{test_masks}'}}\n"
        f"subsets: {{fractions: {fractions}}}\ndata_root: images\n"
        f"arms: {{resnet: {{masks: '{masks}'}}}}\n"
    )
    wanted = f"results/models/replicate1/resnet_wbc_{fractions.strip('[]')}.pt"
    options = ("--dry-run", "--printshellcmds", "--configfile", "masks.yaml", "--", wanted)
    done = workflow.snakemake(*options)
    assert done.returncode == 0, done.stdout[-6000:]
    return read_jobs(done.stdout)


@pytest.mark.parametrize(
    ("masks", "test_masks", "fractions", "told", "parts"),
    [
        # Part of the cache: which pixels it holds, and whether masked test images are among them.
        ("replace", "off", "[10]", "off", {"test_plain": False, "replicate1_masked": False}),
        ("replace", "arm", "[10]", "arm", {"test_masked": True, "replicate1_masked": False}),
        ("append", "arm", "[10]", "off", {"test_plain": False, "replicate1_masked": False}),
        ("off", "arm", "[10]", "off", {"test_plain": False, "replicate1_plain": False}),
        ("replace", "off", "[100]", "off", {"all_masked": False}),
        ("replace", "arm", "[100]", "arm", {"all_masked": True}),
        ("off", "arm", "[100]", "off", {"all_plain": False}),
    ],
)
def test_test_images_are_masked_only_where_asked_for(
    images, masks, test_masks, fractions, told, parts
):
    jobs = planned(images, masks, test_masks, fractions)
    (training,) = [job for job in jobs if job.rule == "train_classifier"]
    assert training.value("test_masks") == told
    cached = [job for job in jobs if job.rule == "cache_features"]
    assert {
        f"{job.pairs['part']}_{job.pairs['pixels']}": job.value("masked_test") for job in cached
    } == parts
    given = [
        f"{Path(path).parent.name}_{Path(path).stem.split('_')[-2]}"
        for path in training.value("features")
    ]
    assert sorted(given) == sorted(parts)
