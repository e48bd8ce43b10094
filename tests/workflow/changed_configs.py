"""Configs in which every value differs from config.yaml, and the files that a dry run with them looks for.

Values that exclude each other need three of them: ``given`` and ``drawn`` (subsets), on images of one's own with the
roles swapped, and ``synthetic``.
"""

from copy import deepcopy
from functools import reduce
from pathlib import Path
from typing import Any

import yaml
from conftest import Workflow
from printed_commands import DryRun, read_jobs

#: Own images: cam16 is classified, wbc comes as a table, every pretraining has another start and data set.
OWN = """
pathvars: {results: out, logs: <results>/journal, benchmarks: timings, resources: store}
data_root: pictures
target: cam16
datasets:
  wbc:
    title: blood of mice
    folder: null
    images: null
    masks: null
    table: blood/list.csv
    true_types: blood_types.csv
    classes: [mono, blast]
    aliases: {Basophils: null, Eosinophils: null, Lymphocytes: null, Monocytes: null, Neutrophils: null, b: blast}
    splits: {train: learn, test: exam}
    group_pattern: '^(?P<slide>[a-z]+)'
  cam16:
    title: lymph nodes
    folder: nodes
    images: "{split}/pictures/{class}"
    masks: "{split}/outlines/{class}"
    mask_name: "{stem}_outline"
    mask_foreground: [3.5, 9]
    mask_orientation: stored
    white_level: 900.5
    classes: [spread, clear]
    aliases: {tumour: null, ill: spread}
    splits: {train: learn, validation: tune, test: exam}
    group_pattern: '^(?P<slide>[0-9]+)-(?P<field>[0-9]+)'
  prcc: {folder: kidneys, holdout: 0.35, true_types: kidney_types.csv}
external:
  TestA:
    folder: further
    images: "all/{class}"
    aliases: {sick: spread}
    group_pattern: '^(?P<slide>x+)'
    white_level: 700.5
  TestB: {table: others/list.csv}
new_images: {clinic: fresh}
problems: {unknown_class_folder: warn, ignored_image: warn, path_outside: warn, unread_pages: warn,
  mask_among_images: warn,
  undecodable_image: warn, damaged_image: warn, blank_image: warn, label_conflict: warn,
  undecodable_mask: warn, mask_without_image: warn, ambiguous_mask: warn, mask_of_another_size: warn,
  unclear_mask_orientation: warn, masks_all_alike: warn, class_masks_all_alike: stop,
  class_without_test_images: warn, given_mask: warn, given_share: warn}
leakage: {bytes: warn, pixels: ignore, near_duplicates: error, slide: ignore, field: error,
  near_duplicate_distance: 4, near_duplicate_correlation: 0.83, near_duplicate_share: 0.17}
images: {size: 96, resize: crop, max_megapixels: 7.5}
masks:
  empty: apply
  predicted: {width: 24, size: 96, steps: 77, batch_size: 6, learning_rate: 0.0077, crop_margin: 0.35}
experiment:
  arms: [combinedNet, resnetTwoStages, resnet, lite, combinedNetClustered]
  replicates: [4, 7, 9]
  selection: validation
  test_masks: arm
  split_seed: 58
  crossed: {replicates: [9, 4], fractions: [7.5]}
subsets:
  fractions: [60, 7.5]
  validation_share: 0.25
  given: {"50": null, "10": null, "1": null, "60": half, "7.5": few}
backbones:
  imagenet_resnet18: {model: torchvision/resnet34, weights: own.pth, sha256: "%s", licence: "own {1} licence"}
  imagenet_vgg16: {model: timm/vgg11, weights: random, seed: 17}
  imagenet_efficientnet_lite0: {model: timm/tf_efficientnet_lite1, weights: default, saw_test_data: true}
pretraining:
  prcc_feature: {dataset: wbc, start: imagenet_resnet18, node: layer3}
  kidney_feature: {method: extract, dataset: prcc, start: imagenet_efficientnet_lite0, node: blocks.5}
  prcc_cluster_label: {features: kidney_feature, pca_dimensions: 41, clusters: 6, seed: 21}
  blood_label: {method: cluster, features: prcc_feature, pca_dimensions: 42, clusters: 7, seed: 22}
  resnet_cam16:
    title: blood, by the table
    dataset: wbc
    masks: append
    start: imagenet_vgg16
    trained: all
    batch_norm: frozen
    seed: 23
    training: {epochs: 21, learning_rate: 0.0021}
  pRCC_clustered_resnet:
    title: blood, by its clusters
    dataset: wbc
    labels: blood_label
    start: imagenet_efficientnet_lite0
    trained: [blocks.4]
    seed: 24
    training: {epochs: 22, learning_rate: 0.0022}
  kidney_resnet: {method: supervised, dataset: prcc, labels: prcc_cluster_label, start: resnet_cam16, trained: []}
  pRCC_autoencoder:
    dataset: wbc
    channels: [5, 7]
    latent_size: 11
    seed: 25
    training: {epochs: 23, batch_size: 13, learning_rate: 0.0023}
  kidney_autoencoder: {method: autoencoder, dataset: prcc, channels: [3], latent_size: 12}
arms:
  resnet:
    title: the plain one
    masks: append
    encoders: [{encoder: resnet_cam16, trained: [layer3.1, layer4], batch_norm: frozen}]
    training: {optimizer: adam, flips: true, rotation: right_angles}
  combinedNet:
    title: the combined one
    masks: "off"
    encoders: [{encoder: kidney_autoencoder, trained: []}, {encoder: imagenet_vgg16, trained: all}]
  combinedNetClustered:
    title: the clustered one
    preset: fewLabels
    masks: append
    encoders: [{encoder: pRCC_clustered_resnet, trained: [layer2]}, {encoder: pRCC_autoencoder, trained: [latent]}]
  resnetTwoStages:
    title: the chained one
    masks: replace
    encoders: [{encoder: kidney_resnet, trained: []}]
    classifier: nearest_neighbours
    training: {rotation: right_angles, test_views: all}
  lite:
    title: the light one
    masks: replace
    encoders: [{encoder: imagenet_efficientnet_lite0, trained: [blocks.6]}]
    unlabelled: {method: mean_teacher, per_labelled: 5, weight: 2.5, confidence: 0.77}
    training: {epochs: 13, min_steps: 17, batch_size: 32, learning_rate: 0.006, rotation: any, colour_jitter: 0.13}
training:
  defaults: {epochs: 11, min_steps: 123, batch_size: 24, optimizer: sgd, learning_rate: 0.02, weight_decay: 0.003,
    schedule: constant, class_weights: balanced, flips: false, rotation: none, head_learning_rate: 0.03, warmup: 0.21,
    averaging: ema, ema_decay: 0.87, label_smoothing: 0.07, sampling: balanced, test_views: all, test_every: 4,
    colour_jitter: 0.17}
  classification: {batch_size: 48, learning_rate: 0.005, colour_jitter: 0, test_views: one}
  presets:
    fewLabels: {epochs: 15, test_every: 6, min_steps: 18, batch_size: 31, learning_rate: 0.007, schedule: cosine,
      averaging: mean, sampling: shuffled, test_views: one}
compute: {device: cuda, precision: bfloat16, threads: 3}
statistics: {baseline: resnetTwoStages, primary: mcc, training_pool: any, alpha: 0.07, margin: 2.5, bootstrap: 321,
  seed: 64, bins: 9}
table:
  decimals: 3
  reported:
    cam16: {resnet: {"60": 1.5, "7.5": 2.5}, lite: {"7.5": 3.5}, resnet_cam16: null}
    wbc: {resnet: {"100": null, "50": 5.5, "10": 6.5, "1": 7.5}, combinedNet: null, combinedNetClustered: {"1": 8.5},
      resnet_cam16: 9.5}
    prcc: {pRCC_clustered_resnet: null, kidney_resnet: 10.5}
  figures: {figure4: lite, figure5: resnetTwoStages}
""" % ("ab" * 32)

