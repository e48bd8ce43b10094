# Config access, wildcards and helpers. No rules here.
import json
import os
import re
import shlex
import sys
from functools import cache
from pathlib import Path

from snakemake.pathvars import Pathvars

REPOSITORY = Path(workflow.basedir)
sys.path.insert(0, str(REPOSITORY / "scripts"))

from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.core.fractions import PATTERN as FRACTION_PATTERN
from fewlabels.core.fractions import holding_all, priority_of
from fewlabels.core.interruption import PARENT
from fewlabels.core.run_sheet import run_pattern
from fewlabels.data.datasets import folders_read
from fewlabels.pretraining.settings import (
    Cluster,
    OnSeveralSets,
    Supervised,
    Trained,
)
from fewlabels.workflow.config_files import check_config_files, without_empty
from fewlabels.workflow.config_model import WEIGHTS
from fewlabels.workflow.configuration import load_config
from fewlabels.workflow.dependencies import modules_of
from fewlabels.workflow.experiment import (
    dataset_of,
    plan_experiment,
    pretraining_training,
    reported_numbers,
)
from fewlabels.workflow.frozen_encoders import backbones_behind, transductive_arms
from fewlabels.workflow.raw_data import RawData

# `python` in a rule means the interpreter that runs Snakemake, whether its environment is activated or
# not. A container has a PATH of its own.
os.environ.update(
    PATH=os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
)
# Steps leave when this process is no more; their shell waits until they have, though it gets their signals, too.
os.environ[PARENT] = str(os.getpid())
shell.prefix("trap : TERM HUP; set -euo pipefail; ")

try:
    if workflow.is_main_process:
        check_config_files(workflow.configfiles)
        # Jobs on other machines get their names.
        workflow.config_settings.configfiles = without_empty(
            workflow.config_settings.configfiles
        )
    CONFIG = load_config(config, workflow.config_settings.overwrite_config)
    EXPERIMENT = plan_experiment(CONFIG)
    PRETRAINING = EXPERIMENT.pretraining
    DECLARED_AS = EXPERIMENT.planned.declared_as
    PRETRAINING_SETTINGS = {
        name: pretraining_training(CONFIG, DECLARED_AS[name])
        for name, entry in PRETRAINING.items()
        if isinstance(entry, Trained)
    }
except UserError as error:
    sys.exit(f"error: {error}")

# Snakemake itself puts these into paths, and read them before `~` and variables were expanded.
config["pathvars"] = CONFIG.pathvars.plain()
workflow.pathvars.update(Pathvars.from_config(config))

TARGET = CONFIG.target
DATASETS = EXPERIMENT.datasets
EXTERNAL = sorted(CONFIG.external)
ARMS = list(EXPERIMENT.arms)
RUNS = EXPERIMENT.runs
TABLED = [run for run in RUNS if run.tabled]
CROSSED = [run for run in RUNS if run.crossed]
# Whose network and training `check_determinism` tries.
BASELINE_RUN = next(
    (run for run in TABLED if run.arm == CONFIG.statistics.baseline), TABLED[0]
)
FRACTIONS = list(dict.fromkeys(run.fraction for run in TABLED))
RUN = run_pattern(TARGET)
FIGURES = sorted(
    figure for figure, arm in CONFIG.table.figures.items() if arm in EXPERIMENT.arms
)
LABEL_EFFICIENCY_FIGURES = [
    f"<results>/figures/label_efficiency.{ending}" for ending in ("png", "svg")
]
# Pretrained classifiers have a table each.
PRETRAINED_CLASSIFIERS = [
    name for name, entry in PRETRAINING.items() if isinstance(entry, Supervised)
]
PRETRAINED = [name for name, entry in PRETRAINING.items() if entry.gives == "encoder"]
MASKED = [name for name in DATASETS if CONFIG.datasets[name].masks]
# How the epoch of the predictions is chosen; with `validation` runs also write predictions on validation images.
SELECTION = CONFIG.experiment.selection
# Whether test and validation images are masked where an arm's training images are.
TEST_MASKS = CONFIG.experiment.test_masks
SYNTHETIC = CONFIG.synthetic.draw
THREADS = CONFIG.compute.threads
# A GPU job takes one GPU; with device: cpu none, so that a laptop trains several models at a time.
GPU = 0 if CONFIG.compute.device == "cpu" else 1

