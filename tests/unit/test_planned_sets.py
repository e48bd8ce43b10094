"""What an experiment needs whose pretraining takes several data sets, and what is refused of it."""

import pytest
from configs import check_complaint, load, plan

from fewlabels.workflow.experiment import pretraining_training, reported_numbers

SELF = """
pretraining:
  alike:
    method: contrastive
    datasets: [wbc, prcc]
    start: imagenet_efficientnet_lite0
    trained: all
arms: {mine: {title: t, masks: "off", encoders: [{encoder: alike, trained: all}]}}
experiment: {arms: [mine]}
statistics: {baseline: mine}
"""
FILLED = "pretraining: {alike: {method: masked_images}}"
TOGETHER = """
pretraining:
  alike: {method: multi_source, datasets: [cam16, prcc], labels: prcc_cluster_label}
"""


def test_all_its_data_sets_are_needed_and_audited():
    experiment = plan(SELF)
    assert experiment.datasets == ["wbc", "prcc"]
    assert list(experiment.pretraining) == ["alike"]
    assert experiment.backbones == ["imagenet_efficientnet_lite0"]


def test_pseudo_labels_bring_what_they_are_made_of():
    experiment = plan(SELF, TOGETHER)
    assert experiment.datasets == ["wbc", "cam16", "prcc"]
    assert list(experiment.pretraining) == ["alike", "prcc_cluster_label", "prcc_feature"]


def test_two_labelled_sets_need_no_pseudo_labels():
    overlay = "datasets: {prcc: {classes: [a, b], images: '{class}'}}\n" + TOGETHER.replace(
        ", labels: prcc_cluster_label", ""
    )
    assert list(plan(SELF, overlay).pretraining) == ["alike"]


def test_a_set_may_do_without_test_images():
    """It is tested on none."""
    assert plan(SELF, "datasets: {prcc: {holdout: null}}").datasets == ["wbc", "prcc"]


def test_each_replicate_may_have_its_own():
    overlay = "experiment: {pretraining_seeds: per_replicate, replicates: [1, 2]}"
    made = plan(SELF, TOGETHER, overlay).pretraining
    assert made["alike_replicate2"].seed == 2
    assert made["alike_replicate2"].labels == "prcc_cluster_label_replicate2"
    assert made["alike_replicate2"].own_datasets() == ["cam16", "prcc"]


def test_published_numbers_are_of_single_sets():
    overlay = "table: {reported: {wbc: {alike: 1.5, mine: {'100': 2.5}}, prcc: {alike: 3.5}}}"
    config = load(SELF, overlay)
    assert reported_numbers(config, plan(SELF, overlay)) == {"mine": {"100": 2.5}}


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        (
            "pretraining: {alike: {datasets: [wbc, prc]}}",
            ["'pretraining.alike.datasets' names 'prc'", "did you mean 'prcc'?"],
        ),
        (
            "pretraining: {alike: {datasets: [wbc, prcc, wbc]}}",
            ["'pretraining.alike.datasets' names 'wbc' twice"],
        ),
        (
            "pretraining: {alike: {datasets: []}}",
            ["'pretraining.alike.datasets' is []", "at least 1"],
        ),
        (
            "experiment: {splits: [given, grouped]}",
            ["'pretraining.alike.datasets' names the target", "take grouped out"],
        ),
        (
            f"{FILLED}\nimages: {{size: 96}}".replace("images}", "images, patch_size: 36}"),
            ["'pretraining.alike.patch_size'", "smaller divisor of images.size (96)"],
        ),
        (
            f"{FILLED}\nimages: {{size: 96}}".replace("images}", "images, patch_size: 96}"),
            ["'pretraining.alike.patch_size'", "smaller divisor of images.size (96)"],
        ),
        (
            TOGETHER.replace("prcc]", "prcc, wbc]"),
            ["'pretraining.alike.datasets' names the target", "trained on its labels"],
        ),
        (
            TOGETHER.replace(", labels: prcc_cluster_label", ""),
            ["'pretraining.alike'", "prcc has no labels"],
        ),
        (
            "datasets: {more: {folder: a, images: '{class}', classes: [a, b]}}\n"
            + TOGETHER.replace("prcc]", "more]"),
            ["'pretraining.alike.labels' are of another data set", "cam16 or more"],
        ),
        (
            TOGETHER.replace("[cam16, prcc]", "[prcc]"),
            ["'pretraining.alike.datasets' is ['prcc']", "at least 2"],
        ),
    ],
)
def test_a_plan_that_can_not_be_carried_out_is_one_line(overlay, parts):
    check_complaint(overlay, parts, lambda text: plan(SELF, text))


@pytest.mark.parametrize(
    "key", ["class_weights: balanced", "label_smoothing: 0.1", "colour_jitter: 0.3"]
)
def test_settings_of_no_use_are_refused(key):
    overlay = f"pretraining: {{alike: {{training: {{{key}}}}}}}"
    parts = [f"pretraining.alike.training.{key.split(':')[0]}", "no use to the method contrastive"]
    check_complaint(overlay, parts, lambda text: pretraining_training(load(SELF, text), "alike"))
