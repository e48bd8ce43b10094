# Config access, wildcards and helpers. No rules here.
import json
import os
import re
import shlex
import sys
from functools import cache
from pathlib import Path

REPOSITORY = Path(workflow.basedir)
sys.path.insert(0, str(REPOSITORY / "scripts"))

from fewlabels.networks.blocks import ENCODER_KINDS, blocks_of, last_frozen_block
from fewlabels.workflow.configuration import (
    add_grouped_arms,
    check_config,
    fraction_label,
    normalise_config,
)
from fewlabels.data.datasets import listing_hash
from fewlabels.workflow.dependencies import modules_of
from fewlabels.core.errors import UserError
from fewlabels.statistics.predictions import crossed_replicate

# `python` in a rule means the interpreter that runs Snakemake, whether its environment is activated or
# not. A container has a PATH of its own.
os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
)

try:
    normalise_config(config)
    check_config(config, REPOSITORY / "schemas" / "config.schema.yaml")
    add_grouped_arms(config)
except UserError as error:
    sys.exit(f"error: {error}")

LABELLED = ["wbc", "cam16"]
DATASETS = [*LABELLED, "prcc"]
EXTERNAL = sorted(config["external"])
ARMS = config["experiment"]["arms"]
REPLICATES = [str(seed) for seed in config["experiment"]["replicates"]]
FRACTIONS = [fraction_label(fraction) for fraction in config["subsets"]["fractions"]]
# Extra runs <subset seed>x<initialisation seed>; given subsets leave nothing to cross.
CROSSED_REPLICATES = [
    str(seed)
    for seed in config["experiment"]["crossed"]["replicates"]
    if str(seed) in REPLICATES and config["subsets"]["source"] == "drawn"
]
CROSSED_FRACTIONS = [
    fraction_label(fraction)
    for fraction in config["experiment"]["crossed"]["fractions"]
    if fraction_label(fraction) in FRACTIONS and len(CROSSED_REPLICATES) > 1
]
CROSSED_RUNS = [
    crossed_replicate(subset, initialisation)
    for subset in CROSSED_REPLICATES
    for initialisation in CROSSED_REPLICATES
]
FIGURES = sorted(config["table"]["figures"])
PRETRAINED_CLASSIFIERS = ["pRCC_clustered_resnet", "resnet_cam16"]
PRETRAINED = [*PRETRAINED_CLASSIFIERS, "pRCC_autoencoder"]
# How the epoch of the predictions is chosen; with `validation` runs also write predictions on validation images.
SELECTION = config["classification"]["selection"]
SYNTHETIC = config["synthetic"]["draw"]
THREADS = config["compute"]["threads"]
# A GPU job takes one GPU; with device: cpu none, so that a laptop trains several models at a time.
GPU = 0 if config["compute"]["device"] == "cpu" else 1

# Of jobs that could start, the higher one goes first: what everything waits for, the longest pretraining, the rest of
# it, then the runs with the most images, so that no core is left with a long one at the end.
PRIORITY = {"images": 1003, "cam16": 1002, "pretraining": 1001}


wildcard_constraints:
    dataset="|".join([*DATASETS, *EXTERNAL]),
    external="[A-Za-z][A-Za-z0-9]*",
    split="|_grouped",
    network="resnet18|vgg16",
    encoder="|".join(ENCODER_KINDS),
    block=r"[a-z]+[0-9]*(?:\.[0-9]+)?",
    pixels="plain|masked",
    part="(?:all|test|replicate[0-9]+)(?:_grouped)?",
    image="torch|tools",
    digest="[0-9a-f]{12}",
    arm="[A-Za-z][A-Za-z0-9]*",
    fraction=r"[0-9]+(?:\.[0-9]+)?",
    replicate="[0-9]+(?:x[0-9]+)?",
    figure="[A-Za-z0-9_]+",


def script_of(rule_name):
    return f"scripts/{rule_name}.py"


def library_of(rule_name):
    """The library modules that a rule's script imports, so that an edit reruns just their users."""
    modules = modules_of(
        REPOSITORY / script_of(rule_name), REPOSITORY / "scripts" / "fewlabels"
    )
    return [path.relative_to(REPOSITORY).as_posix() for path in modules]


def most_images_first(wildcards):
    """Priority of a run."""
    return float(wildcards.fraction)


def flag(name, value):
    """A command line flag, or nothing where there is no value."""
    return f"{name} {shlex.quote(str(value))}" if value else ""


def as_json(value):
    return json.dumps(value, sort_keys=True)


def pathvar(name):
    return config["pathvars"][name]


def data_root():
    return (
        f"{pathvar('resources')}/synthetic/images" if SYNTHETIC else config["data_root"]
    )


def entry_of(dataset):
    """The config's entry of a data set; an external test set takes from wbc what it does not say."""
    if dataset not in EXTERNAL:
        return config["datasets"][dataset]
    wbc = config["datasets"]["wbc"]
    defaults = {"aliases": wbc["aliases"], "group_pattern": None}
    return defaults | config["external"][dataset] | {"classes": wbc["classes"]}


def folder_of(dataset):
    return os.path.join(data_root(), entry_of(dataset)["folder"])


def is_drawn(dataset):
    """Whether the data set lies among the synthetic images."""
    return SYNTHETIC and not os.path.isabs(entry_of(dataset)["folder"])


def raw_folder(wildcards):
    """The raw folder of a data set; asking for it is what a run without data fails on."""
    section = "external" if wildcards.dataset in EXTERNAL else "datasets"
    return existing_folder(
        folder_of(wildcards.dataset), f"{section}.{wildcards.dataset}.folder"
    )


