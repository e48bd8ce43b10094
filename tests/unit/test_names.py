"""Names that something else of the workflow has are refused with one line."""

import json

import pytest
from configs import check_complaint, load, plan

ARM = "{title: t, masks: 'off', encoders: [{encoder: imagenet_resnet18, trained: []}]}"
CLUSTER = "{method: cluster, features: prcc_feature, pca_dimensions: 3, clusters: 2}"
CLUSTERED = (
    "{method: supervised, dataset: prcc, labels: LABELS, start: imagenet_resnet18, trained: []}"
)


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        # Rows of tables.
        ("external: {test: {folder: a}}", ["external.test", "a split of the target", "another"]),
        ("external: {train: {folder: a}}", ["external.train", "choose another"]),
        ("external: {validation: {folder: a}}", ["external.validation", "choose another"]),
        (f"arms: {{majority: {ARM}}}", ["arms.majority", "a baseline of the tables"]),
        ("pretraining: {majority: " + CLUSTER + "}", ["pretraining.majority", "a baseline"]),
        ("pretraining: {slide_only: " + CLUSTER + "}", ["pretraining.slide_only", "a file"]),
        # Files beside a data set's images.
        ("datasets: {wbc_masks: {folder: a}}", ["datasets.wbc_masks", "the masks of wbc"]),
        ("datasets: {wbc_index: {folder: a}}", ["datasets.wbc_index", "the index of wbc"]),
        ("datasets: {wbc_problems: {folder: a}}", ["datasets.wbc_problems", "the problems of wbc"]),
        ("datasets: {wbc_grouped: {folder: a}}", ["datasets.wbc_grouped", "the grouped split"]),
        ("datasets: {wbc_left_out: {folder: a}}", ["datasets.wbc_left_out", "left out of wbc"]),
        ("datasets: {wbc_reading: {folder: a}}", ["datasets.wbc_reading", "of wbc"]),
        ("datasets: {check_datasets: {folder: a}}", ["datasets.check_datasets", "a file"]),
    ],
)
def test_a_name_that_is_taken_is_refused(overlay, parts):
    check_complaint(overlay, parts, load)


@pytest.mark.parametrize(
    ("overlay", "parts"),
    [
        (
            "pretraining: {both: " + CLUSTERED.replace("LABELS", "prcc_cluster_label") + "}\n"
            "experiment: {arms: [resnet, both, chained]}\n"
            "arms: {both: " + ARM + ", "
            "chained: {title: t, masks: 'off', encoders: [{encoder: both, trained: []}]}}",
            ["pretraining.both", "an arm has that name", "choose another"],
        ),
        (
            # The grouped arm of resnet.
            "pretraining: {resnetGrouped: "
            + CLUSTERED.replace("LABELS", "prcc_cluster_label")
            + "}\nexperiment: {arms: [resnet, chained], splits: [given, grouped]}\n"
            "arms: {chained: {title: t, masks: 'off', encoders: [{encoder: resnetGrouped, trained: []}]}}",
            ["pretraining.resnetGrouped", "an arm has that name"],
        ),
        (
            # clusters/a_quality.csv: the labels of one, the quality of the other.
            "pretraining: {a: " + CLUSTER + ", a_quality: " + CLUSTER + ", "
            "x: " + CLUSTERED.replace("LABELS", "a") + ", "
            "y: " + CLUSTERED.replace("LABELS", "a_quality") + "}\n"
            "experiment: {arms: [resnet, chained]}\n"
            "arms: {chained: {title: t, masks: 'off', encoders: "
            "[{encoder: x, trained: []}, {encoder: y, trained: []}]}}",
            ["pretraining.a_quality", "clusters/a_quality.csv", "pretraining.a,"],
        ),
        (
            "table: {figures: {pRCC_autoencoder_reconstructions: combinedNet}}",
            ["table.figures.pRCC_autoencoder_reconstructions", "pretraining.pRCC_autoencoder,"],
        ),
        (
            "table: {figures: {label_efficiency: combinedNet}}",
            ["table.figures.label_efficiency", "the rule plot_label_efficiency, too"],
        ),
    ],
)
def test_two_of_one_experiment_may_not_share_a_file_or_a_row(overlay, parts):
    check_complaint(overlay, parts, plan)


def test_what_no_listed_arm_leads_to_takes_no_name():
    one = "pretraining: {resnet: " + CLUSTERED.replace("LABELS", "prcc_cluster_label") + "}"
    assert "resnet" in plan(one).arms


@pytest.mark.parametrize("name", ["results", "logs", "benchmarks", "resources"])
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("out{2}", "read '{' as something else: name the folder without it"),
        ("a'b", "as something else"),
        ("a\nb", r"read '\n' as something else"),
        ("a*", "read '*' as something else"),
        ("a$$b", "read '$' as something else"),
        ("-out", "it reads as an option: name the folder without - at its start"),
    ],
)
def test_folders_to_write_to_have_plain_names(name, path, told):
    overlay = json.dumps({"pathvars": {name: path}})
    check_complaint(overlay, [f"pathvars.{name}", told], load)


@pytest.mark.parametrize(
    ("overlay", "key"),
    [
        ("backbones: {imagenet_vgg16: {weights: 'a{2}.pth'}}", "backbones.imagenet_vgg16.weights"),
        ("backbones: {imagenet_vgg16: {weights: '<a>.pth'}}", "backbones.imagenet_vgg16.weights"),
        ("datasets: {prcc: {true_types: 'a{2}.csv'}}", "datasets.prcc.true_types"),
        ("containers: {torch: 'a{2}.sif'}", "containers.torch"),
    ],
)
def test_files_that_snakemake_would_fill_in_are_refused(overlay, key):
    check_complaint(overlay, [f"key '{key}' is '", "Snakemake would fill in"], load)
