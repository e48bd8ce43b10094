"""Words of the user's that Snakemake, a shell or a command line could take for something else, in every key of the
config that takes any text: they arrive as they are, or are refused with one line.
"""

import os
import re
import shutil
from copy import deepcopy
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import yaml
from changed_configs import FILES, merged, overlay, write_own_files
from conftest import REPOSITORY
from own_images import SHORT
from printed_commands import DryRun, read_jobs
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from test_config_in_commands import METHOD_OF, sections_in

from fewlabels.core.config_paths import expand_path
from fewlabels.core.errors import UserError
from fewlabels.workflow.config_model import Config
from fewlabels.workflow.configuration import load_config
from fewlabels.workflow.experiment import plan_experiment

DEFAULT = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
#: Several at once, as each dry run takes seconds.
ODD = ["{2} {input}", "-x 50%s c*?", 'it\'s "so" $_$', "--title=a\\b", "ü;|&# <b>"]

#: Key that takes any text -> its place in the changed config.
ANY_TEXT = {
    "data_root": "data_root",
    "datasets.*.title": "datasets.cam16.title",
    "datasets.*.folder": "datasets.cam16.folder",
    "datasets.*.images": "datasets.cam16.images",
    "datasets.*.masks": "datasets.cam16.masks",
    "datasets.*.mask_name": "datasets.cam16.mask_name",
    "datasets.*.table": "datasets.wbc.table",
    "datasets.*.true_types": "datasets.prcc.true_types",
    "datasets.*.classes": "datasets.cam16.classes",
    "datasets.*.aliases": "datasets.cam16.aliases",
    "datasets.*.splits": "datasets.cam16.splits",
    "datasets.*.group_pattern": "datasets.cam16.group_pattern",
    "external.*.folder": "external.TestA.folder",
    "external.*.images": "external.TestA.images",
    "external.*.table": "external.TestB.table",
    "external.*.aliases": "external.TestA.aliases",
    "external.*.group_pattern": "external.TestA.group_pattern",
    "new_images": "new_images",
    "subsets.given": "subsets.given",
    "backbones.*.weights": "backbones.imagenet_resnet18.weights",
    "backbones.*.licence": "backbones.imagenet_resnet18.licence",
    "pretraining.supervised.title": "pretraining.resnet_cam16.title",
    "pretraining.extract.node": "pretraining.prcc_feature.node",
    "arms.*.title": "arms.resnet.title",
    "containers.torch": "containers.torch",
    "containers.tools": "containers.tools",
    "pathvars.results": "pathvars.results",
    "pathvars.logs": "pathvars.logs",
    "pathvars.benchmarks": "pathvars.benchmarks",
    "pathvars.resources": "pathvars.resources",
}
#: Key that takes the name of something declared -> its place: anything else is refused.
NAMES = {
    "target": "target",
    "experiment.arms": "experiment.arms",
    "statistics.baseline": "statistics.baseline",
    "table.figures": "table.figures",
    "arms.*.encoders.*.encoder": "arms.resnet.encoders.0.encoder",
    "pretraining.supervised.dataset": "pretraining.resnet_cam16.dataset",
    "pretraining.supervised.start": "pretraining.resnet_cam16.start",
    "pretraining.supervised.labels": "pretraining.kidney_resnet.labels",
    "pretraining.autoencoder.dataset": "pretraining.pRCC_autoencoder.dataset",
    "pretraining.extract.dataset": "pretraining.prcc_feature.dataset",
    "pretraining.extract.start": "pretraining.prcc_feature.start",
    "pretraining.cluster.features": "pretraining.blood_label.features",
    "pretraining.contrastive.datasets": "pretraining.similar_views.datasets",
    "pretraining.contrastive.start": "pretraining.similar_views.start",
    "pretraining.masked_images.datasets": "pretraining.spotted_patches.datasets",
    "pretraining.masked_images.start": "pretraining.spotted_patches.start",
    "pretraining.multi_source.datasets": "pretraining.two_sources.datasets",
    "pretraining.multi_source.start": "pretraining.two_sources.start",
    "pretraining.multi_source.labels": "pretraining.two_sources.labels",
    "arms.*.preset": "arms.resnet.preset",
}
TRAINED = ("supervised", "autoencoder", "contrastive", "masked_images", "multi_source")
#: Keys that take settings or numbers by names, all of which are checked: tests/unit/test_configuration.py.
SETTINGS = {
    *("training.defaults", "training.classification", "arms.*.training", "table.reported"),
    *(f"pretraining.{name}.training" for name in TRAINED),
    "training.presets",
}
PATHS = {
    "data_root",
    "subsets.given",
    "new_images",
    *(key for key in ANY_TEXT if re.search("folder|table|weig|types|cont|pathv", key)),
}


