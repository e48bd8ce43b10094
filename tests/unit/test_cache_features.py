"""What frozen blocks give, computed once, is what is computed on the fly."""

import numpy as np
import pytest
import torch
from builders import ON_CPU, call, failure, train, write_autoencoder, write_subset

import train_classifier
from fewlabels.core.files import read_csv, write_csv
from fewlabels.networks.checkpoints import load_encoder
from fewlabels.training.feature_cache import open_activations

ENCODER = "imagenet_resnet18"
ALL_VIEWS = {"train": True, "test": True, "flips": True, "rotation": "right_angles"}


@pytest.fixture(scope="module")
def checkpoints(resnet_weights, tmp_path_factory):
    """Two encoders: a small one, where any will do."""
    path = tmp_path_factory.mktemp("weights") / "small.pt"
    return {"small": write_autoencoder(path), ENCODER: resnet_weights}


@pytest.fixture(scope="module")
def options(wbc_data, resnet_weights, tmp_path_factory):
    return {
        "encoder": ENCODER,
        "checkpoint": resnet_weights,
        "trained": ["layer4.1"],
        "index": wbc_data.file("index.csv"),
        **wbc_data.packed,
        **ON_CPU,
        "record": tmp_path_factory.mktemp("records") / "record.json",
    }


@pytest.fixture(scope="module")
def everything(options, wbc_data, tmp_path_factory):
    """All images, masked copies, all views."""
    path = tmp_path_factory.mktemp("features") / "all.npy"
    given = ALL_VIEWS | wbc_data.masked
    assert call("cache_features", **options, **given, masked_test=True, features=path) == 0
    return path


def test_pictures_and_views(everything, wbc_data):
    header = open_activations(everything).header
    assert (header.encoder, header.last_block, header.dtype) == (ENCODER, "layer4.0", "float32")
    pictures = header.pictures
    plain = {name: views for name, kind, views in pictures if kind == "plain"}
    split_of = {row["id"]: row["split"] for row in wbc_data.index}
    assert set(plain) == {name for name, split in split_of.items() if split != "validation"}
    for name, views in plain.items():
        assert views == (list(range(8)) if split_of[name] == "train" else [0])
    applied = {
        row["id"] for row in read_csv(wbc_data.file("masked.csv")) if row["state"] == "applied"
    }
    assert applied
    assert {name for name, kind, _ in pictures if kind == "masked"} == applied