GIVEN = """
subsets: {source: given}
arms: {combinedNetClustered: {masks: "off", predicted_masks: crop}}
compute: {device: cpu, feature_cache: "off"}
"""
DRAWN = """
subsets: {per_class: [3]}
experiment: {splits: [given, grouped]}
compute: {feature_cache: always}
"""
SYNTHETIC = """
synthetic:
  draw: true
  seed: 71
  wbc: {train: 61, test: 62, size: 63, balance: 0.64}
  cam16: {train: 65, validation: 66, test: 67, size: 68}
  prcc: {images: 69, size: 70}
experiment: {pretraining_seeds: per_replicate, arms: [resnet, combinedNet, combinedNetClustered, onSeveralSets]}
subsets: {fractions: [100, 20]}
pretraining:
  similar_views:
    method: contrastive
    datasets: [wbc, cam16]
    start: imagenet_vgg16
    trained: all
    batch_norm: frozen
    held_out: 0.15
    temperature: 0.72
    projection_size: 73
    crop: 0.74
    colour: 0.75
    grey: 0.76
    blur: 0.77
    seed: 78
    training: {epochs: 79, sampling: balanced}
  spotted_patches:
    method: masked_images
    datasets: [prcc, cam16, wbc]
    start: similar_views
    trained: [features.0]
    batch_norm: frozen
    held_out: 0.16
    patch_size: 28
    mask_share: 0.81
    seed: 82
    training: {epochs: 83}
  two_sources:
    method: multi_source
    datasets: [cam16, prcc]
    labels: prcc_cluster_label
    start: spotted_patches
    trained: [features.2, features.5]
    batch_norm: frozen
    held_out: 0.17
    seed: 84
    training: {epochs: 85}
arms: {onSeveralSets: {title: on several sets, masks: "off", encoders: [{encoder: two_sources, trained: []}]}}
compute: {device: cpu, precision: float32, threads: 2, feature_cache_gb: 3.5}
"""
LAYERS = {"given": [OWN, GIVEN], "drawn": [OWN, DRAWN], "synthetic": [SYNTHETIC]}

