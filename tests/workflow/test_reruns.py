"""Config edits rerun exactly what depends on them: compared with dry runs of a finished workflow."""

import pytest

# The provenance names the whole config, so every edit of it is recorded.
TABLE = {"summarize": 1, "record_provenance": 1, "report": 1, "summarize_benchmarks": 1}
EVALUATION = {
    **{"evaluate": 1, "compare": 1, "label_efficiency": 1},
    **{"plot_confusion": 3, "plot_label_efficiency": 1, **TABLE},
}
# What shows single test images, where predictions or checkpoints change.
SHOWN_ERRORS = {"find_errors": 1, "explain_errors": 1}
ALL_TABLES = {"collect_costs": 1, "count_labels": 1, **EVALUATION, **SHOWN_ERRORS}
# What reads the run sheet, where it changes.
NEW_RUNS = {"list_runs": 1, "spread": 1, "plot_curves": 2, **ALL_TABLES}
AUDIT = {
    **{"audit_leakage": 1, "check_leakage": 1, "report_data": 1, "heed_verdict": 1},
    "report_pictures": 1,
}
# What a data set more needs, but for the audit; its verdict is heeded, too.
IMAGES = {
    "index_images": 1,
    "check_images": 1,
    "check_datasets": 1,
    "pack_images": 1,
    "publish_images": 1,
}


def test_nothing_to_do_after_a_run(finished):
    assert finished.planned() == {}


def test_touching_every_script_reruns_nothing(finished):
    for path in sorted(finished.folder.glob("scripts/**/*.py")):
        path.touch()
    assert finished.planned() == {}


def test_more_epochs_rerun_the_classifiers_and_no_pretraining(finished):
    assert finished.planned("--config", "training={classification: {epochs: 3}}") == {
        "train_classifier": 6,
        "plot_curves": 2,
        **ALL_TABLES,
    }


def test_a_new_fraction_adds_only_its_runs(finished):
    assert finished.planned("--config", "subsets={fractions: [100, 50, 10]}") == {
        "draw_subsets": 1,
        "train_classifier": 3,
        **NEW_RUNS,
    }


def test_a_new_replicate_adds_only_its_runs(finished):
    assert finished.planned("--config", "experiment={replicates: [1, 2]}") == {
        "draw_subsets": 2,
        "train_classifier": 6,
        **NEW_RUNS,
    }


def test_a_table_option_reruns_only_the_table(finished):
    assert finished.planned("--config", "table={decimals: 3}") == TABLE


def test_a_margin_reruns_only_the_comparisons(finished):
    planned = finished.planned("--config", "statistics={margin: 2}")
    assert planned == {"compare": 1, **TABLE}


def test_crossed_runs_add_no_subsets_of_their_own(finished):
    """Two new replicates' worth: 6 runs of seed 2, and 1x2 and 2x1 of three arms at one fraction."""
    grid = "experiment={replicates: [1, 2], crossed: {replicates: [1, 2], fractions: [10]}}"
    assert finished.planned("--config", grid) == {
        "draw_subsets": 2,
        "train_classifier": 6 + 6,
        **NEW_RUNS,
    }


def test_a_leakage_threshold_reruns_the_audit_and_no_training(finished):
    planned = finished.planned("--config", "leakage={near_duplicate_distance: 4}")
    assert planned == {**AUDIT, **TABLE}


def test_a_share_of_near_duplicates_reruns_the_check_and_no_training(finished):
    planned = finished.planned("--config", "leakage={near_duplicate_share: 0.5}")
    assert planned == {"check_leakage": 1, "heed_verdict": 1, "report_data": 1, **TABLE}


def test_an_edit_of_the_audit_hides_no_other_edit(finished):
    both = ["leakage={near_duplicate_distance: 4}", "training={classification: {epochs: 3}}"]
    assert finished.planned("--config", *both) == {
        "train_classifier": 6,
        "plot_curves": 2,
        **AUDIT,
        **ALL_TABLES,
    }


