"""Training images outside the subset: what they add to the loss, and that their labels are never read."""

import json
import math

import numpy as np
import pytest
import torch
from builders import TRAINER, TRAINING, call, failure, training_options, write_subset
from image_sets import CPU, images_of
from torch.nn import functional

from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.settings import TrainingSettings, Unlabelled
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.classifier import Classifier
from fewlabels.training.averaging import WeightAverage
from fewlabels.training.unlabelled import UnlabelledLoss, cut_out

SIZE = 16
STILL = TrainingSettings(**TRAINING | {"flips": False, "rotation": "none", "averaging": "ema"})
EMA = TRAINING | {"averaging": "ema", "epochs": 3}


def classifier(seed: int) -> Classifier:
    torch.manual_seed(seed)
    encoder = ConvolutionalEncoder([4, 8], 6, SIZE)
    encoder.open_blocks(encoder.block_names)
    return Classifier({"small": encoder}, 3)


@pytest.fixture
def step():
    """Gives the loss of one step, with a teacher other than the student, and what both say of the one image."""
    pixels = images_of(np.full((1, SIZE, SIZE, 3), 90, np.uint8)).pixels
    student, teacher = classifier(1), classifier(2)

    def run(method: str, **changes):
        asked = Unlabelled(method=method, **changes)
        average = WeightAverage(teacher, STILL, 1)
        found = UnlabelledLoss(pixels, asked, STILL, CPU, average, steps=10)
        found.step = 10  # the ramp is over
        # Batches of one image tell BatchNorm nothing.
        loss = found(student.eval(), 4, torch.Generator().manual_seed(0))
        return loss, found

    return run, student, teacher


@pytest.fixture
def unchanged(monkeypatch):
    """Students see images as they are."""
    where = "fewlabels.training.unlabelled"
    monkeypatch.setattr(f"{where}.jitter_colours", lambda images, strength, generator: images)
    monkeypatch.setattr(f"{where}.cut_out", lambda images, part, generator: images)


def said(model: Classifier) -> torch.Tensor:
    """Logits (3,) of the one image."""
    with torch.no_grad():
        return model.eval()(torch.full((1, 3, SIZE, SIZE), 90 / 255))[0]


def test_a_mean_teacher(step, unchanged):
    run, student, teacher = step
    loss, _ = run("mean_teacher", weight=2.5)
    expected = (said(student).softmax(0) - said(teacher).softmax(0)).square().sum()
    assert loss.item() == pytest.approx(2.5 * expected.item(), rel=1e-5)
    loss.backward()
    assert student.head.weight.grad.abs().sum() > 0
    assert teacher.head.weight.grad is None


def test_pseudo_labels_are_those_that_the_teacher_is_sure_of(step, unchanged):
    run, student, teacher = step
    sure, label = said(teacher).softmax(0).max(0)
    loss, _ = run("pseudo_labels", confidence=sure.item() - 0.01)
    expected = functional.cross_entropy(said(student)[None], label[None])
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss, _ = run("pseudo_labels", confidence=sure.item() + 0.01)
    assert loss.item() == 0


def test_the_student_sees_images_that_are_changed_more(step):
    run, student, teacher = step
    loss, _ = run("mean_teacher")
    plain = (said(student).softmax(0) - said(teacher).softmax(0)).square().sum()
    assert loss.item() != pytest.approx(plain.item(), rel=1e-3)


def test_the_weight_grows_over_the_first_steps(step):
    run, _, _ = step
    _, found = run("mean_teacher", weight=4)
    weights = []
    for found.step in (0, 1, 3, 9):
        weights.append(found.weight())
    # Three of ten steps; exp(-5 (1 - t)^2).
    assert weights == pytest.approx([4 * math.exp(-5), 4 * math.exp(-5 * (2 / 3) ** 2), 4, 4])


def test_a_square_is_cut_out_of_each_image():
    images = torch.zeros(200, 3, 8, 8)
    found = cut_out(images, 0.5, torch.Generator().manual_seed(0))
    hidden = (found == 0.5).all(1)
    assert torch.equal(found == 0.5, hidden[:, None].expand(-1, 3, -1, -1))
    areas = hidden.sum((1, 2))
    # Four pixels a side; fewer where it reaches over the border.
    assert areas.max() == 16
    assert areas.min() >= 4
    assert len({tuple(one.flatten().tolist()) for one in hidden}) > 20


@pytest.fixture
def options(wbc_data, resnet_weights, tmp_path):
    """A run on half of the training images."""
    rows = wbc_data.rows("train")[::2]
    subset = write_subset(tmp_path / "subset.csv", rows)

    def given(out: str, **changes) -> dict[str, object]:
        (tmp_path / out).mkdir()
        encoders = {"imagenet_resnet18": (resnet_weights, ["layer4.1"])}
        return training_options(wbc_data, tmp_path / out, subset, encoders) | changes

    return given


@pytest.mark.parametrize("method", ["pseudo_labels", "mean_teacher"])
def test_the_rest_is_used_without_its_labels(options, wbc_data, tmp_path, method):
    """Other labels of the rest change nothing; without the rest the result is another; and the same each time."""
    asked = {"training": EMA, "unlabelled": json.dumps({"method": method, "confidence": 0.4})}
    assert call(TRAINER, **options("one", **asked)) == 0
    used = {row["id"] for row in wbc_data.rows("train")[::2]}
    index = read_csv(wbc_data.file("index.csv"))
    turned = [
        row | {"label": "Basophil"} if row["split"] == "train" and row["id"] not in used else row
        for row in index
    ]
    assert turned != index
    write_csv(tmp_path / "index.csv", list(index[0]), turned)
    assert call(TRAINER, **options("two", **asked, index=tmp_path / "index.csv")) == 0
    assert call(TRAINER, **options("none", training=EMA)) == 0
    one, two, none = (
        (tmp_path / name / "history.csv").read_text() for name in ("one", "two", "none")
    )
    assert one == two
    assert one != none


def test_where_the_subset_is_all_there_is_no_rest(options, wbc_data, tmp_path):
    write_subset(tmp_path / "all.csv", wbc_data.rows("train"))
    asked = {"training": EMA, "subset": tmp_path / "all.csv"}
    teacher = {"unlabelled": json.dumps({"method": "mean_teacher"})}
    assert call(TRAINER, **options("one", **asked, **teacher)) == 0
    assert call(TRAINER, **options("two", **asked)) == 0
    one, two = ((tmp_path / name / "history.csv").read_text() for name in ("one", "two"))
    assert one == two


def test_a_teacher_is_needed(options, capsys):
    asked = options("out", unlabelled=json.dumps({"method": "mean_teacher"}))
    assert "averaging: ema" in failure(capsys, TRAINER, **asked)