# Of jobs that could start, the higher one goes first: what everything waits for, the longest pretraining, the rest of
# it, then the runs with the most images, so that no core is left with a long one at the end.
PRIORITY = {"images": 1003, "labelled": 1002, "pretraining": 1001}


wildcard_constraints:
    dataset="|".join([*DATASETS, *EXTERNAL]),
    content="drawn|[0-9a-f]{12}",
    place=f"{TARGET}_|states/{TARGET}_(?:drawn|[0-9a-f]{{12}})/",
    checked="leakage|networks|images/states/[^/]+",
    external="[A-Za-z][A-Za-z0-9]*",
    new_images="[A-Za-z][A-Za-z0-9]*",
    split="|_grouped",
    given="|_[0-9a-f]{12}",
    backbone="[A-Za-z][A-Za-z0-9_]*",
    source="default|packaged|random|given",
    encoder="|".join([*CONFIG.backbones, *PRETRAINING]),
    frozen="all|before-[A-Za-z0-9_.+-]+",
    pixels="plain|masked",
    views="asis|flips|turns|flips\\+turns",
    part="(?:all|test|replicate[0-9]+)(?:_grouped)?",
    image="torch|tools",
    digest="[0-9a-f]{12}",
    arm="[A-Za-z][A-Za-z0-9]*",
    fraction=FRACTION_PATTERN,
    replicate="[0-9]+(?:x[0-9]+)?",
    # label_efficiency.png has a rule of its own.
    figure="|".join(FIGURES) or "none",


def script_of(rule_name):
    return f"scripts/{rule_name}.py"


def library_of(rule_name, method=None):
    """The library modules that a rule's script imports, so that an edit reruns just their users."""
    package = REPOSITORY / "scripts" / "fewlabels"
    more = [package / "pretraining" / f"{method}.py"] if method else []
    modules = modules_of(REPOSITORY / script_of(rule_name), package, *more)
    return [path.relative_to(REPOSITORY).as_posix() for path in modules]


def most_images_first(wildcards):
    """Priority of a run."""
    return priority_of(wildcards.fraction)


def flag(name, value):
    """A command line flag, or nothing where there is no value. With `=`, a value may begin with `-`."""
    return f"{name}={shlex.quote(str(value))}" if value else ""


def as_is(value):
    """A parameter that may hold the user's words: in a plain text Snakemake would take {2} for a wildcard."""
    return lambda wildcards: value


def as_json(value):
    return json.dumps(value, sort_keys=True)


def pathvar(name):
    return config["pathvars"][name]


def unfinished_state(name):
    """How the file begins that a training's state is kept in while it runs: no output, as those of failed jobs go."""
    return f"{pathvar('results')}/unfinished/{name}"


RAW_DATA = RawData(CONFIG, pathvar("resources"))


def data_root():
    return RAW_DATA.root


def layout_of(dataset):
    return RAW_DATA.layout_of(dataset)


def layout_json(wildcards):
    return as_json(layout_of(wildcards.dataset).plain())


def external_flag(wildcards):
    return "--external" if wildcards.dataset in EXTERNAL else ""


def folder_of(dataset):
    return RAW_DATA.folder_of(dataset)


def is_drawn(dataset):
    return RAW_DATA.is_drawn(dataset)


def section_of(dataset):
    return RAW_DATA.section_of(dataset)


def section_of_set(wildcards):
    return section_of(wildcards.dataset)


def checked_folder(dataset):
    """The raw folder of a data set; asking for it is what a run without data fails on."""
    try:
        return RAW_DATA.check_dataset(dataset)
    except UserError as error:
        sys.exit(f"error: {error}")


def raw_folder(wildcards):
    return checked_folder(wildcards.dataset)


def synthetic_manifest(wildcards):
    return "<resources>/synthetic/manifest.csv" if SYNTHETIC else []


def is_given(fraction):
    return CONFIG.subsets.source == "given" and fraction != "100"


def given_folder_of(fraction):
    folder = RAW_DATA.given_folder_of(fraction)
    try:
        return RAW_DATA.check_folder(folder, f"subsets.given.{fraction}")
    except UserError as error:
        sys.exit(f"error: {error}")


def given_folder(wildcards):
    if not is_given(wildcards.fraction):
        return ""
    return given_folder_of(wildcards.fraction)


