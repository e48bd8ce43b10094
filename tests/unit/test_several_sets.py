"""Which images the methods on several data sets take: training images alone, a share of them held out."""

import argparse

import numpy as np
import pytest
import torch
from builders import CLASSES, call, failure
from image_sets import CPU, pixels_in
from source_sets import options_of, write_source

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.pretraining.linear_probe import LinearProbes, features_of, probe_accuracy, probed
from fewlabels.pretraining.several_sets import open_sources


@pytest.fixture
def sets(tmp_path):
    return {
        "cells": write_source(tmp_path, "cells", 8),
        "target": write_source(tmp_path, "target", 4, labelled=False),
    }


def opened(sets, classes, share=0.25, seed=1, labels=None):
    arguments = argparse.Namespace(
        datasets=list(sets),
        indexes=[str(paths["index"]) for paths in sets.values()],
        images=[str(paths["images"]) for paths in sets.values()],
        classes=classes,
        held_out=share,
        seed=seed,
    )
    return open_sources(arguments, labels)


def test_every_training_image_is_trained_on_or_held_out_and_no_other_is_read(sets):
    """The fixture packs training images alone: a test or validation image would have no row."""
    sources = opened(sets, {"cells": CLASSES})
    assert sources.size == 32
    assert [source.name for source in sources.sets] == ["cells", "target"]
    counts = [(len(source.train), len(source.held_out)) for source in sources.sets]
    assert counts == [(18, 6), (9, 3)]
    assert sources.training_images == 27
    both = [
        np.concatenate([source.train.rows, source.held_out.rows]).tolist()
        for source in sources.sets
    ]
    assert sorted(both[0]) == list(range(24))
    # Behind those of the first set.
    assert sorted(both[1]) == list(range(24, 36))


def test_images_and_labels_belong_together(sets):
    sources = opened(sets, {"cells": CLASSES})
    source = sources.sets[0]
    images = sources.images(source.train, CPU)
    expected = [row["label"] for row in read_csv(sets["cells"]["index"])][:24]
    assert [CLASSES[label] for label in source.train.labels] == [
        expected[row] for row in source.train.rows
    ]
    np.testing.assert_array_equal(
        pixels_in(images), np.load(sets["cells"]["images"])[source.train.rows]
    )
    # Of each class the same share.
    assert np.bincount(source.held_out.labels).tolist() == [2, 2, 2]


def test_the_union_has_the_sets_as_labels(sets):
    sources = opened(sets, {})
    union = sources.union("train", CPU)
    assert union.labels.tolist() == [0] * 18 + [1] * 9
    packed = np.concatenate([np.load(paths["images"]) for paths in sets.values()])
    rows = np.concatenate([source.train.rows for source in sources.sets])
    np.testing.assert_array_equal(pixels_in(union), packed[rows])


def test_the_seed_draws_what_is_held_out(sets):
    one, same, other = (
        opened(sets, {}, seed=seed).sets[1].held_out.rows.tolist() for seed in (1, 1, 2)
    )
    assert one == same != other


def test_whole_slides_are_held_out(sets):
    rows = read_csv(sets["cells"]["index"])
    for place, row in enumerate(rows):
        row["slide"] = f"slide{place % 8 // 2}"
    write_csv(sets["cells"]["index"], list(rows[0]), rows)
    source = opened(sets, {"cells": CLASSES}).sets[0]
    train, held = (
        {rows[place]["slide"] for place in part.rows} for part in (source.train, source.held_out)
    )
    assert held and not train & held


def test_labels_without_classes_are_not_looked_at(sets):
    rows = [row | {"label": "of no class"} for row in read_csv(sets["cells"]["index"])]
    write_csv(sets["cells"]["index"], list(rows[0]), rows)
    source = opened(sets, {}).sets[0]
    assert source.classes == ()
    assert not source.train.labels.any()
    with pytest.raises(ValueError):
        opened(sets, {"cells": CLASSES})


def test_given_labels_take_the_place_of_the_indexes(sets):
    names = [row["id"] for row in read_csv(sets["target"]["index"])]
    labels = {name: str(place % 2) for place, name in enumerate(names[:10])}
    labels["test/Neutrophil/0"] = "1"
    source = opened(sets, {"target": ["0", "1"]}, labels={"target": labels}).sets[1]
    rows = np.concatenate([source.train.rows, source.held_out.rows])
    assert sorted(rows - 24) == list(range(10))
    assert source.train.labels.tolist() == [int(row - 24) % 2 for row in source.train.rows]


def test_a_set_that_is_too_small_is_told(sets, tmp_path):
    few = {"tiny": write_source(tmp_path, "tiny", 2)}
    with pytest.raises(UserError, match=r"tiny_index\.csv: no share of 0\.2 of its 6 .*`held_out`"):
        opened(few, {"tiny": CLASSES}, share=0.2)


def test_files_and_names_must_be_as_many(sets, tmp_path, capsys):
    options = options_of(sets, {}, tmp_path / "out", patch_size=8, mask_share=0.5)
    options["indexes"] = options["indexes"][:1]
    line = failure(capsys, "pretrain", "masked_images", **options)
    assert "must be as many" in line


def test_images_of_different_sizes_are_told(sets):
    path = sets["target"]["images"]
    np.save(path, np.load(path)[:, :16, :16])
    with pytest.raises(UserError, match="differ in size"):
        opened(sets, {})


def test_a_probe_tells_separate_classes_and_no_noise():
    draws = np.random.default_rng(0)
    labels = np.arange(200) % 2
    noise = draws.normal(size=(400, 5))
    noise_accuracy = probe_accuracy(noise[:200], labels, noise[200:], labels)
    assert 0.35 < noise_accuracy < 0.65
    noise[:, 2] += 10 * np.tile(labels, 2)
    assert probe_accuracy(noise[:200], labels, noise[200:], labels) == 1
    # Of every class that is tested, also one that was not trained on.
    assert probe_accuracy(noise[:200], labels, noise[200:], labels + 1) == 0


def test_features_are_those_of_each_image_by_itself(sets):
    """Not of its batch, as BatchNorm in training mode would have it."""
    sources = opened(sets, {})
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder([4, 8], 6, 32).train()
    found = features_of(encoder, sources.images(sources.sets[0].train, CPU), CPU)
    pixels = np.load(sets["cells"]["images"])[sources.sets[0].train.rows[4:5]]
    image = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    alone = encoder.eval()(encoder.normalise(image)).detach().numpy()
    np.testing.assert_allclose(found[4:5], alone, rtol=1e-4, atol=1e-5)


def test_sets_without_classes_are_not_probed(sets):
    sources = opened(sets, {"cells": CLASSES})
    assert [source.name for source in probed(sources.sets)] == ["cells"]
    assert [source.name for source, *_ in LinearProbes(sources, CPU).parts] == ["cells"]
    one_class = opened(sets, {"target": ["0"]}, labels={"target": dict.fromkeys(ids(sets), "0")})
    assert probed(one_class.sets) == []


def ids(sets) -> list[str]:
    return [row["id"] for row in read_csv(sets["target"]["index"])]


def test_a_run_without_any_classes_has_losses_alone(sets, tmp_path):
    options = options_of(sets, {}, tmp_path / "out", patch_size=8, mask_share=0.5)
    assert call("pretrain", "masked_images", **options) == 0
    history = read_csv(tmp_path / "out/history.csv")
    assert list(history[0]) == ["epoch", "steps", "train_loss", "held_out_loss"]
