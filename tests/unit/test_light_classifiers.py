"""Light classifiers: features over views, folds, what is chosen, and the folded head beside scikit-learn's own."""

import json

import numpy as np
import pytest
import torch
from builders import (
    AUTOENCODER,
    CLASSES,
    OUTPUTS,
    SIDE,
    TRAINER,
    TRAINING,
    call,
    draw_subset,
    training_options,
    write_autoencoder,
    write_subset,
)
from image_sets import CPU, images_of
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fewlabels.core.files import read_csv
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.checkpoints import load_classifier
from fewlabels.training.augmentation import apply_views
from fewlabels.training.light_classifiers import (
    FIXED_STRENGTH,
    NEIGHBOURS,
    STRENGTHS,
    choose_neighbours,
    choose_strength,
    fit_logistic_regression,
    fit_nearest_neighbours,
    fit_scaler,
    folds_of,
    mean_features,
)
from fewlabels.training.loop import predict

KINDS = ["logistic_regression", "nearest_neighbours"]


def clouds(per_class=10, classes=3, distance=4.0, seed=0):
    """Features (n, 4) around one centre per class, the classes one after another, and labels."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class)
    centres = distance * np.eye(classes, 4)
    # Features of other scales and means, as networks give them.
    features = (centres[labels] + generator.normal(size=(len(labels), 4))) * [1, 9, 1, 0.1] + 20
    return torch.from_numpy(features).float(), torch.from_numpy(labels)


def names_of(labels):
    return [f"{place:03}" for place in range(len(labels))]


def test_features_are_the_means_over_the_views():
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(**AUTOENCODER).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), dtype=np.uint8)
    found = mean_features({"e": encoder}, images_of(pixels), [0, 3, 6], CPU)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    with torch.inference_mode():
        each = [
            encoder(encoder.normalise(apply_views(images, torch.full((5,), view)).float() / 255))
            for view in (0, 3, 6)
        ]
    torch.testing.assert_close(found, torch.stack(each).mean(0), rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found, each[0], atol=1e-3)


def test_features_of_several_encoders_stand_side_by_side():
    encoders = {name: ConvolutionalEncoder(**AUTOENCODER).eval() for name in "ab"}
    images = images_of(np.full((2, SIDE, SIDE, 3), 90, np.uint8))
    both = mean_features(encoders, images, [0], CPU)
    alone = [mean_features({name: encoders[name]}, images, [0], CPU) for name in "ab"]
    torch.testing.assert_close(both, torch.cat(alone, 1))


@pytest.mark.parametrize(("rarest", "count"), [(1, 0), (2, 2), (4, 4), (5, 5), (9, 5)])
def test_as_many_folds_as_the_rarest_class_allows(rarest, count):
    labels = np.array([0] * 20 + [1] * rarest)
    folds = folds_of(labels, names_of(labels), seed=1)
    assert len(folds) == count
    for fitted, held in folds:
        assert sorted([*fitted, *held]) == list(range(len(labels)))
        assert set(labels[fitted]) == set(labels[held]) == {0, 1}
    if folds:
        tested = np.concatenate([held for _, held in folds])
        assert sorted(tested) == list(range(len(labels)))


def test_a_masked_copy_is_in_the_fold_of_its_image():
    labels = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    names = ["a", "b", "c", "d", "e", "f", "a", "d"]
    for seed in range(5):
        folds = folds_of(labels, names, seed)
        assert len(folds) == 3
        for fitted, held in folds:
            assert not {names[row] for row in fitted} & {names[row] for row in held}


def test_copies_are_no_further_images_of_a_rare_class():
    assert folds_of(np.array([0, 0, 1, 1]), ["a", "b", "c", "c"], 1) == []


def test_folds_are_drawn_by_the_seed():
    labels = np.repeat([0, 1], 10)
    one, same, other = (folds_of(labels, names_of(labels), seed) for seed in (1, 1, 2))
    assert all((a[1] == b[1]).all() for a, b in zip(one, same, strict=True))
    assert any((a[1] != b[1]).any() for a, b in zip(one, other, strict=True))


def strength_for(features, labels):
    values = fit_scaler(features.numpy()).transform(features.numpy())
    return choose_strength(values, labels.numpy(), folds_of(labels.numpy(), names_of(labels), 1))


def test_separable_classes_ask_for_a_weak_penalty_and_noise_for_a_strong_one():
    assert strength_for(*clouds(distance=40)) == max(STRENGTHS)
    for seed in range(3):
        assert strength_for(*clouds(distance=0, seed=seed)) <= 1e-2


def test_features_that_hardly_vary_are_not_blown_up():
    """Deviations of 1, 2, 4, 0.001 and 0: the median of those that vary is 1.5."""
    steps = np.array([[-1.0], [1.0]]) * [1, 2, 4, 1e-3, 0] + 7
    scaler = fit_scaler(steps)
    np.testing.assert_allclose(scaler.scale_, [1.5, 2, 4, 1.5, 1.5])
    np.testing.assert_allclose(scaler.transform(steps)[1], [2 / 3, 1, 1, 1e-3 / 1.5, 0])
    assert np.isfinite(fit_scaler(np.ones((3, 2))).transform(np.zeros((1, 2)))).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_the_folded_head_gives_scikit_learns_probabilities(classes):
    features, labels = clouds(classes=classes, distance=1)
    # Equal deviations, so that none is below the median.
    features = (features - features.mean(0)) / features.std(0) + torch.tensor([9.0, -2, 0, 5])
    labels[1], labels[-1] = labels[-1].item(), labels[1].item()
    folds = folds_of(labels.numpy(), names_of(labels), 1)
    fitted = fit_logistic_regression(features, labels, classes, folds)
    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(C=fitted.facts["C"], class_weight="balanced", max_iter=1000),
    )
    expected = model.fit(features.double().numpy(), labels.numpy()).predict_proba(features.numpy())
    with torch.inference_mode():
        found = fitted.head(features).softmax(1)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert fitted.facts["folds"] == 5


def test_rare_classes_count_as_much_as_frequent_ones():
    """Without balance the rare class, in the midst of the frequent one, would never be predicted."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(200, 2, generator=generator)
    labels = torch.zeros(200, dtype=torch.int64)
    labels[:10] = 1
    features[:10, 0] += 1.5
    fitted = fit_logistic_regression(features, labels, 2, [])
    assert fitted.facts == {"kind": KINDS[0], "C": FIXED_STRENGTH, "folds": 0}
    with torch.inference_mode():
        found = fitted.head(features).argmax(1)
    assert (found[:10] == 1).float().mean() > 0.6


