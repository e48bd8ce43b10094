"""Which epoch a model ends in, where the best one on validation is neither the best on test nor the last."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import CLASSES, TRAINING, train, write_autoencoder, write_subset
from image_sets import CPU, images_of
from torch import Tensor, nn

from fewlabels.core.files import read_csv
from fewlabels.core.settings import TrainingSettings
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.checkpoints import load_classifier
from fewlabels.networks.classifier import Classifier
from fewlabels.training import loop

SIZE = 8
SETTINGS = TrainingSettings.from_json(json.dumps(TRAINING | {"epochs": 4, "batch_size": 64}))
VALIDATION, TEST = 10, 9  # images


class Scripted(nn.Linear):
    """A head whose answers in each epoch are given.

    Images in the set (which tells the sets apart) -> epoch -> (right, margin).
    All labels are 0; the first ``right`` images are answered so, the others with 1, each by ``margin``.
    """

    def __init__(self, features: int, answers: dict[int, list[tuple[int, float]]]) -> None:
        super().__init__(features, 3)
        self.answers = answers
        self.register_buffer("epoch", torch.tensor(0))

    def forward(self, features: Tensor) -> Tensor:
        if self.training:  # one batch an epoch
            self.epoch += 1
            return super().forward(features)
        right, margin = self.answers[len(features)][int(self.epoch) - 1]
        answers = torch.ones(len(features), dtype=torch.int64)
        answers[:right] = 0
        return margin * torch.eye(3)[answers]


def fit(
    validation: list[tuple[int, float]], test: list[tuple[int, float]], selected_on: str | None
):
    encoder = ConvolutionalEncoder([2], 2, SIZE)
    encoder.open_blocks(encoder.block_names)
    model = Classifier({"pRCC_autoencoder": encoder}, 3)
    model.head = Scripted(2, {VALIDATION: validation, TEST: test})
    sets = [
        images_of(np.zeros((count, SIZE, SIZE, 3), np.uint8), np.zeros(count))
        for count in (6, TEST, VALIDATION)
    ]
    evaluated = {"test": sets[1], "validation": sets[2]}
    history, logits = loop.train_classifier(
        model, sets[0], evaluated, SETTINGS, CPU, 1, selected_on
    )
    return history, model, logits


def right_of(logits: dict[str, torch.Tensor]) -> dict[str, int]:
    """How many right answers logits hold; all images are of the first class."""
    return {name: int((values.argmax(1) == 0).sum()) for name, values in logits.items()}


TEST_BEST_IN_THE_THIRD = [(2, 1.0), (3, 1.0), (9, 1.0), (5, 1.0)]


@pytest.mark.parametrize(
    ("validation", "best"),
    [
        ([(3, 1.0), (8, 1.0), (5, 1.0), (7, 1.0)], 2),
        ([(9, 1.0), (8, 3.0), (5, 1.0), (7, 1.0)], 1),
        # The most right answers, though its loss is the highest.
        ([(7, 0.1), (8, 9.0), (7, 0.1), (7, 0.1)], 2),
        # Of equals the lowest loss: right answers are few, so a small margin.
        ([(4, 3.0), (4, 0.5), (4, 2.0), (4, 1.0)], 2),
        # Of equals in both the first.
        ([(4, 3.0), (6, 1.0), (5, 1.0), (6, 1.0)], 2),
        ([(3, 1.0), (3, 1.0), (5, 1.0), (7, 1.0)], 4),
    ],
)
def test_the_best_epoch_on_validation_is_marked_and_kept(validation, best):
    history, model, logits = fit(validation, TEST_BEST_IN_THE_THIRD, "validation")
    assert [row["selected"] for row in history] == [int(n == best) for n in range(1, 5)]
    assert int(model.head.epoch) == best
    # Each column is of its own set.
    assert [row["validation_accuracy"] for row in history] == [
        pytest.approx(right / VALIDATION) for right, _ in validation
    ]
    assert [row["test_accuracy"] for row in history] == [
        pytest.approx(right / TEST) for right, _ in TEST_BEST_IN_THE_THIRD
    ]
    # So are its answers.
    right = (validation[best - 1][0], TEST_BEST_IN_THE_THIRD[best - 1][0])
    assert right_of(logits) == dict(zip(("validation", "test"), right, strict=True))


def test_without_selection_the_last_epoch_is_kept_and_none_is_marked():
    answers = [(9, 1.0), (8, 1.0), (5, 1.0), (7, 1.0)]
    history, model, logits = fit(answers, TEST_BEST_IN_THE_THIRD, None)
    assert int(model.head.epoch) == 4
    assert right_of(logits) == {"validation": 7, "test": 5}
    assert all("selected" not in row for row in history)


def loss_of(path: Path) -> float:
    """Mean cross entropy of predictions, from their file."""
    rows = read_csv(path)
    return -sum(math.log(float(row[f"p_{row['label']}"])) for row in rows) / len(rows)


@pytest.fixture(scope="module")
def subset(wbc_data, tmp_path_factory):
    """Two images of each class for validation, under wrong labels: the more is learnt, the fewer are right."""
    rows = wbc_data.rows("train")
    parts = ["validation" if place % 8 < 2 else "train" for place in range(len(rows))]
    wrong = dict(zip(CLASSES, [*CLASSES[1:], CLASSES[0]], strict=True))
    rows = [
        row | {"label": wrong[row["label"]]} if part == "validation" else row
        for row, part in zip(rows, parts, strict=True)
    ]
    return write_subset(tmp_path_factory.mktemp("subset") / "subset.csv", rows, parts)


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    return write_autoencoder(tmp_path_factory.mktemp("weights") / "autoencoder.pt")


def run(wbc_data, out: Path, subset: Path, autoencoder: Path) -> Path:
    training = TRAINING | {"epochs": 6, "learning_rate": 0.002, "schedule": "constant"}
    encoders = {"pRCC_autoencoder": (autoencoder, ["conv1", "conv2", "latent"])}
    return train(wbc_data, out, subset, encoders, training=training, validation=True)


def test_files_are_of_the_epoch_that_is_best_on_validation(wbc_data, subset, autoencoder, tmp_path):
    out = run(wbc_data, tmp_path, subset, autoencoder)
    history = read_csv(out / "history.csv")
    [chosen] = [row for row in history if row["selected"] == "1"]
    losses = {
        name: [float(row[f"{name}_loss"]) for row in history] for name in ("validation", "test")
    }
    # What is right on one set is wrong on the other: no epoch is best on both, and the last is not chosen.
    assert chosen is not history[-1]
    assert chosen is not history[int(np.argmin(losses["test"]))]
    scores = [
        (float(row["validation_accuracy"]), -float(row["validation_loss"])) for row in history
    ]
    assert history[scores.index(max(scores))] is chosen
    for name, file in (("test", "predictions.csv"), ("validation", "validation.csv")):
        assert loss_of(out / file) == pytest.approx(float(chosen[f"{name}_loss"]), rel=1e-4)
        others = [float(row[f"{name}_loss"]) for row in history if row is not chosen]
        assert all(abs(loss_of(out / file) - other) > 1e-3 for other in others)
    rows = {file: read_csv(out / file) for file in ("predictions.csv", "validation.csv")}
    parts = {row["id"]: row["label"] for row in read_csv(subset) if row["part"] == "validation"}
    assert {row["id"]: row["label"] for row in rows["validation.csv"]} == parts
    assert {row["id"]: row["label"] for row in rows["predictions.csv"]} == {
        row["id"]: row["label"] for row in wbc_data.rows("test")
    }
    # The checkpoint is of the same epoch.
    model, _ = load_classifier(out / "checkpoint.pt")
    for found in rows.values():
        images = images_of(wbc_data.pictures([row["id"] for row in found]))
        np.testing.assert_allclose(
            [[float(row[f"p_{name}"]) for name in CLASSES] for row in found],
            loop.predict(model, images, CPU).softmax(1),
            atol=1e-5,
        )


def test_without_validation_images_files_are_of_the_last_epoch(wbc_data, autoencoder, tmp_path):
    subset = write_subset(tmp_path / "subset.csv", wbc_data.rows("train"))
    history = read_csv(run(wbc_data, tmp_path, subset, autoencoder) / "history.csv")
    assert "selected" not in history[0]
    losses = [float(row["test_loss"]) for row in history]
    assert loss_of(tmp_path / "predictions.csv") == pytest.approx(losses[-1], rel=1e-4)
    assert all(abs(losses[-1] - other) > 1e-3 for other in losses[:-1])
    assert read_csv(tmp_path / "validation.csv") == []