def takes_any_text(annotation: Any, metadata: list[Any]) -> bool:
    """Whether a value, or an entry of a list or map, may be any text."""
    if any(getattr(one, "pattern", None) for one in metadata):
        return False
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        fields = [one for one in more if isinstance(one, FieldInfo)]
        return takes_any_text(inner, [below for one in fields for below in one.metadata])
    if get_origin(annotation) is Literal or sections_in(annotation):
        return False
    return annotation is str or any(takes_any_text(one, []) for one in get_args(annotation))


def free_keys(model: type[BaseModel], above: str = "") -> set[str]:
    """The keys of a model that take any text; * stands for a name of the user's."""
    found = set()
    for name, field in model.model_fields.items():
        key = f"{above}.{name}".lstrip(".")
        if takes_any_text(field.annotation, field.metadata):
            found.add(key)
        for section in sections_in(field.annotation):
            step = "" if field.annotation is section else f".{METHOD_OF.get(section, '*')}"
            found |= free_keys(section, f"{key}{step}")
    return found


def test_every_key_that_takes_any_text_is_tried():
    assert free_keys(Config) == {*ANY_TEXT, *NAMES, *SETTINGS}


def value_of(key: str, odd: str) -> Any:
    """A value of a key that has an odd text in it."""
    end = key.rpartition(".")[2]
    path = odd.replace("$", "$$") if key in PATHS else odd
    special = {
        "images": f"{{split}}/{path}/{{class}}" if "datasets" in key else f"{path}/{{class}}",
        "masks": f"{{split}}/{path}/{{class}}",
        "mask_name": f"{{stem}}{odd}",
        "classes": [odd, "clear"],
        "aliases": {odd: "clear"},
        "splits": {"test": odd},
        "group_pattern": f"^(?P<slide>[0-9]{{2}}){re.escape(odd)}$",
        "given": {"60": path},
        "new_images": {"clinic": path},
        "arms": [odd],
        "datasets": [odd],
        "figures": {"figure4": odd},
        "table": f"{path}_{key.partition('.')[0]}.csv",
        "true_types": f"{path}.csv",
        "weights": f"{path}.pth",
        **{name: f"{path}.{name}" for name in ("results", "logs", "benchmarks", "resources")},
    }
    return special.get(end, path)


