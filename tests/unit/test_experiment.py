"""From the listed arms to all that they need; names that lead nowhere, and settings of training."""

import pytest
from configs import CONFIG, check_complaint, load, plan

from fewlabels.workflow.experiment import (
    dataset_of,
    plan_experiment,
    pretraining_training,
    reported_numbers,
)

#: A pretraining of one's own on CAM16, and an arm that starts from it.
OWN_ARM = (
    "arms: {mine: {title: t, masks: append, encoders: [{encoder: second, trained: all}]}}\n"
    "experiment: {arms: [mine]}\n"
)
TWO_STAGES = OWN_ARM + (
    "pretraining:\n"
    "  first: {method: autoencoder, dataset: prcc, channels: [4, 8], latent_size: 6}\n"
    "  second: {method: supervised, dataset: cam16, start: first, trained: all}\n"
)


@pytest.mark.parametrize(
    ("arms", "datasets", "pretraining", "backbones"),
    [
        (["resnet"], ["wbc"], [], ["imagenet_resnet18"]),
        (["lite"], ["wbc"], [], ["imagenet_efficientnet_lite0"]),
        (
            ["combinedNet"],
            ["wbc", "cam16", "prcc"],
            ["pRCC_autoencoder", "resnet_cam16"],
            ["imagenet_resnet18"],
        ),
        (
            ["combinedNetClustered", "resnet"],
            ["wbc", "cam16", "prcc"],
            ["pRCC_clustered_resnet", "prcc_cluster_label", "prcc_feature", "resnet_cam16"],
            ["imagenet_resnet18", "imagenet_vgg16"],
        ),
    ],
)
def test_only_what_the_listed_arms_need_is_planned(arms, datasets, pretraining, backbones):
    experiment = plan(f"experiment: {{arms: {arms}}}")
    assert list(experiment.arms) == arms
    assert experiment.datasets == datasets
    assert list(experiment.pretraining) == pretraining
    assert experiment.backbones == backbones
    assert {run.arm for run in experiment.runs} == set(arms)


def test_a_chain_needs_all_that_it_starts_from():
    experiment = plan(TWO_STAGES)
    assert list(experiment.pretraining) == ["first", "second"]
    assert experiment.datasets == ["wbc", "cam16", "prcc"]
    assert experiment.backbones == []


def test_two_arms_may_share_a_pretraining():
    experiment = plan(
        TWO_STAGES + "statistics: {baseline: mine}",
        "arms: {other: {title: u, masks: off, encoders: [{encoder: first, trained: []}]}}\n"
        "experiment: {arms: [mine, other]}",
    )
    assert list(experiment.pretraining) == ["first", "second"]


def test_what_no_listed_arm_needs_may_be_wrong():
    """Names that lead nowhere, and data sets without what training needs, are looked at when they are used."""
    experiment = plan(
        "experiment: {arms: [resnet]}\n"
        "datasets: {cam16: null, prcc: {holdout: null}, mine: {folder: a}}\n"
        "backbones: {imagenet_vgg16: null}\n"
        "arms: {unused: {title: t, masks: off, encoders: [{encoder: nowhere, trained: [x]}]}}\n"
        "pretraining: {unused: {method: cluster, features: unused, pca_dimensions: 2, clusters: 2}}"
    )
    assert experiment.datasets == ["wbc"]


