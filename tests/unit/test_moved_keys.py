"""Overlays of version 0.1.0: each key of its config.yaml still holds, or one line says where it went."""

import re

import pytest
import yaml
from builders import REPOSITORY

from fewlabels.core.errors import UserError
from fewlabels.workflow.configuration import MOVED, load_config
from fewlabels.workflow.configuration_page import all_keys

CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
CHANGELOG = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")

TRAINING = (
    *("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay", "schedule"),
    *("class_weights", "flips", "rotation"),
)
#: Keys of 0.1.0's config.yaml that hold as they are, with 0.1.0's values.
KEPT = """
pathvars: {results: results, logs: <results>/logs, benchmarks: <results>/benchmarks, resources: resources}
data_root: data
datasets:
  wbc:
    folder: WBC_100
    classes: [Basophil, Eosinophil, Lymphocyte, Monocyte, Neutrophil]
    aliases: {Basophils: Basophil, Eosinophils: Eosinophil}
    splits: {train: train, test: val}
    group_pattern: '^(?P<slide>[0-9-]+)_(?P<field>[0-9]+)_[0-9]+$'
  cam16:
    folder: CAM16_100cls_10mask
    classes: [normal, tumor]
    aliases: {tumour: tumor}
    splits: {train: train, validation: val, test: test}
    group_pattern: null
  prcc: {folder: pRCC_nolabel, group_pattern: null, true_types: null}
external: {TestA: {folder: Raabin/TestA, aliases: {Neut: Neutrophil}, group_pattern: null}}
problems:
  undecodable_image: stop
  unknown_class_folder: stop
  mask_without_image: stop
  mask_of_another_size: stop
  undecodable_mask: stop
leakage:
  bytes: error
  pixels: error
  near_duplicates: warn
  slide: warn
  field: warn
  near_duplicate_distance: 6
  near_duplicate_correlation: 0.96
images: {size: 224, resize: stretch, max_megapixels: 50}
masks: {empty: keep}
synthetic:
  draw: false
  seed: 0
  wbc: {train: 1000, test: 200, size: 575, balance: 0.0}
  cam16: {train: 200, validation: 50, test: 50, size: 384}
  prcc: {images: 100, size: 2000}
experiment:
  arms: [resnet, combinedNet, combinedNetClustered]
  replicates: [1, 2, 3, 4, 5]
  splits: [given]
  split_seed: 0
  crossed: {replicates: [1, 2, 3], fractions: [10, 1]}
subsets:
  source: drawn
  fractions: [100, 50, 10, 1]
  validation_share: 0.2
  given: {"50": WBC_50, "10": WBC_10, "1": WBC_1}
arms:
  resnet:
    title: without additional information
    masks: "off"
    encoders: [{encoder: imagenet_resnet18, trained: [layer4.0, layer4.1]}]
  combinedNet:
    title: with additional information
    masks: replace
    encoders: [{encoder: pRCC_autoencoder, trained: []}, {encoder: resnet_cam16, trained: [layer4]}]
  combinedNetClustered:
    title: with additional information, clustered
    masks: replace
    encoders: [{encoder: pRCC_clustered_resnet, trained: []}]
compute: {device: auto, precision: auto, threads: 1}
containers: {torch: locked, tools: locked}
statistics: {baseline: resnet, alpha: 0.05, margin: 1.0, bootstrap: 1000, seed: 0, bins: 15}
table:
  decimals: 2
  figures: {figure4: resnet, figure5: combinedNet}
"""
#: Keys that went, and the new place that their line must name.
GONE = {
    "weights.resnet18": "backbones.imagenet_resnet18.weights",
    "weights.vgg16": "backbones.imagenet_vgg16.weights",
    "weights.seed": "backbones.<name>.seed",
    "classification.selection": "experiment.selection",
    **{f"classification.{key}": "training.classification" for key in TRAINING},
    "pretraining.seed": "pretraining.<name>.seed",
    "pretraining.cam16.trained": "pretraining.resnet_cam16",
    "pretraining.cam16.masks": "pretraining.resnet_cam16",
    **{f"pretraining.cam16.training.{key}": "pretraining.resnet_cam16" for key in TRAINING},
    "pretraining.prcc_features.layer": "pretraining.prcc_feature.node",
    "pretraining.prcc_clusters.pca_dimensions": "pretraining.prcc_cluster_label",
    "pretraining.prcc_clusters.clusters": "pretraining.prcc_cluster_label",
    "pretraining.prcc_clustered.trained": "pretraining.pRCC_clustered_resnet",
    "pretraining.prcc_clustered.test_share": "datasets.prcc.holdout",
    **{
        f"pretraining.prcc_clustered.training.{key}": "pretraining.pRCC_clustered_resnet"
        for key in TRAINING
    },
    "pretraining.prcc_autoencoder.channels": "pretraining.pRCC_autoencoder",
    "pretraining.prcc_autoencoder.latent_size": "pretraining.pRCC_autoencoder",
    "pretraining.prcc_autoencoder.test_share": "datasets.prcc.holdout",
    **{
        f"pretraining.prcc_autoencoder.training.{key}": "pretraining.pRCC_autoencoder"
        for key in TRAINING
        if key != "class_weights"
    },
    **{
        f"table.reported.{arm}": f"table.reported.wbc.{arm}"
        for arm in ("resnet", "combinedNet", "combinedNetClustered")
    },
    "table.reported.pRCC_clustered_resnet": "table.reported.prcc.pRCC_clustered_resnet",
    "table.reported.resnet_cam16": "table.reported.cam16.resnet_cam16",
    "masks.threshold": "datasets.<name>.mask_foreground",
    "compute.activations": "compute.feature_cache",
    "compute.activations_gb": "compute.feature_cache_gb",
}


