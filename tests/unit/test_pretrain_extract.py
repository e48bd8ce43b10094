"""Features at a layer of a backbone, of every image of a data set."""

import json

import numpy as np
import pytest
import torch
from builders import ON_CPU, SIDE, call, failure

from fewlabels.core.files import read_csv, write_csv
from fewlabels.networks.library import build_model, library_normalisation
from fewlabels.pretraining import extract

MODEL = "timm/test_efficientnet"
NODES = ["global_pool", "blocks.2.0.conv_pwl"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of a small backbone, as fetch_weights writes them."""
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    options = {"backbone": "small", "model": MODEL, "weights": "random", "image_size": SIDE}
    assert call("fetch_weights", **options, output=path) == 0
    return path


@pytest.fixture
def options(weights, prcc_data, tmp_path):
    return {
        **prcc_data,
        "start": weights,
        "node": "global_pool",
        "features": tmp_path / "features.csv",
        "record": tmp_path / "record.json",
        **ON_CPU,
    }


def expected_features(weights, pixels: np.ndarray, node: str) -> np.ndarray:
    """What the network gives at a module, by a hook: maps averaged over height and width."""
    network = build_model(MODEL, SIDE)
    network.load_state_dict(torch.load(weights)["state_dict"])
    seen = []
    network.get_submodule(node).register_forward_hook(lambda *found: seen.append(found[2]))
    normalisation = library_normalisation(MODEL)
    mean, std = (torch.tensor(values)[:, None, None] for values in vars(normalisation).values())
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        network.eval()((images - mean) / std)
    [values] = seen
    return (values.mean((2, 3)) if values.dim() == 4 else values).numpy()


def features_in(path) -> tuple[list[str], np.ndarray]:
    rows = read_csv(path)
    columns = list(rows[0])[1:]
    assert columns == [f"f{n}" for n in range(len(columns))]
    assert next(iter(rows[0])) == "id"
    return [row["id"] for row in rows], np.array([[float(row[c]) for c in columns] for row in rows])


@pytest.mark.parametrize("node", NODES)
def test_features_of_every_image_in_order(options, weights, prcc_data, monkeypatch, node):
    monkeypatch.setattr(extract, "BATCH", 8)  # 20 images: batches of 8, 8, 4
    assert call("pretrain", "extract", **options | {"node": node}) == 0
    names, found = features_in(options["features"])
    assert names == [row["id"] for row in read_csv(prcc_data["index"])]
    expected = expected_features(weights, np.load(prcc_data["images"]), node)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    # No two images have the same features.
    assert len(np.unique(found.round(5), axis=0)) == 20
    assert json.loads(options["record"].read_text())["images"] == 20


def test_images_are_found_by_their_ids(options, prcc_data, tmp_path):
    """The index may list them in another order than the array has them."""
    rows = read_csv(prcc_data["index"])
    assert call("pretrain", "extract", **options) == 0
    names, found = features_in(options["features"])
    write_csv(tmp_path / "other.csv", list(rows[0]), rows[::-1])
    assert call("pretrain", "extract", **options | {"index": tmp_path / "other.csv"}) == 0
    other_names, other = features_in(options["features"])
    assert other_names == names[::-1]
    np.testing.assert_allclose(other, found[::-1], rtol=1e-4, atol=1e-5)


def test_equal_runs_give_equal_files(options):
    assert call("pretrain", "extract", **options) == 0
    before = options["features"].read_bytes()
    assert call("pretrain", "extract", **options) == 0
    assert options["features"].read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"start": "nowhere.pth"}, "nowhere.pth does not exist"),
        ({"node": "global_pol"}, "did you mean 'global_pool'?"),
        ({"index": "nowhere.csv"}, "nowhere.csv does not exist"),
    ],
)
def test_a_mistake_is_one_line(options, capsys, change, words):
    assert words in failure(capsys, "pretrain", "extract", **options | change)
    assert not options["features"].exists()
