"""Pretraining anew for each replicate: what is made, from what, by which seed, and which run starts from which."""

import pytest
from configs import check_complaint, load, plan

from fewlabels.pretraining.settings import Autoencoder, Extract
from fewlabels.workflow.experiment import plan_experiment, reported_numbers
from fewlabels.workflow.pretraining_seeds import per_replicate

EACH = "experiment: {pretraining_seeds: per_replicate, replicates: [2, 11], crossed: {replicates: []}}\n"
#: Two pretrainings, one after the other; the second has a seed and a title of its own.
CHAIN = (
    "arms: {mine: {title: t, masks: append, encoders: [{encoder: second, trained: all}]}}\n"
    "pretraining:\n"
    "  first: {method: autoencoder, dataset: prcc, channels: [4, 8], latent_size: 6}\n"
    "  second: {method: supervised, dataset: cam16, start: first, trained: all, seed: 30, title: a b}\n"
)


def test_each_pretraining_is_made_once_by_its_own_seed_if_nothing_else_is_said():
    experiment = plan("pretraining: {resnet_cam16: {seed: 7}}")
    assert experiment.pretraining["resnet_cam16"].seed == 7
    assert experiment.planned.declared_as == {name: name for name in experiment.pretraining}
    for run in experiment.runs:
        for choice in experiment.arms[run.arm].recipe.encoders:
            name = experiment.planned.name_for(choice.encoder, run.initialisation_seed)
            assert name == choice.encoder


def test_what_draws_at_random_is_made_for_each_replicate_and_what_does_not_is_shared():
    experiment = plan(EACH)
    assert list(experiment.pretraining) == [
        *("pRCC_autoencoder_replicate2", "pRCC_autoencoder_replicate11"),
        *("pRCC_clustered_resnet_replicate2", "pRCC_clustered_resnet_replicate11"),
        *("prcc_cluster_label_replicate2", "prcc_cluster_label_replicate11"),
        # Features of a backbone: nothing is drawn.
        "prcc_feature",
        *("resnet_cam16_replicate2", "resnet_cam16_replicate11"),
    ]
    shared = plan("").pretraining["prcc_feature"]
    assert experiment.pretraining["prcc_feature"] == shared


def test_a_variant_starts_from_variants_of_its_replicate_and_differs_by_the_seed():
    made = plan(
        EACH + CHAIN, "experiment: {arms: [resnet, mine, combinedNetClustered]}"
    ).pretraining
    declared = plan(CHAIN, "experiment: {arms: [resnet, mine, combinedNetClustered]}").pretraining
    for seed in (2, 11):
        assert made[f"first_replicate{seed}"] == declared["first"].model_copy(update={"seed": seed})
        assert made[f"second_replicate{seed}"] == declared["second"].model_copy(
            update={
                "seed": 30 + seed,
                "start": f"first_replicate{seed}",
                "title": f"a b, replicate {seed}",
            }
        )
        clustered = made[f"pRCC_clustered_resnet_replicate{seed}"]
        assert clustered.labels == f"prcc_cluster_label_replicate{seed}"
        assert clustered.start == "imagenet_resnet18"
        labels = made[f"prcc_cluster_label_replicate{seed}"]
        assert (labels.features, labels.seed) == ("prcc_feature", seed)


def test_a_pretraining_without_title_is_titled_by_its_name():
    overlay = EACH + "pretraining: {resnet_cam16: {title: null}}"
    assert (
        plan(overlay).pretraining["resnet_cam16_replicate11"].title == "resnet_cam16, replicate 11"
    )


def test_what_draws_nothing_is_made_for_each_replicate_if_it_starts_from_what_does():
    extract = {"method": "extract", "dataset": "prcc", "node": "latent"}
    entries = {
        "net": Autoencoder(method="autoencoder", dataset="prcc", channels=[4], latent_size=2),
        "of_net": Extract(**extract, start="net"),
        "of_backbone": Extract(**extract, start="imagenet_vgg16"),
    }
    planned = per_replicate(entries, [3], taken=entries)
    assert planned.entries == {
        "net_replicate3": entries["net"].model_copy(update={"seed": 3}),
        "of_net_replicate3": entries["of_net"].model_copy(update={"start": "net_replicate3"}),
        "of_backbone": entries["of_backbone"],
    }
    assert planned.made_for == {("net", 3): "net_replicate3", ("of_net", 3): "of_net_replicate3"}
    assert planned.declared_as == {
        "net_replicate3": "net",
        "of_net_replicate3": "of_net",
        "of_backbone": "of_backbone",
    }


def test_a_run_starts_from_what_is_made_for_its_initialisation():
    experiment = plan(EACH, "experiment: {crossed: {replicates: [2, 11], fractions: [10]}}")
    found = {
        run.replicate: experiment.planned.name_for("resnet_cam16", run.initialisation_seed)
        for run in experiment.runs
        if (run.arm, run.fraction) == ("combinedNet", "10")
    }
    assert found == {
        "2": "resnet_cam16_replicate2",
        "11": "resnet_cam16_replicate11",
        # Subset seed, initialisation seed.
        "2x11": "resnet_cam16_replicate11",
        "11x2": "resnet_cam16_replicate2",
    }
    assert experiment.planned.name_for("imagenet_resnet18", 2) == "imagenet_resnet18"


def test_data_sets_and_backbones_are_those_of_one_pretraining():
    each, once = plan(EACH), plan("")
    assert (each.datasets, each.backbones) == (once.datasets, once.backbones)


def test_published_numbers_stand_beside_each_replicates_classifier():
    config = load(EACH)
    found = reported_numbers(config, plan_experiment(config))
    assert {name: number for name, number in found.items() if "_" in name} == {
        "pRCC_clustered_resnet_replicate2": 91.2,
        "pRCC_clustered_resnet_replicate11": 91.2,
        "resnet_cam16_replicate2": 92.13,
        "resnet_cam16_replicate11": 92.13,
    }


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        (
            "pretraining: {resnet_cam16_replicate2: {method: autoencoder, dataset: prcc, channels: [4],"
            " latent_size: 2}}",
            ["experiment.pretraining_seeds", "resnet_cam16_replicate2", "choose another"],
        ),
        (
            "backbones: {resnet_cam16_replicate11: {model: timm/test_vit, weights: random}}",
            ["experiment.pretraining_seeds", "resnet_cam16_replicate11", "choose another"],
        ),
        (
            "table: {figures: {pRCC_autoencoder_replicate2_reconstructions: resnet}}",
            ["table.figures.pRCC_autoencoder_replicate2_reconstructions", "choose another name"],
        ),
        (
            "pretraining: {prcc_cluster_label: {seed: 4294967290}}",
            ["pretraining.prcc_cluster_label.seed", "4294967290", "the replicate's 11"],
        ),
    ],
)
def test_names_that_are_taken_and_seeds_that_are_too_large_are_one_line(overlay, parts):
    check_complaint(EACH + overlay, parts)
    plan(overlay)  # each of them is fine where pretrainings are made once
