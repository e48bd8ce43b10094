"""Arms with light classifiers: what they refuse; and arms whose encoders saw test images, through any chain."""

import pytest
from builders import REPOSITORY
from configs import check_complaint, load, plan

from fewlabels.core.errors import UserError
from fewlabels.workflow.frozen_encoders import backbones_behind, transductive_arms

LIGHT = """
experiment: {arms: [resnet, light]}
arms:
  light:
    title: frozen
    masks: "off"
    encoders: [{encoder: imagenet_resnet18, trained: []}%s]
    classifier: %s
    training: {%s}
"""


@pytest.mark.parametrize("kind", ["logistic_regression", "nearest_neighbours"])
def test_a_light_classifier_on_frozen_encoders(kind):
    used = "flips: false, rotation: none, test_views: all"
    arm = plan(LIGHT % (", {encoder: resnet_cam16, trained: []}", kind, used)).arms["light"]
    assert arm.recipe.classifier == kind
    assert plan("").arms["resnet"].recipe.classifier == "network"


@pytest.mark.parametrize(
    ("more", "kind", "training", "parts"),
    [
        (
            ", {encoder: resnet_cam16, trained: [layer4]}",
            "logistic_regression",
            "",
            ["key 'arms.light.encoders.1.trained' opens blocks", "logistic_regression", "[]"],
        ),
        (
            ", {encoder: resnet_cam16, trained: all}",
            "nearest_neighbours",
            "",
            ["key 'arms.light.encoders.1.trained'", "arms.light.classifier to network"],
        ),
        (
            "",
            "nearest_neighbours",
            "epochs: 5",
            ["key 'arms.light.training.epochs' is of no use to", "nearest_neighbours"],
        ),
        ("", "logistic_regression", "min_steps: 5", ["key 'arms.light.training.min_steps'"]),
        (
            "",
            "logistic_regression",
            "rotation: any",
            ["key 'arms.light.classifier' is logistic_regression", "right_angles or none"],
        ),
        ("", "forest", "", ["key 'arms.light.classifier' is 'forest'", "logistic_regression"]),
    ],
)
def test_what_a_light_classifier_has_no_use_for_is_refused(more, kind, training, parts):
    check_complaint(LIGHT % (more, kind, training), parts)


def test_changes_of_pixels_from_the_section_of_all_arms_are_refused():
    text = LIGHT % ("", "nearest_neighbours", "") + "training: {classification: {%s}}\n"
    check_complaint(text % "colour_jitter: 0.2", ["arms.light.classifier", "colour_jitter"])
    check_complaint(text % "rotation: any", ["arms.light.classifier", "rotation"])
    # The arm itself may differ from the others.
    own = LIGHT % ("", "nearest_neighbours", "rotation: right_angles, colour_jitter: 0")
    assert plan(own, "training: {classification: {rotation: any, colour_jitter: 0.2}}")


def test_images_without_labels_are_of_no_use():
    own = LIGHT % ("", "nearest_neighbours", "")
    unlabelled = "arms: {light: {unlabelled: {method: mean_teacher}}}"
    with pytest.raises(UserError, match=r"key 'arms\.light\.unlabelled' is of no use"):
        plan(own, unlabelled)


def test_the_backbones_behind_a_chain():
    config = load("")
    assert backbones_behind(config, "imagenet_vgg16") == {"imagenet_vgg16"}
    assert backbones_behind(config, "resnet_cam16") == {"imagenet_resnet18"}
    # Its pseudo-labels are of clusters of VGG16's features.
    both = {"imagenet_resnet18", "imagenet_vgg16"}
    assert backbones_behind(config, "pRCC_clustered_resnet") == both
    assert backbones_behind(config, "pRCC_autoencoder") == set()


@pytest.mark.parametrize(
    ("backbone", "expected"),
    [
        ("imagenet_resnet18", ["resnet", "combinedNet", "combinedNetClustered"]),
        ("imagenet_vgg16", ["combinedNetClustered"]),
        ("imagenet_efficientnet_lite0", []),
    ],
)
def test_arms_from_a_network_that_saw_test_images_are_found(backbone, expected):
    overlay = f"backbones: {{{backbone}: {{saw_test_data: true}}}}"
    config = load(overlay)
    recipes = plan(overlay).recipes
    assert list(recipes) == ["resnet", "combinedNet", "combinedNetClustered"]
    assert transductive_arms(config, recipes) == expected
    assert transductive_arms(load(""), recipes) == []


def test_both_splits_of_an_arm_are_marked():
    overlay = (
        "backbones: {imagenet_vgg16: {saw_test_data: true}}\nexperiment: {splits: [given, grouped]}"
    )
    found = transductive_arms(load(overlay), plan(overlay).recipes)
    assert found == ["combinedNetClustered", "combinedNetClusteredGrouped"]


def test_the_overlay_of_light_classifiers():
    names = ("larger_wbc_set", "light_classifiers")
    texts = [(REPOSITORY / f"overlays/{name}.yaml").read_text(encoding="utf-8") for name in names]
    kinds = {name: arm.classifier for name, arm in plan(*texts).recipes.items()}
    assert kinds == {
        "lite": "network",
        "liteLogistic": "logistic_regression",
        "liteNeighbours": "nearest_neighbours",
    }