def existing_folder(folder, key):
    if not SYNTHETIC and not os.path.isdir(folder):
        sys.exit(
            f"error: {folder} does not exist: set data_root and {key} in the config to your images, "
            "or try the workflow on synthetic ones with `make demo`"
        )
    return folder


@cache
def hash_of_listing(folder):
    return listing_hash(folder)


def raw_listing(wildcards):
    """Changes when images come or go. Synthetic images have their manifest as an input instead."""
    if is_drawn(wildcards.dataset):
        return "synthetic"
    return hash_of_listing(raw_folder(wildcards))


def synthetic_manifest(wildcards):
    return "<resources>/synthetic/manifest.csv" if SYNTHETIC else []


def dataset_value(key, default):
    """Access one key of the wildcard's data set, as JSON."""

    def value(wildcards):
        return as_json(entry_of(wildcards.dataset).get(key, default))

    return value


def group_pattern_flag(wildcards):
    return flag("--group-pattern", entry_of(wildcards.dataset)["group_pattern"])


def true_types(wildcards):
    if SYNTHETIC:
        return "<resources>/synthetic/prcc_types.csv"
    return config["datasets"]["prcc"]["true_types"] or []


def true_types_flag(wildcards, input):
    return flag("--true-types", input.true_types)


def is_given(fraction):
    return config["subsets"]["source"] == "given" and fraction != "100"


def given_folder(wildcards):
    if not is_given(wildcards.fraction):
        return ""
    folder = config["subsets"]["given"][wildcards.fraction]
    return existing_folder(
        os.path.join(data_root(), folder), f"subsets.given.{wildcards.fraction}"
    )


def given_folder_flag(wildcards):
    return flag("--given-folder", given_folder(wildcards))


def given_listing(wildcards):
    return (
        hash_of_listing(given_folder(wildcards)) if is_given(wildcards.fraction) else ""
    )


def seeds_of(replicate):
    """Subset seed and initialisation seed: the replicate "2" has 2 for both, "1x2" has 1 and 2."""
    subset, _, initialisation = replicate.partition("x")
    return subset, initialisation or subset


def initialisation_seed(wildcards):
    return seeds_of(wildcards.replicate)[1]


def subset_seed(wildcards):
    # Given subsets are the same for every replicate, and so is every image at 100 %.
    return 0 if is_given(wildcards.fraction) else int(seeds_of(wildcards.replicate)[0])


def split_suffix(arm):
    """What the files of an arm's split are called after: nothing for the given one."""
    return "_grouped" if config["arms"][arm].get("split") == "grouped" else ""


def arm_index(wildcards):
    return f"<results>/images/wbc{split_suffix(wildcards.arm)}_index.csv"


def run_subset(wildcards):
    subset, _ = seeds_of(wildcards.replicate)
    suffix = split_suffix(wildcards.arm)
    return f"<results>/subsets/replicate{subset}/wbc_{wildcards.fraction}{suffix}.csv"


def validation_flags(wildcards):
    if config["classification"]["selection"] != "validation":
        return ""
    share = flag("--validation-share", config["subsets"]["validation_share"])
    return f"{share} --keep-slides-whole" if wildcards.split else share


def validation_output():
    """Predictions on the validation images, where there may be some."""
    if config["classification"]["selection"] != "validation":
        return []
    return "<results>/validation/replicate{replicate}/{arm}_wbc_{fraction}.csv"


def validation_output_flag(wildcards, output):
    return flag("--validation", output.validation)


def classifier_training():
    """The settings of the WBC classifiers' training, as JSON."""
    return as_json(
        {k: v for k, v in config["classification"].items() if k != "selection"}
    )


def weights_file(network):
    """One file per source, so that the demo's random weights never replace ImageNet's."""
    source = config["weights"][network]
    name = source if source in ("imagenet", "random") else "given"
    return f"<resources>/weights/{network}_{name}.pth"


def given_weights(wildcards):
    """A path in the config is an input: the rule runs again when that file changes."""
    source = config["weights"][wildcards.network]
    return [] if source in ("imagenet", "random") else source


ENCODER_FILES = {
    "imagenet_resnet18": weights_file("resnet18"),
    "resnet_cam16": "<results>/models/resnet_cam16.pt",
    "pRCC_clustered_resnet": "<results>/models/pRCC_clustered_resnet.pt",
    "pRCC_autoencoder": "<results>/models/pRCC_autoencoder.pt",
}


def encoder_checkpoints(wildcards):
    return [
        ENCODER_FILES[choice["encoder"]]
        for choice in config["arms"][wildcards.arm]["encoders"]
    ]


def masked_images(dataset, use):
    """The masked images, only where they are used: else a change of masks must not rerun the model."""
    return f"<results>/masked/{dataset}.npy" if use != "off" else []


def masked_ids(dataset, use):
    return f"<results>/masked/{dataset}_ids.csv" if use != "off" else []


def arm_masks(wildcards):
    return config["arms"][wildcards.arm]["masks"]


def arm_masked_images(wildcards):
    return masked_images("wbc", arm_masks(wildcards))


def arm_masked_ids(wildcards):
    return masked_ids("wbc", arm_masks(wildcards))


def masked_flags(wildcards, input):
    return " ".join(
        [flag("--masked", input.masked), flag("--masked-ids", input.masked_ids)]
    )


def arm_encoders(wildcards):
    return as_json(config["arms"][wildcards.arm]["encoders"])
