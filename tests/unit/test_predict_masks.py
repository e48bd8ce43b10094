"""The masks of all images from those of one subset: what is learnt from, what is measured, and what is never read."""

import numpy as np
import pytest
import torch
from builders import (
    COLOURS,
    ON_CPU,
    SIDE,
    call,
    failure,
    training_options,
    write_subset,
)
from image_sets import CPU

import predict_masks
import train_classifier
from fewlabels.core.files import read_csv, write_csv
from fewlabels.data.pictures import COLUMNS, table_rows
from fewlabels.data.predicted_masks import (
    KIND,
    TABLE_COLUMNS,
    mask_rows,
    open_predicted_masks,
)
from fewlabels.networks.checkpoints import load_classifier
from fewlabels.statistics.overlap import dice_and_iou
from fewlabels.training.loop import predict
from fewlabels.training.masked_pixels import MaskView
from fewlabels.training.segmentation import load_unet
from fewlabels.training.segmentation import predict_masks as masks_of
from fewlabels.training.stored_rows import stored_rows

NETWORK = {"width": 8, "size": 32, "steps": 2, "batch_size": 2, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def masked_rows(wbc_data):
    """The six training images with a mask: rows of the index."""
    return [row for row in wbc_data.rows("train") if row["mask"]]


@pytest.fixture(scope="module")
def owned(masked_rows):
    """A mask of each class."""
    return [next(row for row in masked_rows if row["label"] == label) for label in COLOURS]


@pytest.fixture
def options(wbc_data, owned, tmp_path):
    """The subset owns three of the six masks of training images, and has an image without mask."""
    plain = next(row for row in wbc_data.rows("train") if not row["mask"])
    return {
        "index": wbc_data.file("index.csv"),
        "images": wbc_data.file("images.npy"),
        "masks": wbc_data.file("masks.npy"),
        "subset": write_subset(tmp_path / "subset.csv", [*owned, plain]),
        "fraction": "10",
        "network": NETWORK,
        "seed": 1,
        "predicted": tmp_path / "predicted.npy",
        "scores": tmp_path / "scores.csv",
        "checkpoint": tmp_path / "unet.pt",
        "record": tmp_path / "record.json",
        **ON_CPU,
    }


@pytest.fixture
def learnt_from(monkeypatch):
    """What the network is trained on, as it is."""
    seen = {}
    really = predict_masks.train_unet

    def watch(images, masks, *more):
        seen.update(images=images, masks=masks)
        return really(images, masks, *more)

    monkeypatch.setattr(predict_masks, "train_unet", watch)
    return seen


def test_it_learns_from_the_masks_that_the_subset_owns(wbc_data, options, owned, learnt_from):
    assert call("predict_masks", **options) == 0
    ids = sorted(row["id"] for row in owned)
    expected = wbc_data.pictures([row["id"] for row in read_csv(options["subset"])][:3])
    np.testing.assert_array_equal(learnt_from["images"], expected)
    masked = wbc_data.pictures([row["id"] for row in owned], masked=True)
    np.testing.assert_array_equal(learnt_from["images"] * learnt_from["masks"][..., None], masked)
    assert len(ids) == len(learnt_from["masks"]) == 3


def test_every_image_has_a_mask_that_the_saved_network_predicts(wbc_data, options):
    assert call("predict_masks", **options) == 0
    ids = [row["id"] for row in wbc_data.index]
    assert [row["id"] for row in read_csv(options["predicted"].with_suffix(".csv"))] == ids
    found = open_predicted_masks(options["predicted"])
    packed = found.pictures.rows([(name, KIND) for name in ids])
    assert packed.shape == (36, SIDE, SIDE // 8)
    model, settings = load_unet(options["checkpoint"])
    expected = np.concatenate(list(masks_of(model, wbc_data.pictures(ids), settings.size, CPU)))
    np.testing.assert_array_equal(np.unpackbits(packed, axis=-1).astype(bool), expected)


def test_many_images_are_predicted_as_few_are(options, monkeypatch, tmp_path):
    assert call("predict_masks", **options) == 0
    monkeypatch.setattr(predict_masks, "CHUNK", 5)
    again = tmp_path / "again.npy"
    assert call("predict_masks", **options | {"predicted": again}) == 0
    assert again.read_bytes() == options["predicted"].read_bytes()
    table = again.with_suffix(".csv").read_bytes()
    assert table == options["predicted"].with_suffix(".csv").read_bytes()


def test_scores_are_of_the_training_masks_that_were_not_learnt_from(
    wbc_data, options, owned, masked_rows
):
    assert call("predict_masks", **options) == 0
    held_out = [row for row in masked_rows if row not in owned]
    ids = [row["id"] for row in held_out]
    found = open_predicted_masks(options["predicted"])
    packed = found.pictures.rows([(name, KIND) for name in ids])
    masks = wbc_data.pictures(ids, masked=True).any(-1)
    dice, iou = dice_and_iou(np.unpackbits(packed, axis=-1).astype(bool), masks)
    whole, *classes = read_csv(options["scores"])
    assert (whole["fraction"], whole["label"]) == ("10", "")
    assert (whole["masks"], whole["held_out"], whole["state"]) == ("3", "3", "")
    assert float(whole["dice"]) == pytest.approx(dice.mean())
    assert float(whole["iou"]) == pytest.approx(iou.mean())
    assert {row["label"]: float(row["dice"]) for row in classes} == pytest.approx(
        {row["label"]: value for row, value in zip(held_out, dice, strict=True)}
    )
    assert {(row["masks"], row["held_out"]) for row in classes} == {("1", "1")}


def test_masks_that_are_not_owned_change_scores_alone(wbc_data, options, owned, tmp_path):
    """Those of test images not even these: the files without them give the same."""
    masks, table = np.load(options["masks"]), read_csv(wbc_data.file("masks.csv"))
    of_tests = {row["id"] for row in wbc_data.rows("test")}
    learnt = {row["id"] for row in owned}
    written = {}
    for name, others in (("full", of_tests), ("wrong", {row["id"] for row in table} - learnt)):
        changed = masks.copy()
        for row in table:
            if row["id"] in others:
                changed[int(row["row"])] ^= True
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "masks.npy", changed)
        rows = table_rows([row["id"] for row in table], "mask")
        write_csv(folder / "masks.csv", COLUMNS, rows)
        files = {key: folder / options[key].name for key in ("predicted", "scores", "checkpoint")}
        assert call("predict_masks", **options | {"masks": folder / "masks.npy"} | files) == 0
        written[name] = {key: path.read_bytes() for key, path in files.items()}
    assert call("predict_masks", **options) == 0
    plain = {key: options[key].read_bytes() for key in written["full"]}
    assert written["full"] == plain
    scores = written["wrong"].pop("scores")
    assert scores != plain.pop("scores")
    assert written["wrong"] == plain


def test_a_subset_of_all_masks_leaves_none_to_measure(options, masked_rows):
    write_subset(options["subset"], masked_rows)
    assert call("predict_masks", **options) == 0
    rows = read_csv(options["scores"])
    assert {row["state"] for row in rows} == {"no masks outside the subset"}
    assert {row["dice"] for row in rows} == {""}
    assert rows[0]["masks"] == "6"


def test_masks_of_validation_images_are_held_out(options, masked_rows):
    write_subset(options["subset"], masked_rows, ["train", "validation"] * 3)
    assert call("predict_masks", **options) == 0
    whole = read_csv(options["scores"])[0]
    assert (whole["masks"], whole["held_out"]) == ("3", "3")


def test_a_subset_without_masks_is_refused(wbc_data, options, capsys):
    write_subset(options["subset"], [row | {"mask": ""} for row in wbc_data.rows("train")])
    line = failure(capsys, "predict_masks", **options)
    assert (
        "the subset of 10 % owns no mask to learn predicted masks from: take the fraction" in line
    )


@pytest.fixture
def run_options(options, wbc_data, resnet_weights, tmp_path):
    """Gives the options of a run of the classifier through these masks."""
    assert call("predict_masks", **options) == 0

    def given(use, trained="all", **more):
        encoders = {"imagenet_resnet18": (resnet_weights, trained)}
        folder = tmp_path / use
        folder.mkdir()
        masks = {"predicted_masks": options["predicted"], "predicted_mask_use": use}
        subset = write_subset(tmp_path / "all.csv", wbc_data.rows("train"))
        return training_options(wbc_data, folder, subset, encoders, **masks, **more)

    return given


@pytest.mark.parametrize("use", ["replace", "crop", "channel"])
def test_training_and_test_images_are_seen_through_the_masks(
    run_options, options, wbc_data, monkeypatch, use
):
    sets = {}
    really = train_classifier.train_classifier

    def watch(model, train, evaluated, *more):
        sets.update(train=train, **evaluated)
        return really(model, train, evaluated, *more)

    monkeypatch.setattr(train_classifier, "train_classifier", watch)
    given = run_options(use, crop_margin=0.25)
    ids = [row["id"] for row in wbc_data.index]
    cells = np.zeros((len(ids), SIDE, SIDE), bool)
    cells[:, 4:12, 6:16] = True
    np.save(options["predicted"], np.packbits(cells, axis=-1))
    write_csv(options["predicted"].with_suffix(".csv"), TABLE_COLUMNS, mask_rows(ids, cells))
    assert call("train_classifier", **given) == 0
    view = MaskView(open_predicted_masks(options["predicted"]), use, 0.25)
    for split, found in sets.items():
        ids = [row["id"] for row in wbc_data.rows(split)]
        plain = stored_rows([wbc_data.pictures(ids)], range(len(ids)), CPU.device)
        places = torch.arange(len(ids))
        expected = view.of(plain, ids).take(places)
        assert expected.shape[1] == (4 if use == "channel" else 3)
        assert not torch.equal(expected[:, -3:], plain.take(places))
        assert torch.equal(found.take_pixels(places), expected)
    # The checkpoint knows how it sees.
    model, metadata = load_classifier(given["checkpoint"])
    seen = metadata["predicted_masks"]
    network = options["predicted"].with_suffix(".pt")
    assert (given["checkpoint"].parent / seen.pop("network")).resolve() == network.resolve()
    assert seen == {"use": use, "crop_margin": 0.25}
    logits = predict(model, sets["test"], CPU)
    rows = read_csv(given["predictions"])
    found = [[float(row[f"p_{name}"]) for name in metadata["classes"]] for row in rows]
    np.testing.assert_allclose(found, logits.softmax(1), atol=1e-5)


@pytest.fixture
def external(options, tmp_path):
    """Options of predict_external on the test images, as if they were an external set."""
    return {
        "index": options["index"],
        "images": options["images"],
        **ON_CPU,
        "predictions": tmp_path / "external.csv",
    }


def test_external_images_get_their_masks_by_the_same_network(run_options, options, external):
    given = run_options("replace")
    assert call("train_classifier", **given) == 0
    files = {"checkpoint": given["checkpoint"], "mask_network": options["checkpoint"]}
    assert call("predict_external", **external, **files) == 0
    rows, again = read_csv(given["predictions"]), read_csv(external["predictions"])
    assert [row["id"] for row in rows] == [row["id"] for row in again]
    found, expected = ([float(row["p_Basophil"]) for row in some] for some in (again, rows))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_external_set_needs_the_network_where_masks_are_used(run_options, external, capsys):
    given = run_options("replace")
    assert call("train_classifier", **given) == 0
    line = failure(capsys, "predict_external", **external, checkpoint=given["checkpoint"])
    assert "checkpoint.pt needs --mask-network: its arm sees images through predicted masks" in line


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"trained": ["layer4"], "use": "channel"}, "channel of conv1, which is frozen"),
        ({"use": "crop", "mask_use": "replace"}, "--predicted-masks go neither with --mask-use"),
        ({"use": "crop", "features": ["x.npy"]}, "--predicted-masks go neither with --mask-use"),
    ],
)
def test_what_does_not_go_with_predicted_masks(run_options, capsys, changes, part):
    assert part in failure(capsys, "train_classifier", **run_options(**changes))


def test_a_use_must_be_named(run_options, capsys):
    given = run_options("crop")
    del given["predicted_mask_use"]
    line = failure(capsys, "train_classifier", **given)
    assert "--predicted-masks needs --predicted-mask-use" in line