def test_the_order_of_declaration_plays_no_part():
    """Snakemake puts what an overlay names before the rest."""
    overlay = "pretraining: {resnet_cam16: {seed: 0}}\ndatasets: {prcc: {holdout: 0.2}}"
    assert list(plan(overlay).pretraining) == list(plan("").pretraining)
    assert plan(overlay).datasets == plan("").datasets


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        ("experiment: {arms: [combinednet]}", ["'experiment.arms'", "did you mean 'combinedNet'?"]),
        (
            "arms: {resnet: {encoders: [{encoder: imagenet_resnet81, trained: []}]}}",
            ["arms.resnet.encoders.0.encoder", "did you mean 'imagenet_resnet18'?"],
        ),
        (
            "arms: {resnet: {encoders: [{encoder: qqq, trained: []}]}}",
            ["arms.resnet.encoders.0.encoder", "known: imagenet_resnet18", "pRCC_autoencoder"],
        ),
        (
            "arms: {resnet: {encoders: [{encoder: prcc_feature, trained: []}]}}",
            ["arms.resnet.encoders.0.encoder", "gives features", "must give an encoder"],
        ),
        (
            "arms: {resnet: {encoders: [{encoder: resnet_cam16, trained: []}, "
            "{encoder: resnet_cam16, trained: [layer4]}]}}",
            ["arms.resnet.encoders", "twice"],
        ),
        ("statistics: {baseline: resnett}", ["statistics.baseline", "did you mean 'resnet'?"]),
        (
            "backbones: {resnet_cam16: {model: timm/test_vit, weights: random}}",
            ["pretraining.resnet_cam16", "a backbone has that name"],
        ),
        # What pretraining starts from.
        (
            "pretraining: {resnet_cam16: {start: imagenet_resnet81}}",
            ["pretraining.resnet_cam16.start", "did you mean 'imagenet_resnet18'?"],
        ),
        (
            "pretraining: {resnet_cam16: {start: prcc_cluster_label}}",
            ["pretraining.resnet_cam16.start", "gives labels", "must give an encoder"],
        ),
        (
            "pretraining: {pRCC_clustered_resnet: {labels: prcc_feature}}",
            ["pretraining.pRCC_clustered_resnet.labels", "must give labels"],
        ),
        (
            "pretraining: {prcc_cluster_label: {features: pRCC_autoencoder}}",
            ["pretraining.prcc_cluster_label.features", "must give features"],
        ),
        (
            "pretraining: {prcc_cluster_label: {features: prcc_featur}}",
            ["pretraining.prcc_cluster_label.features", "did you mean 'prcc_feature'?"],
        ),
        (
            "pretraining: {prcc_feature: {start: resnet_cam16}}",
            ["pretraining.prcc_feature.start", "must be a backbone"],
        ),
        (
            "pretraining: {resnet_cam16: {start: resnet_cam16}}",
            ["pretraining.resnet_cam16.start", "circle (resnet_cam16 -> resnet_cam16)"],
        ),
        (
            "pretraining: {resnet_cam16: {start: pRCC_clustered_resnet},"
            " pRCC_clustered_resnet: {start: resnet_cam16}}",
            [
                "pretraining.pRCC_clustered_resnet.start",
                "circle (resnet_cam16 -> pRCC_clustered_resnet -> resnet_cam16)",
            ],
        ),
        # Its data sets.
        (
            "pretraining: {resnet_cam16: {dataset: cam17}}",
            ["pretraining.resnet_cam16.dataset", "did you mean 'cam16'?"],
        ),
        (
            "pretraining: {resnet_cam16: {dataset: prcc}}",
            ["pretraining.resnet_cam16", "prcc has no labels"],
        ),
        (
            "pretraining: {resnet_cam16: {labels: prcc_cluster_label}}",
            ["pretraining.resnet_cam16.labels", "give those of cam16"],
        ),
        ("datasets: {prcc: {holdout: null}}", ["datasets.prcc", "splits.test or holdout"]),
        (
            "datasets: {cam16: {splits: {test: null}}}",
            ["datasets.cam16", "resnet_cam16", "splits.test or holdout"],
        ),
        ("datasets: {prcc: null}", ["pretraining.", ".dataset' names 'prcc'", "cam16"]),
        # The target's labels and test images.
        ("target: cam16", ["pretraining.resnet_cam16.dataset", "the target"]),
        (
            "target: cam16\npretraining: {resnet_cam16: {dataset: cam16, labels: own},"
            " own: {method: cluster, features: more, pca_dimensions: 2, clusters: 2},"
            " more: {method: extract, dataset: cam16, start: imagenet_vgg16, node: classifier.4}}",
            ["pretraining.resnet_cam16.labels", "the target"],
        ),
        (
            "pretraining: {pRCC_autoencoder: {dataset: wbc}}\n"
            "experiment: {splits: [given, grouped]}",
            ["pretraining.pRCC_autoencoder.dataset", "the target", "grouped"],
        ),
        # The table.
        (
            "table: {figures: {figure6: resnetTwoStage}}",
            ["table.figures", "'resnetTwoStage'", "did you mean 'resnetTwoStages'?"],
        ),
        ("table: {reported: {wbcc: {resnet: 3}}}", ["table.reported'", "did you mean 'wbc'?"]),
        (
            "table: {reported: {wbc: {resnett: 3}}}",
            ["table.reported.wbc", "did you mean 'resnet'?"],
        ),
        ("experiment: {arms: [resnet, lite, resnet]}", ["experiment.arms", "'resnet' twice"]),
        ("table: {figures: {figure6: resnet_cam16}}", ["table.figures", "'resnet_cam16'"]),
        # Sizes.
        (
            "pretraining: {pRCC_autoencoder: {channels: [8, 8, 8, 8, 8, 8]}}\nimages: {size: 96}",
            ["'images.size'", "multiple of 64", "pRCC_autoencoder halves the image 6 times"],
        ),
        # Runs.
        ("subsets: {fractions: [10, 10.0]}", ["models/replicate1/resnet_wbc_10.pt", "twice"]),
        ("subsets: {per_class: [5, 5]}", ["models/replicate1/resnet_wbc_5perclass.pt", "twice"]),
        ("experiment: {replicates: [3, 3]}", ["models/replicate3/resnet_wbc_100.pt", "twice"]),
        (
            "experiment: {splits: [given, grouped], arms: [resnet, combinedNet]}\n"
            "arms: {resnetGrouped: {title: t, masks: append, "
            "encoders: [{encoder: resnet_cam16, trained: []}]}}",
            ["arms.resnetGrouped", "choose another"],
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(overlay, parts):
    check_complaint(overlay, parts)


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        (
            "training: {classification: {epoch: 3}}",
            ["unknown key 'epoch'", "training.classification", "did you mean 'epochs'?"],
        ),
        (
            "training: {defaults: {epoch: 3}}",
            ["unknown key 'epoch'", "training.defaults", "did you mean 'epochs'?"],
        ),
        (
            "arms: {combinedNet: {training: {batchsize: 3}}}",
            ["'batchsize'", "arms.combinedNet.training", "did you mean 'batch_size'?"],
        ),
        ("training: {classification: {epochs: 0}}", ["training.classification.epochs", "is 0"]),
        ("training: {defaults: {epochs: many}}", ["training.defaults.epochs", "many"]),
        ("training: {classification: {epochs: '['}}", ["training.classification.epochs"]),
        ("training: {defaults: {learning_rate: 0}}", ["training.defaults.learning_rate"]),
        (
            "training: {classification: {optimizer: adamm}}",
            ["training.classification.optimizer", "did you mean 'adam"],
        ),
        ("arms: {resnet: {training: {epochs: 0}}}", ["arms.resnet.training.epochs", "is 0"]),
        ("training: {defaults: {min_steps: -1}}", ["training.defaults.min_steps"]),
        ("training: {defaults: {epochs: null}}", ["missing key 'epochs'", "training.defaults"]),
    ],
)
def test_a_mistake_in_settings_of_training_names_the_section_that_has_it(overlay, parts):
    check_complaint(overlay, parts)


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        ("arms: {resnet: {preset: fewLabel}}", ["arms.resnet.preset", "'fewLabels'"]),
        (
            "{training: {presets: {mine: {epochz: 3}}}, arms: {resnet: {preset: mine}}}",
            ["'epochz'", "training.presets.mine", "did you mean 'epochs'?"],
        ),
        (
            "arms: {resnet: {unlabelled: {method: mean_teacher}}}",
            ["arms.resnet.unlabelled", "averaging: ema"],
        ),
        (
            "arms: {resnet: {unlabelled: {method: mean_teachr}}}",
            ["arms.resnet.unlabelled.method", "did you mean 'mean_teacher'?"],
        ),
    ],
)
def test_a_mistake_in_a_preset_or_the_use_of_unlabelled_images(overlay, parts):
    check_complaint(overlay, parts)


