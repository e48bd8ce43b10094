"""A checkpoint on images of its own: the probabilities that the model gives, for the classes that are there."""

import numpy as np
import pytest
import torch
from builders import (
    CLASSES,
    COLOURS,
    ON_CPU,
    SIDE,
    TRAINING,
    call,
    failure,
    index_files,
    pack,
    picture,
    save,
)
from image_sets import CPU, images_of

from fewlabels.core.failed_runs import Failure
from fewlabels.core.files import read_csv
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.checkpoints import classifier_state, describe_encoders, save_checkpoint
from fewlabels.networks.classifier import Classifier
from fewlabels.statistics.predictions import read_predictions
from fewlabels.training.loop import predict


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    encoder = Backbone("torchvision/resnet18", SIDE)
    encoder.open_blocks([])
    return Classifier({"imagenet_resnet18": encoder}, len(CLASSES)).eval()


@pytest.fixture
def options(model, tmp_path):
    """An external set of two of the three classes, and a checkpoint."""
    for label in ("Neutrophil", "Basophil"):
        for number in range(2):
            drawn = picture(COLOURS[label], number, (40, 36))
            save(drawn, tmp_path / "raw" / label / f"{number}.png")
    layout = {"images": "{class}", "classes": CLASSES}
    files = index_files(tmp_path)
    options = {"folder": tmp_path / "raw", "layout": layout, "external": True, **files}
    assert call("index_images", **options) == 0
    assert pack(tmp_path / "raw", tmp_path) == 0
    metadata = {
        "classes": CLASSES,
        "image_size": SIDE,
        "encoders": describe_encoders(model),
        "training": TRAINING,
    }
    save_checkpoint(tmp_path / "model.pt", classifier_state(model), metadata)
    return {
        "checkpoint": tmp_path / "model.pt",
        "index": tmp_path / "index.csv",
        "images": tmp_path / "images.npy",
        **ON_CPU,
        "predictions": tmp_path / "predictions.csv",
    }


def test_predictions_are_the_models(options, model):
    assert call("predict_external", **options) == 0
    rows = read_csv(options["predictions"])
    assert list(rows[0]) == ["id", "label", "predicted", *(f"p_{name}" for name in CLASSES)]
    assert [row["id"] for row in rows] == [
        *("Neutrophil/0.png", "Neutrophil/1.png", "Basophil/0.png", "Basophil/1.png")
    ]
    assert [row["label"] for row in rows] == [row["id"].split("/")[0] for row in rows]
    found = np.array([[float(row[f"p_{name}"]) for name in CLASSES] for row in rows])
    expected = predict(model, images_of(np.load(options["images"])), CPU).softmax(1).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert [row["predicted"] for row in rows] == [CLASSES[k] for k in expected.argmax(1)]


def test_images_of_another_size_are_one_line(options, tmp_path, capsys):
    assert pack(tmp_path / "raw", tmp_path, size=2 * SIDE) == 0
    line = failure(capsys, "predict_external", **options)
    assert f"takes images of {SIDE} pixels" in line
    assert "images.size" in line
    assert not options["predictions"].exists()


def test_probabilities_are_averaged_over_the_views_that_the_training_asks_for(options, model):
    content = torch.load(options["checkpoint"], weights_only=True)
    asked = content["metadata"] | {"training": TRAINING | {"test_views": "all"}}
    save_checkpoint(options["checkpoint"], classifier_state(model), asked)
    assert call("predict_external", **options) == 0
    rows = read_csv(options["predictions"])
    found = np.array([[float(row[f"p_{name}"]) for name in CLASSES] for row in rows])
    pixels = np.load(options["images"])
    turned = [np.rot90(pose, k, (1, 2)) for pose in (pixels, pixels[:, :, ::-1]) for k in range(4)]
    each = [predict(model, images_of(view.copy()), CPU).softmax(1).numpy() for view in turned]
    np.testing.assert_allclose(found, np.mean(each, 0), atol=1e-5)
    assert np.abs(found - each[0]).max() > 1e-4


def test_of_a_run_that_failed_it_says_why(options):
    Failure("error: no memory", tuple(CLASSES), 1).write_checkpoint(options["checkpoint"])
    assert call("predict_external", **options) == 0
    found = read_predictions(options["predictions"])
    assert (found.lost, found.classes) == ("failed: error: no memory", tuple(CLASSES))
