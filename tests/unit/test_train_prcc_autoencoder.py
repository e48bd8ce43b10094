"""Training the autoencoder: losses only, a checkpoint for the arms, a picture of held-out images."""

import json

import numpy as np
import pytest
import torch
import train_prcc_autoencoder
from builders import AUTOENCODER_TRAINING, ON_CPU, SIDE, call, colours_in, failure
from image_sets import CPU, images_of

from fewlabels.core.files import read_csv, write_csv
from fewlabels.networks.checkpoints import load_autoencoder, load_encoder
from fewlabels.training.loop import reconstruct

OUTPUTS = ("checkpoint.pt", "history.csv", "reconstructions.png", "record.json")


@pytest.fixture
def options(prcc_data, tmp_path):
    return {
        **prcc_data,
        "channels": [4, 8],
        "latent_size": 6,
        "test_share": 0.2,
        "training": AUTOENCODER_TRAINING | {"epochs": 8, "learning_rate": 0.01},
        "seed": 0,
        "resize": "pad",
        **ON_CPU,
        **{name.split(".")[0]: tmp_path / name for name in OUTPUTS},
    }


def test_a_run(options, tmp_path):
    assert call("train_prcc_autoencoder", **options) == 0
    history = read_csv(tmp_path / "history.csv")
    assert list(history[0]) == ["epoch", "train_loss", "test_loss"]
    assert len(history) == 8
    assert float(history[-1]["train_loss"]) < float(history[0]["train_loss"])
    assert colours_in(tmp_path / "reconstructions.png") > 100
    # A fifth of twenty is held out.
    assert json.loads((tmp_path / "record.json").read_text())["training_images"] == 16
    metadata = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["metadata"]
    assert metadata["channels"] == [4, 8]
    assert metadata["latent_size"] == 6
    assert metadata["image_size"] == SIDE
    assert metadata["resize"] == "pad"
    assert metadata["training"]["epochs"] == 8


def test_the_checkpoint_gives_encoder_and_reconstructions(
    options, prcc_data, tmp_path, monkeypatch
):
    drawn = []
    monkeypatch.setattr(
        train_prcc_autoencoder,
        "contact_sheet",
        lambda path, items, *rest, **more: drawn.extend(items),
    )
    assert call("train_prcc_autoencoder", **options) == 0
    model, _ = load_autoencoder(tmp_path / "checkpoint.pt")
    encoder, _ = load_encoder("pRCC_autoencoder", tmp_path / "checkpoint.pt")
    assert encoder.feature_size == 6
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, model.encoder.state_dict()[name])
    # Four images are held out; the picture shows them beside what the saved model makes of them.
    assert len(drawn) == 4
    rows = [row["id"] for row in read_csv(prcc_data["ids"])]
    originals = np.load(prcc_data["images"])[[rows.index(name) for name, _ in drawn]]
    [(expected, total)] = reconstruct(model, images_of(originals), CPU)
    error = total / len(originals)
    for place, (_, (original, picture)) in enumerate(drawn):
        np.testing.assert_array_equal(original, originals[place])
        assert picture.dtype == np.uint8
        np.testing.assert_allclose(
            picture / 255, expected[place].permute(1, 2, 0), atol=0.5 / 255 + 1e-5
        )
    # Their error is the last test loss.
    history = read_csv(tmp_path / "history.csv")
    assert float(history[-1]["test_loss"]) == pytest.approx(error, rel=1e-4)


def test_equal_seeds_give_equal_files(options, tmp_path):
    contents = []
    for seed in (0, 0, 1):
        assert call("train_prcc_autoencoder", **options | {"seed": seed}) == 0
        contents.append([(tmp_path / name).read_bytes() for name in OUTPUTS[1:3]])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_a_single_image_is_one_line(options, tmp_path, capsys):
    np.save(tmp_path / "one.npy", np.zeros((1, SIDE, SIDE, 3), np.uint8))
    write_csv(tmp_path / "one.csv", ["id"], [{"id": "a.jpg"}])
    changed = options | {"images": tmp_path / "one.npy", "ids": tmp_path / "one.csv"}
    line = failure(capsys, "train_prcc_autoencoder", **changed)
    assert "one.csv can't be split into train and test" in line
    assert "test_share" in line