def test_a_preset_stands_between_the_settings_of_all_arms_and_the_arms_own():
    overlay = """
training:
  classification: {epochs: 7, batch_size: 21, learning_rate: 0.5}
  presets: {mine: {batch_size: 22, learning_rate: 0.25}}
arms: {resnet: {preset: mine, training: {learning_rate: 0.125}}}
"""
    found = plan_experiment(load(overlay)).arms
    chosen = [found[name].training for name in ("resnet", "combinedNet")]
    values = [(one.epochs, one.batch_size, one.learning_rate) for one in chosen]
    assert values == [(7, 22, 0.125), (7, 21, 0.5)]


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        (
            "pretraining: {resnet_cam16: {training: {batchsize: 3}}}",
            [
                "'batchsize'",
                "pretraining.resnet_cam16.training",
                "did you mean 'batch_size'?",
            ],
        ),
        (
            "pretraining: {resnet_cam16: {training: {epochs: 0}}}",
            ["pretraining.resnet_cam16.training.epochs"],
        ),
        (
            "pretraining: {resnet_cam16: {training: {selection: last}}}",
            ["'selection'", "pretraining.resnet_cam16.training"],
        ),
    ],
)
def test_a_mistake_in_a_pretrainings_settings_names_it(overlay, parts):
    check_complaint(overlay, parts, lambda text: pretraining_training(load(text), "resnet_cam16"))