def with_values(config: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A config with some values, by their places, laid over it."""
    for place, value in values.items():
        *above, last = place.split(".")
        if "encoders" in above:
            config = deepcopy(config)
            config["arms"][above[1]]["encoders"][0][last] = value
            continue
        config = merged(config, {last: value} if not above else nested(above, last, value))
    return config


GIVEN, SYNTHETIC = overlay("given"), overlay("synthetic")


ON_SEVERAL_SETS = set(SYNTHETIC["pretraining"]) - set(GIVEN["pretraining"])


def nested(above: list[str], last: str, value: Any) -> dict[str, Any]:
    for step in reversed([*above, last]):
        value = {step: value}
    return value


def answer(values: dict[str, Any]) -> str | None:
    """What the config says to values at some places; None where it takes them."""
    # Only one of the changed configs declares methods on several sets.
    several = any(place.split(".")[1:2] == [name] for place in values for name in ON_SEVERAL_SETS)
    base = SYNTHETIC if several else GIVEN
    try:
        plan_experiment(load_config(DEFAULT, with_values(base, values)))
    except UserError as error:
        return str(error)
    return None


def taken(odd: str) -> dict[str, Any]:
    """Place -> value, of all keys that take an odd text."""
    values = {place: value_of(key, odd) for key, place in ANY_TEXT.items()}
    return {place: value for place, value in values.items() if answer({place: value}) is None}


@pytest.mark.parametrize("odd", ODD)
def test_a_key_takes_odd_text_or_says_in_one_line_why_not(odd):
    for key, place in {**ANY_TEXT, **NAMES}.items():
        line = answer({place: value_of(key, odd)})
        if key in NAMES:
            assert line, key
        if line:
            assert line.startswith("config: ")
            assert f"'{place}" in line
            assert "\n" not in line
    # Texts for reading and folders of images may be anything.
    named = (
        "title",
        "licence",
        "folder",
        "table",
        "classes",
        "group_pattern",
        "node",
        "data_root",
        "given",
        "new_images",
    )
    keys = [key for key in ANY_TEXT if key.endswith(named)]
    assert len(keys) == 15
    assert {ANY_TEXT[key] for key in keys} - {"datasets.cam16.classes"} <= set(taken(odd))


def write_files(folder, config) -> None:
    """Write what the config names, where it is not there under its usual name."""
    root = folder / expand_path(config["data_root"])
    if not root.exists():
        os.rename(folder / "pictures", root)
    for path in (config["datasets"]["cam16"]["folder"], config["external"]["TestA"]["folder"]):
        (root / expand_path(path)).mkdir(exist_ok=True)
    for path in (config["subsets"]["given"]["60"], config["new_images"]["clinic"]):
        (root / expand_path(path)).mkdir(exist_ok=True)
    for path, text in (
        (root / expand_path(config["datasets"]["wbc"]["table"]), FILES["pictures/blood/list.csv"]),
        (
            root / expand_path(config["external"]["TestB"]["table"]),
            FILES["pictures/others/list.csv"],
        ),
        (folder / expand_path(config["datasets"]["prcc"]["true_types"]), FILES["kidney_types.csv"]),
        (folder / expand_path(config["backbones"]["imagenet_resnet18"]["weights"]), ""),
    ):
        path.write_text(text)


#: Place of a value -> jobs of a dry run that get it, and by which option.
ARRIVES = {
    "datasets.cam16.title": ("summarize", "target_title"),
    "datasets.cam16.folder": ("index_images dataset=cam16", "layout.folder"),
    "datasets.cam16.images": ("index_images dataset=cam16", "layout.images"),
    "datasets.cam16.masks": ("index_images dataset=cam16", "layout.masks"),
    "datasets.cam16.mask_name": ("index_images dataset=cam16", "layout.mask_name"),
    "datasets.cam16.classes": ("train_classifier arm=lite fraction=60 replicate=4", "classes"),
    "datasets.cam16.group_pattern": ("index_images dataset=cam16", "layout.group_pattern"),
    "datasets.wbc.table": ("index_images dataset=wbc", "layout.table"),
    "datasets.prcc.true_types": ("pretrain_prcc_cluster_label", "true_types"),
    "external.TestA.folder": ("index_images dataset=TestA", "layout.folder"),
    "external.TestA.images": ("index_images dataset=TestA", "layout.images"),
    "external.TestA.group_pattern": ("index_images dataset=TestA", "layout.group_pattern"),
    "external.TestB.table": ("index_images dataset=TestB", "layout.table"),
    "backbones.imagenet_resnet18.weights": (
        "fetch_weights backbone=imagenet_resnet18",
        "weights",
    ),
    "backbones.imagenet_resnet18.licence": ("summarize", "licences.imagenet_resnet18"),
    "pretraining.resnet_cam16.title": ("summarize", "tables.2.title"),
    "pretraining.prcc_feature.node": ("pretrain_prcc_feature", "node"),
    "arms.resnet.title": ("summarize", "titles.resnet"),
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_texts_arrive_as_they_are(make_copy, odd):
    """All at once that the config takes."""
    workflow = make_copy()
    values = taken(odd)
    whole = with_values(merged(DEFAULT, GIVEN), values)
    write_own_files(workflow.folder)
    write_files(workflow.folder, whole)
    (workflow.folder / "odd.yaml").write_text(yaml.safe_dump(with_values(GIVEN, values)))
    options = ("--dry-run", "--printshellcmds", "--cores", "5", "--configfile", "odd.yaml")
    asked = f"{expand_path(whole['pathvars']['results'])}/predict/clinic/lite_cam16_60.csv"
    done = workflow.snakemake(*options, "--", "all", asked)
    assert done.returncode == 0, done.stdout[-3000:]
    run = DryRun(whole, [job for job in read_jobs(done.stdout) if job.rule != "all"], [])
    for place, (jobs, option) in ARRIVES.items():
        if place in values:
            found = {str(job.value(option)) for job in run.select(jobs)}
            path = place in {ANY_TEXT[key] for key in PATHS & set(ANY_TEXT)}
            expected = expand_path(values[place]) if path else str(values[place])
            assert found == {expected}, place
    assert run.one("plot_confusion arm=resnet").value("title") == f"resnet, {odd}"
    assert run.one("plot_curves figure=figure4").value("title") == "Figure 4: lite, the light one"
    given = run.select("draw_subsets fraction=60")[0].value("given_folder")
    assert given == f"{expand_path(whole['data_root'])}/{odd}"
    assert run.one("record_provenance").value("config.arms.resnet.title") == odd
    images = run.one("predict").value("images")
    assert str(images) == f"{expand_path(whole['data_root'])}/{odd}"


FOLDER = "my {2} cells; $x"
TITLE = "$_$ {2} a|b\n<script>"
REAL = {
    "pathvars": {"results": "results/odd"},
    "experiment": {"arms": ["resnet"]},
    "datasets": {
        "wbc": {
            "title": TITLE,
            "folder": FOLDER.replace("$", "$$"),
            "classes": ["-ve", "it's {2}"],
            "aliases": None,
            "group_pattern": "^(?P<slide>[0-9]{2})",
        }
    },
    "arms": {"resnet": {"title": f"-{TITLE}"}},
    "table": {"reported": None, "figures": {"figure4": "resnet", "figure5": "resnet"}},
}


def test_a_run_on_odd_names_gets_to_its_end(own):
    """Jobs get what dry runs show, and matplotlib and Markdown show it as it is."""
    for split in ("train", "val"):
        for kind in ("data", "mask"):
            for name, drawn in (("-ve", "Lymphocyte"), ("it's {2}", "Neutrophil")):
                source = own.folder / "images/WBC_100" / split / kind / drawn
                if source.is_dir():
                    shutil.copytree(source, own.folder / "images" / FOLDER / split / kind / name)
    (own.folder / "odd.yaml").write_text(yaml.safe_dump(REAL))
    wanted = ("summary.md", "figures/figure4.png", "figures/confusion/resnet.png")
    own.run(SHORT, "--", *(f"results/odd/{name}" for name in wanted), overlay="odd.yaml")
    results = own.folder / "results/odd"
    text = (results / "summary.md").read_text()
    shown = r"\$\_\$ {2} a\|b \<script\>"
    assert f"\n## Table 1: {shown}, by share" in text
    assert f"\n- `resnet`: -{shown}\n" in text
    header = (results / "predictions/replicate1/resnet_wbc_100.csv").read_text().splitlines()[0]
    assert "-ve" in header
    assert "it's {2}" in header
