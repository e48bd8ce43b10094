"""What a summary was made from: hashes that change with their object and with nothing else."""

import hashlib
import json
import subprocess

import pytest
from builders import call, failure, write_index

from record_provenance import canonical_json, describe, images_hash, scripts_hash

EXPERIMENT = {"replicates": [1, 2], "crossed": {"replicates": [1]}, "split_seed": 5}
# Not every value is a section: "data/seeds" has no seed.
CONFIG = {
    **{"experiment": EXPERIMENT, "statistics": {"seed": 7}, "images": {"size": 32}},
    "backbones": {"net": {"weights": "random", "seed": 3}},
    "pretraining": {"x": {"method": "cluster", "parts": [{"seed": 4}]}, "y": {"seed": 0}},
    "data_root": "data/seeds",
}


@pytest.fixture
def options(tmp_path):
    (tmp_path / "summary.csv").write_text("a\n1\n")
    (tmp_path / "records/replicate1").mkdir(parents=True)
    (tmp_path / "records/replicate1/x.json").write_text('{"device": "cpu", "seconds": 3}')
    (tmp_path / "records/y.json").write_text('{"device": "gpu", "threads": 2}')
    return {
        "tables": [tmp_path / "summary.csv"],
        "indexes": [write_index(tmp_path / "wbc_index.csv", "ab", "ab")],
        "results": tmp_path,
        "config": CONFIG,
        "containers": ["containers/tools.sif"],
        "provenance": tmp_path / "provenance.json",
    }


def test_content(options):
    assert call("record_provenance", **options) == 0
    found = json.loads(options["provenance"].read_text())
    assert found["tables"] == {"summary.csv": hashlib.sha256(b"a\n1\n").hexdigest()}
    assert found["config"] == hashlib.sha256(canonical_json(CONFIG).encode()).hexdigest()
    assert found["containers"] == ["containers/tools.sif"]
    assert found["trainings"]["device"] == ["cpu", "gpu"]
    assert found["trainings"]["torch"] == []
    assert found["seeds"] == {
        "experiment.replicates": [1, 2],
        "experiment.crossed.replicates": [1],
        "experiment.split_seed": 5,
        "statistics.seed": 7,
        "backbones.net.seed": 3,
        "pretraining.x.parts.0.seed": 4,
        "pretraining.y.seed": 0,
    }
    assert set(found["images"]) == {"wbc_index.csv"}
    assert len(found["code"]["scripts"]) == 64
    assert set(found["versions"]) >= {"python", "numpy", "statsmodels"}


def test_outside_a_container_there_are_no_images(options):
    assert call("record_provenance", **options | {"containers": []}) == 0
    assert json.loads(options["provenance"].read_text())["containers"] == []


def test_equal_configs_have_equal_texts():
    assert canonical_json({"b": [1, 2], "a": None}) == '{"a":null,"b":[1,2]}'
    assert canonical_json({"b": 1, "a": 2}) == canonical_json({"a": 2, "b": 1})


def test_the_hash_of_images_follows_pixels_labels_and_splits_not_order(tmp_path):
    path = write_index(tmp_path / "index.csv", "ab", "ab")
    first = images_hash(path)
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(lines)]) + "\n")
    assert images_hash(path) == first
    for changed in ("hash of 001", "mask of 001"):
        path.write_text("\n".join([header, *lines]).replace(changed, "other") + "\n")
        assert images_hash(path) != first
    assert images_hash(write_index(path, "aa", "ab")) != first


def test_an_old_index_is_one_line(options, capsys, tmp_path):
    (tmp_path / "wbc_index.csv").write_text("id,label\n1,a\n")
    assert "wbc_index.csv has no column" in failure(capsys, "record_provenance", **options)


def test_the_hash_of_scripts_follows_names_and_contents(tmp_path):
    (tmp_path / "a.py").write_text("1")
    first = scripts_hash(tmp_path)
    (tmp_path / "notes.txt").write_text("1")
    assert scripts_hash(tmp_path) == first
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert scripts_hash(tmp_path) != first


def test_the_commit_is_named_where_there_is_one(tmp_path):
    assert describe(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert describe(tmp_path) is None
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    commit = describe(tmp_path)
    assert len(commit) >= 7
    (tmp_path / "file").write_text("1")
    subprocess.run([*git, "add", "file"], check=True)
    assert describe(tmp_path) == f"{commit}-dirty"