def test_a_setting_of_no_use_to_the_method_is_refused():
    overlay = "pretraining: {pRCC_autoencoder: {training: {class_weights: balanced}}}"
    key = "'pretraining.pRCC_autoencoder.training.class_weights'"
    check_complaint(
        overlay,
        [key, "of no use to the method autoencoder"],
        lambda text: pretraining_training(load(text), "pRCC_autoencoder"),
    )
    # Where it is said for all, it is left alone.
    config = load("training: {defaults: {class_weights: balanced}}")
    assert pretraining_training(config, "pRCC_autoencoder").class_weights == "balanced"


@pytest.mark.parametrize("key", ["training: {epochs: 3}", "seed: 1", "title: t"])
def test_a_key_that_a_method_has_no_use_for_is_unknown_to_it(key):
    """Else a user would believe that it has an effect."""
    name = key.split(":")[0]
    check_complaint(
        f"pretraining: {{prcc_feature: {{{key}}}}}",
        [f"unknown key '{name}'", "pretraining.prcc_feature"],
        load,
    )


def test_figures_and_reported_numbers_may_be_of_arms_that_are_not_run():
    overlay = (
        "experiment: {arms: [resnet], splits: [given, grouped]}\n"
        "table: {figures: {figure6: combinedNet, figure7: liteGrouped}, reported: {wbc: {lite: 90}}}"
    )
    assert list(plan(overlay).arms) == ["resnet", "resnetGrouped"]


def test_published_numbers_stand_beside_results_on_their_own_data_set_alone():
    config = load("experiment: {arms: [resnet, combinedNet]}")
    known = CONFIG["table"]["reported"]
    assert reported_numbers(config, plan_experiment(config)) == {
        "resnet": known["wbc"]["resnet"],
        "combinedNet": known["wbc"]["combinedNet"],
        "resnet_cam16": known["cam16"]["resnet_cam16"],
    }
    other = load(
        "target: cells\ndatasets: {cells: {folder: a, images: '{split}/{class}', classes: [x, y],"
        " splits: {train: t, test: u}}}"
    )
    assert set(reported_numbers(other, plan_experiment(other))) == {
        "resnet_cam16",
        "pRCC_clustered_resnet",
    }


def test_settings_of_training_are_laid_over_each_other():
    overlay = (
        "training: {defaults: {epochs: 5, batch_size: 6, weight_decay: 0.5},"
        " classification: {epochs: 7, batch_size: 8}}\n"
        "arms: {resnet: {training: {epochs: 9, batch_size: null}}, combinedNet: {training: {}}}\n"
        "pretraining: {resnet_cam16: {training: {epochs: 11}}}"
    )
    arms = plan(overlay).arms
    found = {name: arms[name].training for name in ("resnet", "combinedNet")}
    assert {
        name: (settings.epochs, settings.batch_size, settings.weight_decay)
        for name, settings in found.items()
    } == {"resnet": (9, 8, 0.5), "combinedNet": (7, 8, 0.5)}
    settings = pretraining_training(load(overlay), "resnet_cam16")
    assert (settings.epochs, settings.batch_size, settings.weight_decay) == (11, 6, 0.5)


def test_the_data_set_that_a_pretraining_is_made_of():
    config = load("")
    names = ("prcc_cluster_label", "prcc_feature", "resnet_cam16")
    assert [dataset_of(config, name) for name in names] == ["prcc", "prcc", "cam16"]
