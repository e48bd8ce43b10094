"""What a checkpoint says of its classifier."""

import pytest
from builders import CLASSES, SIDE, TRAINING
from small_classifiers import small_classifier

from fewlabels.core.errors import UserError
from fewlabels.core.files import beside
from fewlabels.data.intensities import Intensities
from fewlabels.deployment.trained_model import NOT_BESIDE, NOT_NAMED, check_alike, load


def test_all_that_the_checkpoint_says_is_told(tmp_path):
    run = {"arm": "small", "target": "cells", "fraction": "10", "replicate": "1x2"}
    white = Intensities(integer_white=4095.0, deep_files=2)
    path = tmp_path / "model.pt"
    network = small_classifier(path, run=run, intensities=white.plain(), validation=None)
    found = load(path)
    assert (found.arm, found.target, found.fraction, found.replicate) == tuple(run.values())
    assert (found.classes, found.size, found.resize) == (tuple(CLASSES), SIDE, "stretch")
    assert found.intensities == white
    assert found.views == (0,)
    assert (found.temperature, found.calibration) == (None, NOT_NAMED)
    assert found.masks is None and not found.masked_tests
    assert found.title == "small_cells_10, replicate 1x2"
    assert found.normalisations == {"kidney": network.encoders["kidney"].normalisation}
    assert not found.network.training


def test_a_checkpoint_of_an_earlier_version_says_less(tmp_path):
    small_classifier(tmp_path / "replicate1.pt")
    found = load(tmp_path / "replicate1.pt")
    assert (found.arm, found.intensities, found.temperature) == (None, None, None)
    assert found.title == f"{tmp_path.name}/small_cells_10"


def test_all_views_are_those_of_its_training(tmp_path):
    asked = TRAINING | {"test_views": "all", "flips": False}
    small_classifier(tmp_path / "model.pt", training=asked)
    assert load(tmp_path / "model.pt").views == (0, 1, 2, 3)


def test_files_beside_it_are_found_wherever_both_are_moved(tmp_path):
    path = tmp_path / "results/models/replicate1/model.pt"
    named = beside(tmp_path / "results/validation/replicate1/model.csv", path)
    assert named == "../../validation/replicate1/model.csv"
    path.parent.mkdir(parents=True)
    small_classifier(path, validation=named)
    assert load(path).calibration == NOT_BESIDE
    moved = (tmp_path / "results").rename(tmp_path / "moved")
    (moved / "validation/replicate1").mkdir(parents=True)
    header = ",".join(["id,label,predicted", *(f"p_{name}" for name in CLASSES)])
    (moved / "validation/replicate1/model.csv").write_text(header + "\n")
    assert "no predictions" in load(moved / "models/replicate1/model.pt").calibration


@pytest.mark.parametrize(("mask_use", "masked"), [("replace", True), ("append", False)])
def test_tests_on_masked_images_are_told(tmp_path, mask_use, masked):
    small_classifier(tmp_path / "model.pt", mask_use=mask_use, test_masks="arm")
    assert load(tmp_path / "model.pt").masked_tests is masked


def test_models_of_other_classes_are_not_averaged(tmp_path):
    for name, classes in (("a", CLASSES), ("b", [*CLASSES, "Lymphocyte"])):
        small_classifier(tmp_path / f"{name}.pt", classes=classes)
    models = [load(tmp_path / f"{name}.pt") for name in "ab"]
    check_alike(models[:1] * 2)
    with pytest.raises(UserError, match=r"b.pt and .*a.pt differ in classes \(Neutrophil, .*Lymph"):
        check_alike(models)