def given_folder_flags(wildcards):
    folder = given_folder(wildcards)
    if not folder:
        return ""
    layout = as_json(layout_of(TARGET).plain())
    policy = as_json(CONFIG.problems.plain())
    return " ".join(
        [
            flag("--given-folder", folder),
            flag("--layout", layout),
            flag("--key", section_of(TARGET)),
            flag("--policy", policy),
        ]
    )


def subset_masked_table(wildcards):
    """Says which masks of the target are applied, if it has masks."""
    return f"<results>/masked/{TARGET}.csv" if TARGET in MASKED else []


def masked_table_flag(wildcards, input):
    return flag("--masked-table", input.masked_table)


RUN_OF = {(run.arm, run.fraction, run.replicate): run for run in RUNS}


def run_of(wildcards):
    """The row of the run sheet that the wildcards of a run name."""
    return RUN_OF[wildcards.arm, wildcards.fraction, wildcards.replicate]


def run_facts(wildcards):
    """Which run it is, for its checkpoint."""
    facts = ("arm", "target", "fraction", "replicate")
    return as_json({fact: getattr(run_of(wildcards), fact) for fact in facts})


def arm_of(wildcards):
    return EXPERIMENT.arms[wildcards.arm]


def initialisation_seed(wildcards):
    return run_of(wildcards).initialisation_seed


def subset_seed(wildcards):
    # Given subsets are the same for every replicate, and so is every image at 100 %.
    return 0 if is_given(wildcards.fraction) else int(wildcards.replicate)


def split_suffix(arm):
    """What the files of an arm's split are called after: nothing for the given one."""
    return "_grouped" if EXPERIMENT.arms[arm].split == "grouped" else ""


def index_of(dataset, suffix=""):
    return f"<results>/images/{dataset}{suffix}_index.csv"


def arm_index(wildcards):
    return index_of(TARGET, split_suffix(wildcards.arm))


def run_subset(wildcards):
    return subset_of(run_of(wildcards))


def validation_flags(wildcards):
    if SELECTION != "validation":
        return ""
    share = flag("--validation-share", CONFIG.subsets.validation_share)
    return f"{share} --keep-slides-whole" if wildcards.split else share


def validation_output():
    """Predictions on the validation images, where there may be some."""
    return f"<results>/validation/{RUN}.csv" if SELECTION == "validation" else []


def validation_output_flag(wildcards, output):
    return flag("--validation", output.validation)


def arm_training(wildcards):
    """The settings of a run's training, as JSON."""
    return as_json(arm_of(wildcards).training.plain())


def arm_unlabelled(wildcards):
    """How a run uses the training images outside its subset, as a flag."""
    used = arm_of(wildcards).recipe.unlabelled
    return flag("--unlabelled", as_json(used.plain()) if used.method != "off" else None)


def weights_file(backbone):
    """One file per source, so that the demo's random weights never replace ImageNet's."""
    declared = CONFIG.backbones[backbone]
    named = "given" if declared.file else declared.weights
    return f"<resources>/weights/{backbone}_{CONFIG.images.size}_{named}.pth"


def given_weights(wildcards):
    """A path in the config is an input: the rule runs again when that file changes."""
    path = CONFIG.backbones[wildcards.backbone].file
    if path and not os.path.isfile(path):
        sys.exit(
            f"error: config: key 'backbones.{wildcards.backbone}.weights' is '{path}', which is no file: "
            f"give the path of one, or {', '.join(WEIGHTS)}"
        )
    return path or []


def encoder_file(name):
    """Where the weights of an encoder lie."""
    if name in CONFIG.backbones:
        return weights_file(name)
    return pretraining_file(name, "checkpoint")


def pretraining_file(name, output):
    """One of the files that a pretraining writes."""
    path = PRETRAINING[name].files[output].format(name=name)
    return f"<results>/{path}"


def encoders_of_run(wildcards):
    """The names of what a run starts from, each made for its initialisation where replicates have their own."""
    seed = initialisation_seed(wildcards)
    return [
        EXPERIMENT.planned.name_for(choice.encoder, seed)
        for choice in arm_of(wildcards).recipe.encoders
    ]


def encoder_checkpoints(wildcards):
    return [encoder_file(name) for name in encoders_of_run(wildcards)]


def arm_encoders(wildcards):
    return as_json([choice.plain() for choice in arm_of(wildcards).recipe.encoders])
