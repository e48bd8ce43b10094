"""The run sheet that a config asks for: order, seeds, baselines, the grouped split, names of files."""

import pytest
from configs import check_complaint, plan

from fewlabels.core.run_sheet import Run


def test_the_run_sheet_of_the_published_experiment():
    runs = plan("").runs
    arms = ["resnet", "combinedNet", "combinedNetClustered"]
    tabled = [run for run in runs if run.tabled]
    assert [(run.arm, run.fraction, run.replicate) for run in tabled] == [
        (arm, fraction, seed)
        for arm in arms
        for fraction in ("100", "50", "10", "1")
        for seed in "12345"
    ]
    # Behind them, each pair of two of the seeds 1, 2, 3, at 10 and 1 %.
    pairs = ["1x2", "1x3", "2x1", "2x3", "3x1", "3x2"]
    assert [(run.arm, run.fraction, run.replicate) for run in runs[len(tabled) :]] == [
        (arm, fraction, pair) for arm in arms for fraction in ("10", "1") for pair in pairs
    ]
    for run in runs:
        assert run.target == "wbc"
        assert run.split == "given"
        assert run.baseline == ("" if run.arm == "resnet" else "resnet")
        inside = run.fraction in ("10", "1") and run.subset_seed <= 3
        assert run.crossed == inside
        assert run.tabled == (run.subset_seed == run.initialisation_seed)


def test_files_keep_the_names_of_the_published_experiment():
    experiment = plan("")
    models = {run.path("models", "pt") for run in experiment.runs if run.replicate == "1"}
    for arm in ("resnet", "combinedNet"):
        for fraction in ("100", "50", "10", "1"):
            assert f"models/replicate1/{arm}_wbc_{fraction}.pt" in models
    files = {
        path.format(name=name)
        for name, entry in experiment.pretraining.items()
        for path in entry.files.values()
    }
    assert {
        *("models/pRCC_autoencoder.pt", "models/pRCC_clustered_resnet.pt"),
        *("models/resnet_cam16.pt", "features/prcc_feature.csv", "clusters/prcc_cluster_label.csv"),
    } <= files


@pytest.mark.parametrize(
    "overlay",
    [
        "experiment: {crossed: {replicates: []}}",
        "experiment: {crossed: {replicates: [1]}}",
        "experiment: {crossed: {fractions: []}}",
        "experiment: {crossed: {fractions: [2.5]}}",  # not among the fractions
        "experiment: {crossed: {replicates: [1, 9]}}",  # not among the replicates
        "subsets: {source: given}",  # the same for every seed
    ],
)
def test_without_two_seeds_to_cross_there_are_no_crossed_runs(overlay):
    runs = plan(overlay).runs
    assert len(runs) == 3 * 4 * 5
    assert not any(run.crossed for run in runs)
    assert all(run.tabled for run in runs)


def test_crossed_seeds_and_fractions_are_those_of_the_table():
    overlay = (
        "experiment: {arms: [resnet], replicates: [4, 2, 6], crossed: {replicates: [9, 2, 4],"
        " fractions: [5, 10.0]}}\nsubsets: {fractions: [10, 1]}"
    )
    runs = plan(overlay).runs
    assert [run.replicate for run in runs if not run.tabled] == ["2x4", "4x2"]
    assert [(run.fraction, run.replicate) for run in runs if run.tabled and run.crossed] == [
        *(("10", "4"), ("10", "2"))
    ]


def test_a_grouped_split_gives_every_listed_arm_a_copy():
    experiment = plan(
        "experiment: {arms: [combinedNet, resnet], splits: [given, grouped], replicates: [1]}\n"
        "subsets: {fractions: [10]}\n"
        "table: {figures: {figure4: resnet, figure5: resnetGrouped}}"
    )
    assert list(experiment.arms) == [
        *("combinedNet", "resnet", "combinedNetGrouped", "resnetGrouped")
    ]
    given, grouped = (experiment.arms[name] for name in ("resnet", "resnetGrouped"))
    assert (given.split, grouped.split) == ("given", "grouped")
    assert grouped.title == "without additional information, split by slide"
    assert grouped.recipe == given.recipe
    assert grouped.training == given.training
    # Each is compared with the baseline on its own split.
    assert experiment.runs == [
        Run("combinedNet", "wbc", "10", 1, 1, "given", "resnet"),
        Run("resnet", "wbc", "10", 1, 1, "given"),
        Run("combinedNetGrouped", "wbc", "10", 1, 1, "grouped", "resnetGrouped"),
        Run("resnetGrouped", "wbc", "10", 1, 1, "grouped"),
    ]


def test_the_given_split_alone_adds_no_arm():
    assert list(plan("").arms) == ["resnet", "combinedNet", "combinedNetClustered"]


def test_the_baseline_is_run_unless_an_arm_is_alone():
    experiment = plan("experiment: {arms: [combinedNet]}")
    assert {run.baseline for run in experiment.runs} == {""}
    assert plan("statistics: {baseline: combinedNet}").arms["resnet"].baseline == "combinedNet"
    for splits in ("[given]", "[given, grouped]"):
        check_complaint(
            f"experiment: {{arms: [combinedNet, lite], splits: {splits}}}",
            [
                *("key 'statistics.baseline' is 'resnet'", "add it to experiment.arms"),
                "or name one of these: combinedNet, lite",
            ],
        )


def test_numbers_per_class_stand_behind_the_fractions_and_are_not_crossed():
    runs = plan(
        "experiment: {arms: [resnet], replicates: [1, 2], crossed: {replicates: [1, 2], fractions: [5]}}\n"
        "subsets: {fractions: [100, 5], per_class: [1, 5]}"
    ).runs
    tabled = [run for run in runs if run.tabled]
    assert [run.fraction for run in tabled if run.replicate == "1"] == [
        *("100", "5", "1perclass", "5perclass")
    ]
    assert {run.fraction for run in runs if run.crossed} == {"5"}
    assert tabled[-1].path("models", "pt") == "models/replicate2/resnet_wbc_5perclass.pt"
    alone = plan("subsets: {fractions: [], per_class: [3]}").runs
    assert {run.fraction for run in alone} == {"3perclass"}


def test_a_new_arm_and_fraction_need_the_config_only():
    experiment = plan(
        "arms: {mine: {title: t, masks: append, encoders: [{encoder: pRCC_autoencoder, trained: [latent]}]}}\n"
        "experiment: {arms: [mine, resnet, combinedNet]}\nsubsets: {fractions: [0.5, 33]}"
    )
    assert [run.path("models", "pt") for run in experiment.runs][:6:5] == [
        *("models/replicate1/mine_wbc_0.5.pt", "models/replicate1/mine_wbc_33.pt")
    ]


def test_another_target_names_its_runs():
    experiment = plan("target: cam16\nexperiment: {arms: [resnet]}")
    assert experiment.datasets == ["cam16"]
    assert experiment.runs[0].path("models", "pt") == "models/replicate1/resnet_cam16_100.pt"
