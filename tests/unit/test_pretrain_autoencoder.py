"""Training the autoencoder: losses only, a checkpoint for the arms, a picture of test images."""

import json

import numpy as np
import pytest
import torch
from builders import AUTOENCODER, AUTOENCODER_TRAINING, ON_CPU, SIDE, call, colours_in, failure
from image_sets import CPU, images_of, pixels_in

from fewlabels.core.files import read_csv, write_csv
from fewlabels.networks.checkpoints import load_autoencoder, load_encoder
from fewlabels.pretraining import autoencoder
from fewlabels.training.loop import reconstruct

OUTPUTS = ("checkpoint.pt", "history.csv", "reconstructions.png", "record.json")


@pytest.fixture
def options(prcc_data, tmp_path):
    return {
        **prcc_data,
        "channels": AUTOENCODER["channels"],
        "latent_size": AUTOENCODER["latent_size"],
        "training": AUTOENCODER_TRAINING | {"epochs": 8, "learning_rate": 0.01},
        "seed": 0,
        "resize": "pad",
        **ON_CPU,
        **{name.split(".")[0]: tmp_path / name for name in OUTPUTS},
    }


def run(options: dict[str, object], **changes: object) -> None:
    assert call("pretrain", "autoencoder", **options | changes) == 0


def pixels_of(prcc_data, split: str) -> np.ndarray:
    """The images of one split, in the index's order."""
    splits = [row["split"] for row in read_csv(prcc_data["index"])]
    return np.load(prcc_data["images"])[[found == split for found in splits]]


def test_a_run(options, tmp_path):
    run(options)
    history = read_csv(tmp_path / "history.csv")
    assert list(history[0]) == ["epoch", "steps", "train_loss", "test_loss"]
    assert len(history) == 8
    assert float(history[-1]["train_loss"]) < float(history[0]["train_loss"])
    assert colours_in(tmp_path / "reconstructions.png") > 100
    record = json.loads((tmp_path / "record.json").read_text())
    assert (record["training_images"], record["epochs"]) == (15, 8)
    metadata = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["metadata"]
    assert metadata["model"] == "checkpoint"
    assert metadata["architecture"] == {"model": "autoencoder", **AUTOENCODER}
    assert metadata["image_size"] == SIDE
    assert metadata["resize"] == "pad"
    assert metadata["training"]["epochs"] == 8
    assert metadata["seed"] == 0


def test_training_gets_the_training_images_and_is_tested_on_the_test_images(
    options, prcc_data, monkeypatch
):
    seen = {}

    def instead(model, train, test, settings, runtime, seed):
        seen.update(train=train, test=test)
        return [{"epoch": 1, "test_loss": 0.0}]

    monkeypatch.setattr(autoencoder, "train_autoencoder", instead)
    run(options)
    for split, images in seen.items():
        np.testing.assert_array_equal(pixels_in(images), pixels_of(prcc_data, split))


def test_the_checkpoint_gives_encoder_and_reconstructions(
    options, prcc_data, tmp_path, monkeypatch
):
    drawn = []
    monkeypatch.setattr(
        autoencoder, "contact_sheet", lambda path, items, *rest, **more: drawn.extend(items)
    )
    run(options)
    model, _ = load_autoencoder(tmp_path / "checkpoint.pt")
    encoder, _ = load_encoder(tmp_path / "checkpoint.pt")
    assert encoder.feature_size == 6
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, model.encoder.state_dict()[name])
    # Five test images; the picture shows them beside what the saved model makes of them.
    names = [row["id"] for row in read_csv(prcc_data["index"]) if row["split"] == "test"]
    assert [name for name, _ in drawn] == names
    assert len(names) == 5
    originals = pixels_of(prcc_data, "test")
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


def test_no_more_than_eight_images_are_shown(options, prcc_data, tmp_path, monkeypatch):
    rows = read_csv(prcc_data["index"])
    splits = ["test" if place < 10 else "train" for place in range(20)]
    rows = [row | {"split": split} for row, split in zip(rows, splits, strict=True)]
    write_csv(tmp_path / "many.csv", list(rows[0]), rows)
    drawn = []
    monkeypatch.setattr(
        autoencoder, "contact_sheet", lambda path, items, *rest, **more: drawn.extend(items)
    )
    training = options["training"] | {"epochs": 1}
    run(options, index=tmp_path / "many.csv", training=training)
    assert [name for name, _ in drawn] == [row["id"] for row in rows[:8]]


def test_equal_seeds_give_equal_files(options, tmp_path):
    contents = []
    for seed in (0, 0, 1):
        run(options, seed=seed)
        contents.append([(tmp_path / name).read_bytes() for name in OUTPUTS[1:3]])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_data_set_without_images_of_a_split_is_one_line(
    options, prcc_data, tmp_path, capsys, split
):
    rows = [row for row in read_csv(prcc_data["index"]) if row["split"] != split]
    write_csv(tmp_path / "part.csv", list(rows[0]), rows)
    line = failure(capsys, "pretrain", "autoencoder", **options | {"index": tmp_path / "part.csv"})
    assert "part.csv has no train or no test images: mend splits or holdout" in line
    assert not (tmp_path / "checkpoint.pt").exists()