def overlay_of(key: str) -> dict:
    """An overlay that sets one key."""
    value: object = 1
    for step in reversed(key.split(".")):
        value = {step: value}
    return value


def complaint(overlay: dict) -> str:
    with pytest.raises(UserError) as caught:
        load_config(CONFIG, overlay)
    return str(caught.value)


def test_what_was_kept_is_accepted():
    kept = yaml.safe_load(KEPT)
    config = load_config(CONFIG, kept)
    assert config.arms["combinedNet"].title == kept["arms"]["combinedNet"]["title"]
    assert config.external["TestA"].aliases == {"Neut": "Neutrophil"}


def test_all_sections_of_the_old_config_are_named():
    sections = {*yaml.safe_load(KEPT), *(key.split(".")[0] for key in GONE)}
    assert len(sections) == 19
    assert len(GONE) == 58


@pytest.mark.parametrize(("key", "place"), GONE.items())
def test_a_key_that_went_is_one_line_with_its_new_place(key, place):
    line = complaint(overlay_of(key))
    assert "\n" not in line
    assert re.search(rf"'{re.escape(key.split('.')[0])}.*' is now {re.escape(place)}\b", line)
    assert line.endswith("see CHANGELOG.md")


def test_the_most_exact_place_is_named():
    """What stands below a section comes before it, else its own place would never be told."""
    order = list(MOVED)
    for place, old in enumerate(order):
        assert not [later for later in order[place:] if later.startswith(f"{old}.")], old


@pytest.mark.parametrize("new", MOVED.values())
def test_a_new_place_exists(new):
    """Its keys are keys of the config, and the names in it are declared in config.yaml."""
    steps = new.split(" ")[0].split(".")
    named = steps[0] in ("backbones", "datasets", "pretraining")
    if named and steps[1] != "<name>":
        assert steps[1] in CONFIG[steps[0]]
        steps[1] = "<name>"
    # Below it stand names of the user's choice.
    path = ".".join(steps[:2] if steps[0] == "table" else steps)
    assert [key for key in all_keys() if f"{key.path}.".startswith(f"{path}.")]


def test_the_changelog_tells_every_old_key_its_new_one():
    table = dict(re.findall(r"^\| `([^`]+)` \| (.+?) \|$", CHANGELOG, re.M))
    assert set(table) == set(MOVED)
    for old, new in MOVED.items():
        assert f"`{new.split(' ')[0]}`" in table[old]


def test_a_pretraining_of_ones_own_may_bear_an_old_name():
    own = {"method": "cluster", "features": "prcc_feature", "pca_dimensions": 2, "clusters": 3}
    config = load_config(CONFIG, {"pretraining": {"prcc_clusters": own}})
    assert config.pretraining["prcc_clusters"].clusters == 3
