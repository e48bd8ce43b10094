"""Pictures of data and pretraining for the report."""

import json

import numpy as np
import pytest
from builders import call, save
from PIL import Image

from fewlabels.audit.leakage import COLUMNS
from fewlabels.core.files import write_csv
from fewlabels.reporting.figures import contact_sheet


@pytest.fixture
def options(wbc_data, tmp_path):
    write_csv(tmp_path / "pairs.csv", COLUMNS, [])
    return {
        **{"datasets": ["wbc"], "images": [wbc_data.file("images.npy")], "target": "wbc"},
        **{"pairs": tmp_path / "pairs.csv", "page_data": tmp_path / "pictures.json"},
    }


def collected(options, **more):
    assert call("report_pictures", **options, **more) == 0
    return json.loads(options["page_data"].read_text())


def test_nothing_to_show(options):
    assert collected(options) == {"clusters": [], "copies": [], "masks": [], "reconstructions": []}


def test_copies_across_sets_come_first_and_groups_are_no_pictures(options, wbc_data):
    (first, second, *_), (test, *_) = (
        [row["id"] for row in wbc_data.rows(split)] for split in ("train", "test")
    )
    sides = {"first_dataset": "wbc", "first_split": "train", "second_dataset": "wbc"}
    within = {**sides, "second_split": "train", "first_id": first, "second_id": second}
    grouped = {**sides, "second_dataset": "wbc_grouped", "second_split": "test"}
    write_csv(
        options["pairs"],
        COLUMNS,
        [
            {"kind": "bytes", **within},
            {"kind": "near_duplicates", "view": "turned", **grouped}
            | {"first_id": first, "second_id": test, "second_label": "Basophil"},
            {"kind": "slide", **sides, "second_split": "test", "group": "12"},
        ],
    )
    across, inside = collected(options)["copies"]
    assert (across["kind"], across["view"]) == ("near_duplicates", "turned")
    assert across["second"]["id"] == test
    assert across["second"]["label"] == "Basophil"
    assert inside["kind"] == "bytes"
    assert across["first"]["picture"] == inside["first"]["picture"] != inside["second"]["picture"]


def test_masks_before_and_after(options, wbc_data):
    data = collected(options, masked_datasets=["wbc"], masked=[wbc_data.file("masked.npy")])
    (masks,) = data["masks"]
    assert (masks["dataset"], masks["applied"]) == ("wbc", 9)
    assert len(masks["images"]) == 9
    assert all(image["before"] != image["after"] for image in masks["images"])
    assert 0 < masks["images"][0]["foreground"] < 1


def test_clusters_and_reconstructions(options, wbc_data, tmp_path):
    ids = [row["id"] for row in wbc_data.index]
    clusters = [int(n >= 20) for n in range(len(ids))]
    rows = [{"id": name, "cluster": k} for name, k in zip(ids, clusters, strict=True)]
    write_csv(tmp_path / "labels.csv", ["id", "cluster"], rows)
    features = [{"id": name, "f0": float(n), "f1": 0.0} for n, name in enumerate(ids)]
    write_csv(tmp_path / "features.csv", ["id", "f0", "f1"], features)
    contact_sheet(
        tmp_path / "sheet.png", [("a", [np.zeros((8, 8, 3), np.uint8)])], ["image"], empty_text=""
    )
    data = collected(
        options,
        clusters=["kinds", "wbc", tmp_path / "labels.csv", tmp_path / "features.csv"],
        reconstructions=["encoder", tmp_path / "sheet.png"],
    )
    (found,) = data["clusters"]
    assert found["sizes"] == [20, len(ids) - 20]
    assert len(found["points"]) == len(ids)
    assert found["of_cluster"] == clusters
    assert [image["id"] for image in found["examples"][0][:2]] == [ids[9], ids[10]]
    assert data["reconstructions"][0]["name"] == "encoder"
    assert data["reconstructions"][0]["picture"].startswith("data:image/webp;base64,")


def test_a_sheet_without_transparency(options, tmp_path):
    save(Image.new("RGB", (9, 4), "red"), tmp_path / "sheet.png")
    data = collected(options, reconstructions=["encoder", tmp_path / "sheet.png"])
    assert len(data["reconstructions"]) == 1