def test_another_policy_for_problems_hides_no_other_edit(finished):
    both = ["problems={undecodable_image: warn}", "training={classification: {epochs: 3}}"]
    planned = finished.planned("--config", *both)
    checks = {"check_images": 3, "heed_verdict": 3, "check_datasets": 1}
    assert planned == {**checks, "train_classifier": 6, "plot_curves": 2, **ALL_TABLES}


def test_a_grouped_split_adds_its_arms_and_packs_nothing_again(finished):
    planned = finished.planned("--config", "experiment={splits: [given, grouped]}")
    assert planned == {
        "split_by_group": 2,
        **AUDIT,
        "draw_subsets": 2,
        "cache_features": 4,
        "train_classifier": 6,
        **NEW_RUNS,
        "plot_confusion": 6,
    }


def test_an_external_test_set_trains_nothing(finished):
    planned = finished.planned("--config", "external={Again: {folder: WBC_100/val/data}}")
    assert planned == {
        **IMAGES,
        **AUDIT,
        "heed_verdict": 2,
        "predict_external": 6,
        **EVALUATION,
        **SHOWN_ERRORS,
    }


def test_other_masks_of_cam16_leave_the_arm_without_additional_information_alone(finished):
    planned = finished.planned("--config", "pretraining={resnet_cam16: {masks: append}}")
    assert planned == {
        **{
            "pretrain_resnet_cam16": 1,
            "cache_features": 1,
            "train_classifier": 4,
            "plot_curves": 1,
        },
        **ALL_TABLES,
    }


# A fourth arm beside the three that have run.
FOURTH_ARM = {
    **{"check_networks": 1, "heed_verdict": 1, "cache_features": 1, "train_classifier": 2},
    **NEW_RUNS,
    "plot_confusion": 4,
}


def with_fourth_arm(arm: str) -> tuple[str, ...]:
    """Values on top of an overlay that declares it."""
    arms = f"resnet, combinedNet, combinedNetClustered, {arm}"
    return ("--config", f"experiment={{arms: [{arms}]}}", "pathvars={results: results}")


def test_a_new_backbone_runs_nothing_but_its_arm(finished):
    planned = finished.planned("overlays/vit.yaml", *with_fourth_arm("vit"))
    assert planned == {"fetch_weights": 1, **FOURTH_ARM}


def test_a_new_data_set_runs_nothing_but_its_pretraining_and_its_arm(finished, own):
    folder = own.folder / "images/marrow_nolabel"
    planned = finished.planned(
        *("overlays/further_source.yaml", *with_fourth_arm("withMarrow")),
        f"datasets={{marrow: {{folder: {folder}}}}}",
    )
    assert planned == {
        **{**IMAGES, **AUDIT},
        "pretrain_marrow_autoencoder": 1,
        **FOURTH_ARM,
        "heed_verdict": 3,
    }


def test_what_no_listed_arm_needs_is_inert(finished):
    declared = (
        "datasets={marrow: {folder: nowhere}}",
        "backbones={other: {model: timm/resnet10t, weights: nowhere.pth}}",
        "pretraining={other_cam16: {method: supervised, dataset: marrow, start: other, trained: all}}",
        "arms={unlisted: {title: none, masks: replace, encoders: [{encoder: other_cam16, trained: []}]}}",
    )
    recorded = {"record_provenance": 1, "report": 1, "summarize_benchmarks": 1}
    assert finished.planned("--config", *declared) == recorded


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        # The audit, on which all else waits without being rerun by it, hides no other user of a module.
        ("reporting/tables", {"plot_label_efficiency": 1, **AUDIT, **TABLE}),
        ("statistics/metrics", {"spread": 1, **EVALUATION}),
        (
            "pretraining/clustering",
            {
                **{
                    "pretrain_prcc_cluster_label": 1,
                    "pretrain_pRCC_clustered_resnet": 1,
                    "cache_features": 1,
                    "report_pictures": 1,
                },
                **{"train_classifier": 2, **ALL_TABLES},
            },
        ),
    ],
)
def test_an_edited_module_reruns_the_rules_that_import_it(finished, edit, module, rules):
    edit(f"scripts/fewlabels/{module}.py", "\n# edited\n")
    assert finished.planned() == rules
