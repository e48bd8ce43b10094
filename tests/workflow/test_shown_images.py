"""What the report shows of images, after a run of the tiny workflow: mistakes with heat maps, clusters, masks."""

import base64
import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

HEAD = "data:image/webp;base64,"
SIDE = 32


def read(path):
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def decoded(uri: str) -> np.ndarray:
    assert uri.startswith(HEAD)
    with Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(HEAD)))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def results(finished):
    return finished.folder / "results"


@pytest.fixture(scope="module")
def errors(results) -> dict:
    return json.loads((results / "report/errors.json").read_text())


@pytest.fixture(scope="module")
def pictures(results) -> dict:
    return json.loads((results / "report/pictures.json").read_text())


def test_every_test_image_is_ranked_by_how_much_its_label_is_believed(results):
    rows = read(results / "label_errors.csv")
    tested = [row["id"] for row in read(results / "images/wbc_index.csv") if row["split"] == "test"]
    assert sorted(row["id"] for row in rows) == sorted(tested)
    believed = [float(row["label_probability"]) for row in rows]
    assert believed == sorted(believed)
    # Three arms, one replicate.
    assert {row["runs"] for row in rows} == {"3"}


def test_mistakes_are_those_of_the_predictions_with_heat_maps_of_their_runs(results, errors):
    assert errors["mistakes"], "networks that trained for two epochs are wrong somewhere"
    for cell in errors["mistakes"]:
        name = f"predictions/replicate1/{cell['arm']}_wbc_{cell['fraction']}.csv"
        predicted = {row["id"]: row for row in read(results / name)}
        for shot in cell["images"]:
            row = predicted[shot["id"]]
            assert (row["label"], row["predicted"]) == (shot["label"], shot["predicted"])
            assert shot["label"] != shot["predicted"]
            assert float(row[f"p_{shot['predicted']}"]) == pytest.approx(shot["probability"])
            assert shot["run"] == [cell["arm"], cell["fraction"], "1"]
            assert decoded(shot["heat_map"]).shape == (SIDE, SIDE, 3)


def test_thumbnails_are_of_the_packed_images(results, errors):
    packed = np.load(results / "images/wbc.npy")
    place = {row["id"]: int(row["row"]) for row in read(results / "images/wbc.csv")}
    shown = errors["pictures"]["test"]
    assert shown
    for name, uri in shown.items():
        assert abs(decoded(uri) - packed[place[name]]).mean() < 16


def test_clusters_masks_and_reconstructions(results, pictures):
    (clusters,) = pictures["clusters"]
    labels = read(results / "clusters/prcc_cluster_label.csv")
    assert clusters["of_cluster"] == [int(row["cluster"]) for row in labels]
    assert sum(clusters["sizes"]) == len(clusters["points"]) == len(labels) == 12
    cluster_of = {row["id"]: row["cluster"] for row in labels}
    for cluster, examples in enumerate(clusters["examples"]):
        assert examples
        assert {cluster_of[image["id"]] for image in examples} == {str(cluster)}
    assert [found["name"] for found in pictures["reconstructions"]] == ["pRCC_autoencoder"]
    assert {found["dataset"] for found in pictures["masks"]} == {"cam16", "wbc"}
    for found in pictures["masks"]:
        for image in found["images"]:
            before, after = decoded(image["before"]), decoded(image["after"])
            assert (after.sum(2) < 60).sum() > (before.sum(2) < 60).sum()