def test_a_class_that_the_subset_lacks_is_hardly_probable_and_its_loss_finite():
    features, labels = clouds(classes=2)
    fitted = fit_logistic_regression(features, 2 * labels, 3, [])
    with torch.inference_mode():
        logits = fitted.head(features)
    assert (logits.argmax(1) == 2 * labels).all()
    assert logits.log_softmax(1)[:, 1].max() < -20
    assert torch.isfinite(logits.log_softmax(1)).all()


def test_the_number_of_neighbours_that_folds_ask_for():
    """Two directions with one stray image each amid the other: the nearest image alone misleads their neighbours."""
    angles = torch.tensor([*range(0, 20, 2), 9.0, 90, *range(100, 120, 2), 109.1]) / 57.3
    angles = torch.cat([angles, angles + 1e-4])
    features = torch.stack([angles.cos(), angles.sin()], 1)
    labels = torch.tensor([0] * 10 + [1, 1] + [1] * 10 + [0]).repeat(2)
    folds = folds_of(labels.numpy(), names_of(labels), 1)
    best = choose_neighbours(features, labels, 2, folds)
    assert best in NEIGHBOURS and best > 1
    separate, own = clouds(distance=40)
    folds = folds_of(own.numpy(), names_of(own), 1)
    # Of equals the fewest.
    assert choose_neighbours(separate - 20, own, 3, folds) == 1
    assert choose_neighbours(features, labels, 2, []) == 1


def test_no_more_neighbours_than_images_of_a_fold():
    features, labels = clouds(per_class=2, distance=40)
    folds = folds_of(labels.numpy(), names_of(labels), 1)
    fitted = fit_nearest_neighbours(features, labels, 3, folds)
    assert fitted.facts == {"kind": KINDS[1], "neighbours": 1, "folds": 2}
    assert len(fitted.head.features) == 6


@pytest.fixture(scope="module")
def options_for(wbc_data, tmp_path_factory):
    """Gives the options of one run that writes into a folder: all training images, a frozen encoder."""
    folder = tmp_path_factory.mktemp("light")
    encoders = {"e": (write_autoencoder(folder / "e.pt"), [])}
    subset = write_subset(folder / "subset.csv", wbc_data.rows("train"))

    def options(out, kind, **changes):
        given = {"subset": subset} | changes
        return training_options(
            wbc_data, out, given.pop("subset"), encoders, classifier=kind, **given
        )

    return options


@pytest.fixture(scope="module", params=KINDS)
def finished(request, options_for, tmp_path_factory):
    """One run of either kind: its kind and folder."""
    out = tmp_path_factory.mktemp(request.param)
    assert call(TRAINER, **options_for(out, request.param)) == 0
    return request.param, out


