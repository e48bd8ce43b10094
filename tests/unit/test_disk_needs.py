"""About how much a run writes."""

import os
from pathlib import Path

import pytest
from configs import load

from fewlabels.workflow import disk_needs
from fewlabels.workflow.disk_needs import (
    count_images,
    free_at,
    full_disk_lines,
    resources_size,
    results_size,
    size_of,
    weights_size,
)
from fewlabels.workflow.experiment import plan_experiment
from fewlabels.workflow.raw_data import RawData

SMALL = """
experiment: {arms: [resnet], replicates: [1, 2], crossed: {replicates: [], fractions: []}}
subsets: {fractions: [100]}
images: {size: 224}
table: {figures: {figure4: resnet}}
datasets: {wbc: {masks: null}}
"""


def planned(*overlays: str):
    config = load(SMALL, *overlays)
    return plan_experiment(config), RawData(config, "resources")


def test_images_checkpoints_and_the_feature_cache_are_counted():
    off = planned('compute: {feature_cache: "off"}')
    empty = results_size(*off, {"wbc": 0})
    assert results_size(*off, {"wbc": 1000}) - empty == 1000 * 224 * 224 * 3
    more = planned('compute: {feature_cache: "off"}', "experiment: {replicates: [1, 2, 3]}")
    assert results_size(*more, {"wbc": 0}) - empty == 50e6
    cached = results_size(*planned(), {"wbc": 1000}) - results_size(*off, {"wbc": 1000})
    assert cached == pytest.approx(0.83e9)
    # A file of it above compute.feature_cache_gb is not made.
    assert results_size(*planned(), {"wbc": 30000}) == results_size(*off, {"wbc": 30000})


def test_weights_and_drawn_images_are_counted():
    assert weights_size("torchvision/vgg16") > 10 * weights_size("torchvision/resnet18")
    drawn = resources_size(*planned("synthetic: {draw: true, wbc: {train: 1000}}"))
    fewer = resources_size(*planned("synthetic: {draw: true, wbc: {train: 500}}"))
    assert drawn - fewer == pytest.approx(500 * 575 * 575 * 1.5)
    assert resources_size(*planned()) == weights_size("resnet18")


def test_images_are_counted_in_folders_tables_and_drawings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/WBC_100/train").mkdir(parents=True)
    for name in ("a.png", "b.jpg", "notes.txt", ".c.png"):
        (tmp_path / "data/WBC_100/train" / name).touch()
    _, raw = planned()
    assert count_images(raw, ["wbc"]) == {"wbc": 2}
    _, raw = planned("synthetic: {draw: true, wbc: {train: 7, test: 5}}")
    assert count_images(raw, ["wbc"]) == {"wbc": 12}
    _, raw = planned("data_root: elsewhere")
    assert count_images(raw, ["wbc"]) == {"wbc": 0}


def test_sizes_are_of_files_and_folders_and_not_of_what_links_lead_to(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_bytes(b"x" * 100)
    (tmp_path / "a/d\n e").write_bytes(b"x" * 10)
    os.symlink("/usr", tmp_path / "a/link")
    assert size_of(tmp_path / "a") == 110 + len("/usr")
    assert size_of(tmp_path / "a/b/c") == 100
    assert size_of(tmp_path / "missing") == 0


def test_free_room_is_that_of_the_nearest_folder(tmp_path):
    folder, free = free_at(tmp_path / "results/of/mine")
    assert folder == str(tmp_path)
    assert free > 0


def test_full_disks_are_told(tmp_path, monkeypatch):
    folders = [tmp_path / "results", Path("resources")]
    assert full_disk_lines(folders) == []
    monkeypatch.setattr(disk_needs, "free_at", lambda path: (str(path), 499_999_999))
    assert full_disk_lines(folders) == [
        f"The disk of {tmp_path}/results/ is full or nearly so (500 MB free): make room.",
        "The disk of resources/ is full or nearly so (500 MB free): make room.",
    ]
    monkeypatch.setattr(disk_needs, "has_no_inodes", lambda path: path.parent == folders[0])
    assert [line.partition("/ ")[2][:6] for line in full_disk_lines(folders)] == [
        "has no",
        "is ful",
    ]


def test_what_cannot_be_read_has_no_size(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"1234")
    (tmp_path / "lost+found").mkdir()
    really = os.scandir

    def scan(path):
        if str(path).endswith("lost+found"):
            raise PermissionError(path)
        return really(path)

    monkeypatch.setattr(os, "scandir", scan)
    assert size_of(tmp_path) == 4
