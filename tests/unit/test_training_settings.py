"""Every setting of a training section takes effect inside a training, as the network and the optimiser see it."""

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from builders import TRAINING
from image_sets import CPU, images_of
from torch.nn import functional
from watching import Pose, Step, pixels_reaching, pose, signposts, steps_taken

from fewlabels.core.settings import TrainingSettings
from fewlabels.networks.autoencoder import Autoencoder, ConvolutionalEncoder
from fewlabels.networks.classifier import Classifier
from fewlabels.training import loop
from fewlabels.training.stored_rows import StoredRows

SIZE = 16
TRAIN, TEST = range(20), range(100, 109)
PLAIN = {"flips": False, "rotation": "none"}
SETTINGS = TrainingSettings.from_json(json.dumps(TRAINING))
KINDS = ["classifier", "autoencoder"]


def settings(**changes) -> TrainingSettings:
    return SETTINGS.model_copy(update=changes)


def small_classifier(trained: Sequence[str] = ("conv1", "conv2", "latent")) -> Classifier:
    torch.manual_seed(5)
    encoder = ConvolutionalEncoder([4, 8], 6, SIZE)
    encoder.open_blocks(trained)
    return Classifier({"pRCC_autoencoder": encoder}, 3)


@dataclasses.dataclass(frozen=True)
class Watched:
    """One training: its history, and what was seen in it."""

    history: list[dict[str, float]]
    batches: list[list[Pose]]  # of training
    evaluated: list[Pose]
    steps: list[Step]
    parameters: frozenset[int]