def test_predictions_are_those_of_the_checkpoint(finished, wbc_data):
    _, out = finished
    rows = read_csv(out / "predictions.csv")
    model, _ = load_classifier(out / "checkpoint.pt")
    pixels = np.load(wbc_data.file("images.npy"))[24:]
    expected = predict(model, images_of(pixels), CPU).softmax(1)
    found = [[float(row[f"p_{name}"]) for name in CLASSES] for row in rows]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    right = sum(row["label"] == row["predicted"] for row in rows) / len(rows)
    # Colours tell the classes, whatever the encoder.
    assert right == 1
    [history] = read_csv(out / "history.csv")
    assert float(history["test_accuracy"]) == right
    assert (history["epoch"], history["steps"]) == ("1", "0")
    assert float(history["train_accuracy"]) == 1
    assert list(history) == [
        *("epoch", "steps", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
    ]


def test_record_and_checkpoint_say_how_it_came_about(finished):
    kind, out = finished
    record = json.loads((out / "record.json").read_text())
    facts = record["classifier"]
    assert (facts["kind"], facts["folds"]) == (kind, 5)
    assert facts.get("C") in STRENGTHS or facts.get("neighbours") in NEIGHBOURS
    assert (record["training_images"], record["epochs"], record["state"]) == (24, 1, "complete")
    assert record["seconds"] > 0
    _, metadata = load_classifier(out / "checkpoint.pt")
    assert metadata["classifier"] == facts


def test_equal_seeds_give_equal_files(finished, options_for, tmp_path):
    kind, out = finished
    assert call(TRAINER, **options_for(tmp_path, kind)) == 0
    for name in OUTPUTS[:3]:
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes(), name


@pytest.mark.parametrize("kind", KINDS)
def test_cached_features_change_nothing(kind, options_for, wbc_data, tmp_path):
    flags = {"train": True, "test": True, "flips": True, "rotation": "right_angles"}
    options = options_for(tmp_path, kind)
    given = {key: options[key] for key in ("index", "images", "device", "precision", "threads")}
    files = {"features": tmp_path / "e.npy", "record": tmp_path / "cache.json"}
    checkpoint = options["encoder_checkpoints"][0]
    call("cache_features", encoder="e", checkpoint=checkpoint, **given, **flags, **files)
    (tmp_path / "cached").mkdir()
    for out, features in ((tmp_path, []), (tmp_path / "cached", [tmp_path / "e.npy"])):
        assert call(TRAINER, **options_for(out, kind, features=features)) == 0
    one, other = (read_csv(out / "predictions.csv") for out in (tmp_path, tmp_path / "cached"))
    assert [row["predicted"] for row in one] == [row["predicted"] for row in other]
    for row, same in zip(one, other, strict=True):
        assert float(row["p_Neutrophil"]) == pytest.approx(float(same["p_Neutrophil"]), abs=1e-4)


def test_a_class_of_one_image_is_said_in_the_record_and_the_log(
    options_for, wbc_data, tmp_path, capsys
):
    rows = [row for row in wbc_data.rows("train") if row["label"] != "Basophil"]
    lone = next(row for row in wbc_data.rows("train") if row["label"] == "Basophil")
    subset = write_subset(tmp_path / "subset.csv", [*rows, lone])
    assert call(TRAINER, **options_for(tmp_path, KINDS[0], subset=subset)) == 0
    facts = json.loads((tmp_path / "record.json").read_text())["classifier"]
    assert facts == {"kind": KINDS[0], "C": FIXED_STRENGTH, "folds": 0}
    assert "a class has one image, so that nothing could be tried" in capsys.readouterr().err


def test_masked_copies_are_rows_of_their_own(options_for, wbc_data, tmp_path):
    options = options_for(tmp_path, KINDS[1], mask_use="append")
    assert call(TRAINER, **options) == 0
    model, _ = load_classifier(tmp_path / "checkpoint.pt")
    # Two masked images of each of three classes.
    assert len(model.head.features) == 24 + 6


def test_validation_images_are_predicted_and_not_learnt(options_for, wbc_data, tmp_path):
    subset = draw_subset(wbc_data, tmp_path / "subset.csv", "100", 1, validation_share=0.25)
    options = options_for(tmp_path, KINDS[1], subset=subset, validation=True)
    assert call(TRAINER, **options) == 0
    parts = [row["part"] for row in read_csv(subset)]
    model, _ = load_classifier(tmp_path / "checkpoint.pt")
    assert len(model.head.features) == parts.count("train") == 18
    assert len(read_csv(tmp_path / "validation.csv")) == parts.count("validation")
    [history] = read_csv(tmp_path / "history.csv")
    assert float(history["validation_accuracy"]) == 1


def test_views_without_flips_or_turns_are_the_images_as_they_are(options_for, tmp_path):
    still = TRAINING | {"flips": False, "rotation": "none"}
    outs = []
    for training in (TRAINING, still):
        out = tmp_path / str(len(outs))
        out.mkdir()
        assert call(TRAINER, **options_for(out, KINDS[1], training=training)) == 0
        outs.append(load_classifier(out / "checkpoint.pt")[0].head.features)
    assert not torch.allclose(*outs)