@pytest.mark.parametrize("kind", ["plain", "masked"])
def test_every_row_is_what_the_frozen_blocks_make_of_its_picture_and_view(
    everything, wbc_data, resnet_weights, kind
):
    file = open_activations(everything)
    encoder, _ = load_encoder(resnet_weights)
    encoder.open_blocks(["layer4.1"])
    encoder.train()
    names = [name for name, found, _ in file.header.pictures if found == kind]
    pixels = torch.from_numpy(wbc_data.pictures(names, masked=kind == "masked"))
    mean, std = (
        torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    images = (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std
    for view in range(8):
        # Flipped left to right or not, then some quarter turns.
        chosen = [(n, name) for n, name in enumerate(names) if (name, kind, view) in file.row_of]
        # Two of three pictures are trained on; the test images are held as they are only.
        assert len(chosen) == (len(names) if view == 0 else len(names) * 2 // 3)
        turned = images[[n for n, _ in chosen]]
        turned = torch.rot90(turned.flip(3) if view >= 4 else turned, view % 4, (2, 3))
        found = file.values[[file.row_of[name, kind, view] for _, name in chosen]]
        expected = encoder.prefix(turned).permute(0, 2, 3, 1)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        # A row of another picture would not pass.
        assert not torch.allclose(found.roll(1, 0), expected, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("asked", [True, False])
def test_masked_copies_of_test_images_are_there_if_asked_for(
    options, checkpoints, wbc_data, tmp_path, asked
):
    small = {"encoder": "small", "checkpoint": checkpoints["small"], "trained": ["latent"]}
    given = {**options, **small, **wbc_data.masked, **ALL_VIEWS}
    given |= {"masked_test": True} if asked else {}
    assert call("cache_features", **given, features=tmp_path / "a.npy") == 0
    split_of = {row["id"]: row["split"] for row in wbc_data.index}
    pictures = open_activations(tmp_path / "a.npy").header.pictures
    found = {split_of[name] for name, kind, _ in pictures if kind == "masked"}
    assert found == ({"train", "test"} if asked else {"train"})
    assert sum(split_of[name] == "test" for name, kind, _ in pictures if kind == "plain") == 12


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("encoder", "mask_use"),
    [("small", "off"), ("small", "replace"), ("small", "append"), (ENCODER, "append")],
)
def test_training_from_them_is_training_from_pixels(
    options, checkpoints, wbc_data, tmp_path, monkeypatch, encoder, mask_use, precision
):
    """The same losses within the precision's rounding; exactly the same order, views and labels."""
    trained = {"small": ["conv2", "latent"], ENCODER: ["layer4.1"]}[encoder]
    made = {"encoder": encoder, "checkpoint": checkpoints[encoder], "trained": trained}
    made |= {"precision": precision, "features": tmp_path / "a.npy", **ALL_VIEWS}
    assert call("cache_features", **options | made, **wbc_data.masked) == 0
    subset = write_subset(tmp_path / "subset.csv", wbc_data.rows("train"))
    losses = {}
    for name, given in (("pixels", {}), ("features", {"features": [tmp_path / "a.npy"]})):
        if given:  # no pixel is looked at
            monkeypatch.setattr(train_classifier.run_files, "pixels_of", None)
        out = train(
            *(wbc_data, tmp_path / name, subset),
            {encoder: (checkpoints[encoder], trained)},
            mask_use=mask_use,
            precision=precision,
            **given,
        )
        history = read_csv(out / "history.csv")
        losses[name] = [
            [float(row[f"{part}_loss"]) for part in ("train", "test")] for row in history
        ]
    tolerance = 1e-4 if precision == "float32" else 2e-2
    np.testing.assert_allclose(losses["features"], losses["pixels"], rtol=tolerance)


def test_the_views_that_training_draws(options, wbc_data, tmp_path):
    rows = write_subset(tmp_path / "s.csv", wbc_data.rows("train")[:2])
    path = tmp_path / "a.npy"
    for drawn, views in (
        ({}, [0]),
        ({"flips": True}, [0, 2, 4, 6]),
        ({"rotation": "right_angles"}, [0, 1, 2, 3]),
    ):
        assert call("cache_features", **options, subsets=[rows], **drawn, features=path) == 0
        assert [found for *_, found in open_activations(path).header.pictures] == [views] * 2


@pytest.mark.parametrize(("asked", "views"), [("one", [0]), ("all", [0, 1, 2, 3])])
def test_test_images_in_as_many_views_as_are_asked_for(
    options, wbc_data, checkpoints, tmp_path, asked, views
):
    given = {"test": True, "rotation": "right_angles", "test_views": asked}
    files = {"checkpoint": checkpoints["small"], "trained": [], "features": tmp_path / "a.npy"}
    assert call("cache_features", **options | given | files) == 0
    header = open_activations(tmp_path / "a.npy").header
    assert [found for *_, found in header.pictures] == [views] * len(wbc_data.rows("test"))


def test_subsets_alone_and_each_of_their_images_once(options, wbc_data, tmp_path):
    names = [row["id"] for row in wbc_data.rows("train")]
    paths = [tmp_path / "one.csv", tmp_path / "other.csv"]
    for path, chosen in zip(paths, (names[:2], names[1:4]), strict=True):
        write_csv(path, ["id"], [{"id": name} for name in chosen])
    path = tmp_path / "a.npy"
    for given, expected in ((paths[:1], names[:2]), (paths, names[:4])):
        assert call("cache_features", **options, subsets=given, features=path) == 0
        pictures = open_activations(path).header.pictures
        assert pictures == [[name, "plain", [0]] for name in expected]


def test_over_the_budget(options, tmp_path):
    path = tmp_path / "a.npy"
    assert call("cache_features", **options, test=True, budget_gb=1e-9, features=path) == 0
    assert len(np.load(path)) == 0
    assert open_activations(path).header.pictures == []


def test_a_wholly_frozen_encoder_gives_its_features(options, wbc_data, resnet_weights, tmp_path):
    path = tmp_path / "a.npy"
    changed = options | {"trained": [], "test": True, "features": path}
    assert call("cache_features", **changed) == 0
    file = open_activations(path)
    assert file.header.last_block == "layer4.1"
    encoder, _ = load_encoder(resnet_weights)
    names = [name for name, _, _ in file.header.pictures]
    assert names == [row["id"] for row in wbc_data.rows("test")]
    pixels = torch.from_numpy(wbc_data.pictures(names)).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        expected = encoder.eval()(encoder.normalise(pixels))
    torch.testing.assert_close(file.values, expected, rtol=1e-4, atol=1e-5)


def test_nothing_is_kept_where_the_first_block_is_open(options, checkpoints, wbc_data, tmp_path):
    """The file is empty, and a training that is given it computes the same without."""
    path = tmp_path / "a.npy"
    small = {"encoder": "small", "checkpoint": checkpoints["small"], "trained": ["conv1"]}
    assert call("cache_features", **options | small, **ALL_VIEWS, features=path) == 0
    assert len(np.load(path)) == 0
    assert open_activations(path).header.pictures == []
    subset = write_subset(tmp_path / "subset.csv", wbc_data.rows("train")[::6])
    encoders = {"small": (checkpoints["small"], ["conv1"])}
    histories = [
        (train(wbc_data, tmp_path / name, subset, encoders, **given) / "history.csv").read_bytes()
        for name, given in (("without", {}), ("with", {"features": [path]}))
    ]
    assert histories[0] == histories[1]


def test_an_unknown_block_is_named(options, tmp_path, capsys):
    wrong = options | {"trained": ["layer9"], "features": tmp_path / "a.npy"}
    assert "unknown block 'layer9'" in failure(capsys, "cache_features", **wrong, test=True)
    assert list(tmp_path.iterdir()) == []
