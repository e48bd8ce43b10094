"""On a GPU the steps that run networks give, within rounding, what a CPU gives, and the same again each time."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import (
    AUTOENCODER,
    AUTOENCODER_TRAINING,
    CLASSES,
    ON_CPU,
    TRAINING,
    call,
    train,
    write_autoencoder,
    write_subset,
)

from fewlabels.core.files import read_csv
from fewlabels.networks.checkpoints import load_classifier
from fewlabels.training.work_meter import matrix_product_rate

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

ON_GPU = ON_CPU | {"device": "cuda"}
ENCODER = "imagenet_resnet18"
BLOCKS = ["layer4.1"]


@pytest.fixture(scope="module")
def subset(wbc_data, tmp_path_factory):
    path = tmp_path_factory.mktemp("subset") / "subset.csv"
    return write_subset(path, wbc_data.rows("train"))


@pytest.fixture
def trained(wbc_data, resnet_weights, subset, tmp_path):
    """Trains one ResNet-18 with masks and gives the folder of its files."""

    def run(name: str, **options: object) -> Path:
        encoders = {ENCODER: (resnet_weights, BLOCKS)}
        return train(wbc_data, tmp_path / name, subset, encoders, mask_use="append", **options)

    return run


def losses(folder: Path) -> np.ndarray:
    """(epochs, 2): of training and test."""
    rows = read_csv(folder / "history.csv")
    return np.array([[float(row[f"{part}_loss"]) for part in ("train", "test")] for row in rows])


def same_tensors(one: Path, other: Path) -> bool:
    """Whether two checkpoints hold the same numbers."""
    states = [torch.load(path, weights_only=True)["state_dict"] for path in (one, other)]
    assert states[0].keys() == states[1].keys()
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_what_is_trained_is_what_a_cpu_trains(trained):
    np.testing.assert_allclose(losses(trained("gpu", **ON_GPU)), losses(trained("cpu")), rtol=1e-3)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_twice_gives_the_same_numbers(trained, precision):
    folders = [trained(name, **ON_GPU | {"precision": precision}) for name in ("one", "two")]
    for name in ("history.csv", "predictions.csv"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
    assert same_tensors(*(folder / "checkpoint.pt" for folder in folders))


def test_a_checkpoint_of_a_gpu_is_read_on_a_cpu_and_its_record_tells_the_gpu(trained):
    folder = trained("gpu", **ON_GPU)
    model, _ = load_classifier(folder / "checkpoint.pt")
    assert {value.device.type for value in model.state_dict().values()} == {"cpu"}
    record = json.loads((folder / "record.json").read_text())
    assert record["device"] == torch.cuda.get_device_name()
    assert record["peak_gpu_mb"] > 0
    assert record["matrix_product_flops_per_second"] > 1e11
    assert record["driver"][0].isdigit()


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-3), ("bfloat16", 2e-2)])
def test_training_from_cached_features_is_training_from_pixels(
    trained, wbc_data, resnet_weights, tmp_path, precision, tolerance
):
    chosen = ON_GPU | {"precision": precision}
    made = tmp_path / "features.npy"
    options = {"encoder": ENCODER, "checkpoint": resnet_weights, "trained": BLOCKS}
    options |= {"index": wbc_data.file("index.csv"), **wbc_data.packed, **wbc_data.masked}
    options |= {"train": True, "test": True, "flips": True, "rotation": "right_angles"}
    options |= {"record": tmp_path / "record.json", "features": made}
    assert call("cache_features", **options, **chosen) == 0
    cached = losses(trained("cached", features=[made], **chosen))
    np.testing.assert_allclose(cached, losses(trained("pixels", **chosen)), rtol=tolerance)


def pretrained(method: str, out: Path, **options: object) -> Path:
    """Run one pretraining; gives the folder of its files."""
    out.mkdir()
    files = {
        "supervised": ("checkpoint.pt", "history.csv", "predictions.csv", "record.json"),
        "autoencoder": ("checkpoint.pt", "history.csv", "reconstructions.png", "record.json"),
    }[method]
    written = {name.split(".")[0]: out / name for name in files}
    assert call("pretrain", method, **options, **written, seed=0, resize="stretch") == 0
    return out


@pytest.mark.parametrize("method", ["supervised", "autoencoder"])
def test_pretraining(method, wbc_data, prcc_data, tmp_path):
    start = write_autoencoder(tmp_path / "start.pt")
    small = {"encoder": "small", "trained": ["latent"], "batch_norm": "trained"}
    options = {
        "supervised": {
            "index": wbc_data.file("index.csv"),
            **wbc_data.packed,
            "start": start,
            "encoder": small,
            "classes": json.dumps(CLASSES),
            "training": TRAINING,
        },
        "autoencoder": {
            **prcc_data,
            "channels": AUTOENCODER["channels"],
            "latent_size": AUTOENCODER["latent_size"],
            "training": AUTOENCODER_TRAINING,
        },
    }[method]
    folders = {
        name: pretrained(method, tmp_path / name, **options, **where)
        for name, where in (("cpu", ON_CPU), ("one", ON_GPU), ("two", ON_GPU))
    }
    assert same_tensors(folders["one"] / "checkpoint.pt", folders["two"] / "checkpoint.pt")
    np.testing.assert_allclose(losses(folders["one"]), losses(folders["cpu"]), rtol=1e-2)


def test_features_of_images(prcc_data, resnet_weights, tmp_path):
    found = {}
    for name, where in (("cpu", ON_CPU), ("gpu", ON_GPU)):
        written = {"features": tmp_path / f"{name}.csv", "record": tmp_path / f"{name}.json"}
        given = {**prcc_data, "start": resnet_weights, "node": "layer4", **where}
        assert call("pretrain", "extract", **given, **written) == 0
        found[name] = np.loadtxt(written["features"], delimiter=",", skiprows=1, usecols=(1, 2, 3))
    assert found["cpu"].shape == (20, 3)
    np.testing.assert_allclose(found["gpu"], found["cpu"], atol=1e-2 * np.abs(found["cpu"]).max())


def test_the_rate_of_matrix_products():
    """Below 1 TFLOP/s the products would run on the CPU; above 10 PFLOP/s nothing was waited for."""
    assert 1e12 < matrix_product_rate(torch.device("cuda"), torch.bfloat16) < 1e16
