"""Subsets of so many images of each class, beside those in per cent, from the config to the tables."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from conftest import Workflow
from own_images import SHORT

pytestmark = pytest.mark.long

#: Eight training images of each of five classes: 25 % are two of each, too.
OVERLAY = """
pathvars: {results: results/per_class}
experiment: {arms: [resnet], replicates: [1, 2]}
subsets: {fractions: [25], per_class: [4, 2]}
table: {reported: {wbc: {resnet: {4perclass: 61.25}}}}
"""
FRACTIONS = ("25", "4perclass", "2perclass")
IMAGES = {"25": 2, "4perclass": 4, "2perclass": 2}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def results(own: Workflow) -> Path:
    (own.folder / "per_class.yaml").write_text(OVERLAY)
    own.run("per_class.yaml", overlay=SHORT)
    return own.folder / "results/per_class"


def subset(results: Path, fraction: str, seed: int) -> list[dict[str, str]]:
    return read(results / f"subsets/replicate{seed}/wbc_{fraction}.csv")


@pytest.mark.parametrize("seed", [1, 2])
def test_each_class_has_so_many_images(results, seed):
    drawn = {fraction: subset(results, fraction, seed) for fraction in FRACTIONS}
    for fraction, rows in drawn.items():
        counts = Counter(row["label"] for row in rows)
        assert list(counts.values()) == [IMAGES[fraction]] * 5
    ids = {fraction: {row["id"] for row in rows} for fraction, rows in drawn.items()}
    assert ids["25"] == ids["2perclass"] < ids["4perclass"]


def test_every_run_has_its_files(results):
    for seed in (1, 2):
        for fraction in FRACTIONS:
            name = f"replicate{seed}/resnet_wbc_{fraction}"
            assert len(read(results / f"predictions/{name}.csv")) == 15
            record = json.loads((results / f"records/{name}.json").read_text())
            assert record["training_images"] == 5 * IMAGES[fraction]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_feature_cache_holds_the_images_of_all_subsets_of_a_replicate(results, seed):
    (header,) = (results / f"feature_cache/replicate{seed}").glob("*.json")
    cached = {name for name, *_ in json.loads(header.read_text())["pictures"]}
    for fraction in FRACTIONS:
        assert {row["id"] for row in subset(results, fraction, seed)} <= cached


def test_labels_are_counted(results):
    rows = {(row["fraction"], row["replicate"]): row for row in read(results / "labels.csv")}
    assert list(rows) == [(fraction, r) for fraction in FRACTIONS for r in "12"]
    for (fraction, _), row in rows.items():
        assert row["labels"] == str(5 * IMAGES[fraction])
        assert row["smallest_class_labels"] == str(IMAGES[fraction])
        # Two epochs of batches of eight.
        assert row["steps"] == str(2 * -(-5 * IMAGES[fraction] // 8))
    names = {key: row["subset"] for key, row in rows.items()}
    assert names["25", "1"] == names["2perclass", "1"] != names["2perclass", "2"]
    assert names["4perclass", "1"] != names["2perclass", "1"]


def test_the_tables_are_in_order(results):
    lines = (results / "summary.md").read_text().splitlines()
    first = [line.split("|")[1].strip() for line in lines if "| `resnet` |" in line]
    assert first[:3] == ["25 %", "4 per class", "2 per class"]
    reported = {
        (row["fraction"], row["reported"])
        for row in read(results / "summary.csv")
        if row["reported"]
    }
    assert reported == {("4perclass", "61.25")}
    assert (results / "figures/figure4.png").is_file()
    assert (results / "figures/confusion/resnet.png").is_file()