#: What a run makes on request alone, asked for beside `all`.
ASKED_FOR = {
    "given": [
        "out/export/replicate7/combinedNetClustered_cam16_60.onnx",
        "out/predict/clinic/combinedNetClustered_cam16_60.csv",
        "out/determinism.json",
    ],
    "drawn": [
        "out/export/replicate7/resnet_cam16_60.onnx",
        "out/predict/clinic/resnet_cam16_7.5.csv",
        "out/determinism.json",
    ],
}

FOLDERS = ("nodes", "kidneys", "further", "others", "half", "few", "blood", "fresh")
FILES = {
    "own.pth": "",
    "blood_types.csv": "id,type\na,x\n",
    "kidney_types.csv": "id,type\nk,x\n",
    "pictures/kidneys/k.png": "",
    "pictures/blood/list.csv": "path,label,split\na.png,mono,learn\n",
    "pictures/others/list.csv": "path,label\nb.png,clear\n",
}


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Two configs as Snakemake lays one over the other."""
    whole = deepcopy(below)
    for key, value in above.items():
        inside = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = merged(whole[key], value) if inside else value
    return whole


def overlay(name: str) -> dict[str, Any]:
    """One of the changed configs, without what it leaves as it is."""
    return reduce(merged, map(yaml.safe_load, LAYERS[name]))


def write_own_files(folder: Path) -> None:
    """Write what the configs on own images name; a dry run opens no image."""
    for name in FOLDERS:
        (folder / "pictures" / name).mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)


def dry_run(workflow: Workflow, name: str) -> DryRun:
    """Plan one of the changed configs in a copy of the repository."""
    write_own_files(workflow.folder)
    (workflow.folder / "changed.yaml").write_text(yaml.safe_dump(overlay(name)))
    options = ("--dry-run", "--printshellcmds", "--cores", "5", "--configfile", "changed.yaml")
    done = workflow.snakemake("all", *ASKED_FOR.get(name, ()), *options)
    assert done.returncode == 0, done.stdout[-6000:]
    default = yaml.safe_load((workflow.folder / "config.yaml").read_text())
    jobs = read_jobs(done.stdout)
    (target,) = (job for job in jobs if job.rule == "all")
    jobs.remove(target)
    return DryRun(merged(default, overlay(name)), jobs, target.inputs)