def watch(kind: str, seed: int = 1, **changes) -> Watched:
    """Train a small network on signposts."""
    train, test = (
        images_of(signposts(numbers, SIZE), np.arange(len(numbers)) % 3)
        for numbers in (TRAIN, TEST)
    )
    chosen = settings(**changes)
    with pixels_reaching() as seen, steps_taken() as steps:
        if kind == "classifier":
            model = small_classifier()
            history, _ = loop.train_classifier(model, train, {"test": test}, chosen, CPU, seed)
        else:
            torch.manual_seed(5)
            model = Autoencoder([4, 8], 6, SIZE)
            history = loop.train_autoencoder(model, train, test, chosen, CPU, seed)
    poses = [[pose(image) for image in batch] for batch in seen]
    return Watched(
        history,
        [batch for batch in poses if batch[0].number in TRAIN],
        [image for batch in poses if batch[0].number in TEST for image in batch],
        steps,
        frozenset(id(value) for value in model.parameters()),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("flips", "rotation", "views"),
    [
        (False, "none", {0}),
        (True, "none", {0, 2, 4, 6}),
        (False, "right_angles", {0, 1, 2, 3}),
        (True, "right_angles", set(range(8))),
    ],
)
def test_training_sees_the_views_that_flips_and_rotation_allow(kind, flips, rotation, views):
    seen = watch(kind, flips=flips, rotation=rotation, epochs=6)
    drawn = Counter(image.view for batch in seen.batches for image in batch)
    assert set(drawn) == views
    # 120 draws: equally frequent within 5 standard deviations.
    mean = 120 / len(views)
    assert all(abs(times - mean) < 5 * math.sqrt(mean) for times in drawn.values())
    # Drawn for each image apart, and anew in each epoch.
    if len(views) > 1:
        assert all(len({image.view for image in batch}) > 1 for batch in seen.batches)
        by_image = {}
        for batch in seen.batches:
            for image in batch:
                by_image.setdefault(image.number, []).append(image.view)
        assert all(len(set(found)) > 1 for found in by_image.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flips", [False, True])
def test_training_sees_images_turned_by_any_angle(kind, flips):
    seen = watch(kind, flips=flips, rotation="any", epochs=6)
    images = [image for batch in seen.batches for image in batch]
    assert len(images) == 120
    # In each of twelve sectors of the circle: ten expected.
    sectors = Counter(int(image.angle // 30) for image in images)
    assert set(sectors) == set(range(12))
    assert max(sectors.values()) < 30
    assert {image.mirrored for image in images} == {False, flips}
    for batch in seen.batches:
        assert len({round(image.angle) for image in batch}) > 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rotation", ["right_angles", "any"])
def test_evaluation_sees_every_image_as_it_is_after_every_epoch(kind, rotation):
    seen = watch(kind, flips=True, rotation=rotation, epochs=3)
    assert [image.number for image in seen.evaluated] == [*TEST] * 3
    assert {image.view for image in seen.evaluated} == {0}


@pytest.mark.parametrize("kind", KINDS)
def test_every_epoch_sees_every_image_once_in_batches_of_the_size_asked_for(kind):
    # 20 images in batches of at most 8: three, of nearly equal size.
    seen = watch(kind, batch_size=8, epochs=2, **PLAIN)
    assert [len(batch) for batch in seen.batches] == [7, 7, 6] * 2
    orders = [
        [image.number for batch in seen.batches[first : first + 3] for image in batch]
        for first in (0, 3)
    ]
    assert [sorted(order) for order in orders] == [[*TRAIN]] * 2
    assert orders[0] != orders[1]
    assert len(watch(kind, batch_size=5, epochs=1).batches) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_draws_order_and_views(kind):
    one, same, other = (watch(kind, seed, epochs=2) for seed in (1, 1, 2))
    assert one.batches == same.batches
    assert one.history == same.history
    numbers, others = (
        [image.number for batch in seen.batches for image in batch] for seen in (one, other)
    )
    assert numbers != others
    views, others = (
        {
            (place, image.number): image.view
            for place, batch in enumerate(seen.batches)
            for image in batch
        }
        for seen in (one, other)
    )
    common = set(views) & set(others)
    assert {key: views[key] for key in common} != {key: others[key] for key in common}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("schedule", "shares"),
    # A cosine over four epochs: (1 + cos(pi k / 4)) / 2.
    [("constant", [1, 1, 1, 1]), ("cosine", [1, 0.8535534, 0.5, 0.1464466])],
)
def test_the_optimizer_steps_at_the_rate_of_each_epoch(kind, schedule, shares):
    seen = watch(kind, schedule=schedule, epochs=4, batch_size=8, learning_rate=0.004)
    rates = [rate for step in seen.steps for rate in step.learning_rates]
    # Three batches per epoch.
    assert rates == pytest.approx([0.004 * share for share in shares for _ in range(3)], rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
@pytest.mark.parametrize("decay", [0.0, 0.125])
def test_the_optimizer_is_the_one_asked_for(kind, optimizer, expected, decay):
    seen = watch(kind, optimizer=optimizer, weight_decay=decay, epochs=1)
    assert {step.kind for step in seen.steps} == {expected}
    assert {step.weight_decays for step in seen.steps} == {frozenset([decay])}
    # Every parameter is open.
    assert {step.parameters for step in seen.steps} == {seen.parameters}


def test_losses_and_accuracies_are_those_of_each_image_and_its_label():
    """With everything at rest, all epochs give what the network gives, by hand."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (19, SIZE, SIZE, 3), dtype=np.uint8)
    # Unequal classes, and other shares in test than in train.
    labels = np.array([0] * 6 + [1] * 3 + [2] + [2] * 6 + [0] * 3)
    sets = [images_of(pixels[part], labels[part]) for part in (slice(0, 10), slice(10, 19))]
    model = small_classifier(trained=())  # BatchNorm at rest as well
    model.eval()
    shown = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    mean, std = (
        torch.tensor(values)[:, None, None]
        for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.no_grad():
        logits = model.head(model.encoders["pRCC_autoencoder"]((shown - mean) / std))
    right = (logits.argmax(1).numpy() == labels).astype(float)
    targets = torch.from_numpy(labels)
    # Inversely proportional to how often each class is in train: 10 / (3 x 6), 10 / (3 x 3), 10 / (3 x 1).
    weights = torch.tensor([10 / 18, 10 / 9, 10 / 3])
    for how, weighed in (("none", None), ("balanced", weights)):
        history, _ = loop.train_classifier(
            *(model, sets[0], {"test": sets[1]}),
            settings(learning_rate=0.0, class_weights=how, batch_size=64, epochs=2, **PLAIN),
            *(CPU, 1),
        )
        for row in history:
            assert row["train_loss"] == pytest.approx(
                functional.cross_entropy(logits[:10], targets[:10], weighed).item(), rel=1e-4
            )
            assert row["train_accuracy"] == pytest.approx(right[:10].mean())
            # Evaluation weighs no class.
            assert row["test_loss"] == pytest.approx(
                functional.cross_entropy(logits[10:], targets[10:]).item(), rel=1e-4
            )
            assert row["test_accuracy"] == pytest.approx(right[10:].mean())


def test_the_autoencoder_learns_to_give_back_what_it_was_shown():
    """Its target is the turned image, not the stored one."""
    images = images_of(signposts(TRAIN, SIZE))
    torch.manual_seed(5)
    model = Autoencoder([4, 8], 6, SIZE)
    given: list[torch.Tensor] = []
    model.register_forward_hook(lambda module, inputs, output: given.append(output.detach()))
    chosen = settings(epochs=1, batch_size=64, learning_rate=0.0)
    with pixels_reaching() as shown:
        history = loop.train_autoencoder(model, images, images, chosen, CPU, 1)
    assert len({pose(image).view for image in shown[0]}) > 2
    errors = [
        float(((output.permute(0, 2, 3, 1).numpy() - image / 255) ** 2).mean())
        for output, image in zip(given, shown, strict=True)
    ]
    assert [history[0]["train_loss"], history[0]["test_loss"]] == pytest.approx(errors, rel=1e-4)


@pytest.mark.parametrize(
    ("flips", "rotation"), [(True, "right_angles"), (True, "none"), (False, "right_angles")]
)
def test_activations_are_taken_of_the_pictures_and_views_that_pixels_would_be(flips, rotation):
    """A row of activations tells its picture and view; from pixels, the same seed shows the same ones."""
    numbers = torch.arange(len(TRAIN) * 8).reshape(-1, 8)
    # Picture p in view v lies in row 8 p + v, and holds that number.
    rows = torch.arange(numbers.numel()).float()[:, None, None, None].expand(-1, 8, 8, 4)
    known = {"pRCC_autoencoder": StoredRows([rows.contiguous()], numbers, CPU.device)}
    images = loop.ImageSet(None, torch.arange(len(TRAIN)) % 3, known)
    model = small_classifier(trained=("conv2", "latent"))
    taken: list[torch.Tensor] = []
    model.encoders["pRCC_autoencoder"].conv2.register_forward_pre_hook(
        lambda module, inputs: taken.append(inputs[0].detach()[:, 0, 0, 0].long())
    )
    chosen = settings(flips=flips, rotation=rotation)
    loop.train_classifier(model, images, {"test": images}, chosen, CPU, 1)
    expected = watch("classifier", flips=flips, rotation=rotation).batches
    # Per epoch three batches of training, then one of evaluation: every picture, not turned.
    trained = [batch for place, batch in enumerate(taken) if place % 4 < 3]
    assert [[(n // 8, n % 8) for n in batch.tolist()] for batch in trained] == [
        [(image.number, image.view) for image in batch] for batch in expected
    ]
    for batch in taken[3::4]:
        assert batch.tolist() == [8 * number for number in TRAIN]
