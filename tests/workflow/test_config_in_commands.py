"""Every value of the config arrives where it belongs: dry runs with every value changed, and what their commands say.

Each printed command is read by its script's own parser, so that a flag that a rule drops, or gives another value, is
seen in what the script would get.
"""

import importlib
import json
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from changed_configs import LAYERS, dry_run
from conftest import REPOSITORY, copy_repository
from printed_commands import DryRun, Job, parser_of
from pydantic import BaseModel

from fewlabels.core.settings import TrainingSettings
from fewlabels.pretraining.settings import METHODS
from fewlabels.workflow.config_model import Config

#: Keys of the config that no command shows, and why.
UNSEEN = {
    "containers.torch": "shown with --use-apptainer alone: tests/containers",
    "containers.tools": "shown with --use-apptainer alone: tests/containers",
    "experiment.failed_runs": "of the scheduler, not of a job: test_faults.py",
}
#: Options that no rule gives, and why.
NEVER_GIVEN = {
    "draw_synthetic_images --mask-share": "the share of the real sets; the config has no key for it",
    "export_model --licence": "of what is passed on, which whoever does so states by hand",
    **{
        f"predict --{option}": "of who predicts by hand; the rule takes what the models bring along"
        for option in ("calibration", "uncalibrated", "risk", "min-probability", "confidence")
    },
    **{
        f"predict --{option}": "of who predicts by hand; no probability depends on it"
        for option in ("left-out", "thumbnails", "batch-size")
    },
    "predict --white-level": "as of the training images",
    **dict.fromkeys(
        ("find_errors --mistakes", "find_errors --most", "find_errors --others"),
        "how much the report shows; no result depends on it",
    ),
}
#: Options that rules give, with the parser's default in all of these runs, and why.
NEVER_CHANGED = {
    "record_provenance --containers": "images are named with --use-apptainer alone: tests/containers",
}


@dataclass(frozen=True)
class Place:
    """Where a value of a changed config is expected: in all jobs of a rule with some wildcards, at one option."""

    run: str
    key: str
    jobs: str
    option: str
    expected: Any = ...

    @classmethod
    def of(cls, line: str) -> "Place":
        """Read a line of expected_places.txt."""
        place, equals, value = line.partition(" = ")
        run, key, *jobs, option = place.split()
        return cls(run, key, " ".join(jobs), option, json.loads(value) if equals else ...)

    def __str__(self) -> str:
        return f"{self.run}-{self.key}-{self.jobs.replace(' ', '-')}-{self.option}"


def lines_of(name: str) -> list[str]:
    """The lines of a table beside this file, without remarks."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


PLACES = [Place.of(line) for line in lines_of("expected_places.txt")]


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> dict[str, DryRun]:
    """Name -> dry run of a changed config."""
    return {name: dry_run(copy_repository(tmp_path_factory.mktemp(name)), name) for name in LAYERS}


def sections_in(annotation: Any) -> list[type[BaseModel]]:
    """The sections of a config that an annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for inner in get_args(annotation) for section in sections_in(inner)]


def leaves_of(annotation: Any, key: str) -> list[str]:
    """The keys of values, at and below one; * stands for a name of the user's, pretraining.X for a method."""
    if key == "training.defaults":
        annotation = TrainingSettings
    leaves = []
    for section in (sections := sections_in(annotation)):
        # A map or a list of sections has a step in between.
        step = "" if annotation is section else f".{METHOD_OF.get(section, '*')}"
        for name, field in section.model_fields.items():
            leaves += leaves_of(field.annotation, f"{key}{step}.{name}".lstrip("."))
    return leaves if sections else [key]


METHOD_OF = {section: name for name, section in METHODS.items()}
LEAVES = leaves_of(Config, "")


def leaves_at(key: str, config: dict) -> set[str]:
    """The leaves that a key of a config is, is part of or holds."""
    section, *rest = key.split(".")
    if section == "pretraining":
        rest[0] = config["pretraining"][rest[0]]["method"]
    elif section in ("datasets", "external", "backbones", "arms"):
        rest[:1] = ["*"]
    if rest[1:2] == ["encoders"]:
        rest[2:3] = ["*"]
    general = ".".join([section, *rest]) + "."
    return {
        leaf for leaf in LEAVES if f"{leaf}.".startswith(general) or general.startswith(f"{leaf}.")
    }


def values_of(config: Any, key: str = "") -> dict[str, Any]:
    """Key -> value, of all values of a config."""
    if not isinstance(config, dict) or not config:
        return {key: config}
    below = (values_of(value, f"{key}.{name}".lstrip(".")) for name, value in config.items())
    return {key: value for found in below for key, value in found.items()}


def value_at(config: dict, key: str) -> Any:
    for step in key.split("."):
        config = config[int(step) if isinstance(config, list) else step]
    return config


DEFAULT = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))


def test_every_value_of_the_config_is_changed_in_some_run(runs):
    changed = [values_of(run.config) for run in runs.values()]
    unchanged = [
        key
        for key, value in values_of(DEFAULT).items()
        # A method says which keys an entry has; all of them are run.
        if not key.endswith(".method")
        and not leaves_at(key, DEFAULT) <= set(UNSEEN)
        and all(run.get(key) == value for run in changed)
    ]
    assert unchanged == []


def test_every_key_of_the_model_has_its_place_in_a_command(runs):
    """A new key of the config must be given a line in expected_places.py, or a reason why no command shows it."""
    shown = set()
    for place in PLACES:
        (leaf,) = leaves_at(place.key, runs[place.run].config)
        shown.add(leaf)
    assert shown.isdisjoint(UNSEEN)
    assert set(LEAVES) == shown | set(UNSEEN)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_value_stands_in_its_place(runs, place):
    run = runs[place.run]
    expected = value_at(run.config, place.key) if place.expected is ... else place.expected
    jobs = run.select(place.jobs)
    assert [job.value(place.option) for job in jobs] == [expected] * len(jobs)


@pytest.mark.parametrize("name", LAYERS)
def test_the_provenance_gets_the_whole_config(runs, name):
    given = runs[name].one("record_provenance").value("config")
    assert {key: given[key] for key in DEFAULT} == runs[name].config


SCRIPTS = sorted(path.stem for path in (REPOSITORY / "scripts").glob("*.py"))
COMMANDS = [
    (script, method)
    for script in SCRIPTS
    for method in (METHODS if script == "pretrain" else [None])
    # Not part of a run, with tests of their own in tests/unit.
    if script not in ("build_container", "clean_cache", "doctor", "replay_batch", "watch")
]


def jobs_of(runs: dict[str, DryRun], script: str, method: str | None) -> list[Job]:
    jobs = [job for run in runs.values() for job in run.jobs]
    return [job for job in jobs if (job.script, job.method) == (script, method)]


@pytest.mark.parametrize(("script", "method"), COMMANDS)
def test_every_option_of_a_script_is_given_by_its_rule(runs, script, method):
    """With a value of its own: one that equals the parser's default would hide that the rule has dropped it."""
    jobs = jobs_of(runs, script, method)
    assert jobs
    dropped, always_the_default = set(), set()
    for action in parser_of(script, method)._actions:
        option = action.option_strings[-1]
        given = [job.arguments for job in jobs if option in job.options]
        name = f"{script} {method} {option}" if method else f"{script} {option}"
        if action.dest != "help" and not given:
            dropped.add(name)
        elif all(getattr(arguments, action.dest) == action.default for arguments in given):
            always_the_default.add(name)
    scripts_own = f"{script} {method} " if method else f"{script} "
    assert dropped == {name for name in NEVER_GIVEN if name.startswith(scripts_own)}
    assert always_the_default - {f"{scripts_own}--help"} == {
        name for name in NEVER_CHANGED if name.startswith(scripts_own)
    }


def test_every_command_is_known_to_its_script(runs):
    """Reading a command with the parser fails on an unknown option and on a missing one that is required."""
    jobs = [job for run in runs.values() for job in run.jobs]
    assert {job.script for job in jobs} == {script for script, _ in COMMANDS}
    for job in jobs:
        assert vars(job.arguments)


@pytest.mark.parametrize("name", LAYERS)
def test_a_job_waits_for_every_file_that_its_command_names(runs, name):
    run = runs[name]
    made = {path for job in run.jobs for path in job.listed("output")}
    for job in run.jobs:
        own = {*job.listed("output"), *job.listed("log")}
        named = {word.removeprefix("slide_only=") for word in job.values} & made
        assert named - own <= set(job.inputs), job.rule
        assert job.log in job.listed("log")


#: Scripts that start another one.
STARTS = {"check_determinism": "train_classifier"}


@pytest.mark.parametrize("name", LAYERS)
def test_a_job_depends_on_its_script_and_on_what_that_imports(runs, name):
    modules_of = importlib.import_module("fewlabels.workflow.dependencies").modules_of
    folder = REPOSITORY / "scripts"
    for job in runs[name].jobs:
        more = [folder / f"fewlabels/pretraining/{job.method}.py"] if job.method else []
        scripts = [folder / f"{name}.py" for name in (job.script, STARTS.get(job.script)) if name]
        modules = [modules_of(script, folder / "fewlabels", *more) for script in scripts]
        paths = chain(scripts, *modules)
        assert set(job.program) == {path.relative_to(REPOSITORY).as_posix() for path in paths}


@pytest.mark.parametrize(
    "line", lines_of("expected_inputs.txt"), ids=lambda line: line.partition(":")[0]
)
def test_a_job_reads_these_files(runs, line):
    """Also those that its command does not name, as scripts find them beside others, or that it only waits for."""
    jobs, _, paths = line.partition(":")
    for job in runs["drawn"].select(jobs):
        assert sorted(job.inputs) == sorted(paths.split())


ARMS = [
    f"{arm}{suffix}"
    for suffix in ("", "Grouped")
    for arm in ("combinedNet", "resnetTwoStages", "resnet", "lite", "combinedNetClustered")
]
FRACTIONS = ("60", "7.5", "3perclass")
TABLED = [f"replicate{r}/{arm}_cam16_{f}" for arm in ARMS for f in FRACTIONS for r in (4, 7, 9)]
CROSSED = [f"replicate{r}/{arm}_cam16_7.5" for arm in ARMS for r in ("4", "4x9", "9", "9x4")]
CLASSIFIERS = ["kidney_resnet", "pRCC_clustered_resnet", "resnet_cam16"]
ENCODERS = [*CLASSIFIERS, "kidney_autoencoder", "pRCC_autoencoder"]
EXTERNAL = [f"{run}_on_{name}" for run in TABLED for name in ("TestA", "TestB")]
INDEXES = [f"out/images/{name}_index.csv" for name in ("cam16", "TestA", "TestB")]


def files(folder: str, names: list[str], ending: str = "csv") -> list[str]:
    return [f"out/{folder}/{name}.{ending}" for name in names]


TEST_SETS = ["out/runs.csv", *INDEXES, *files("predictions", [*TABLED, *EXTERNAL])]
SEEN_IMAGES = ["images/cam16", "images/TestA", "images/TestB", "masked/cam16"]
#: Rule -> input files, of those that read the files of many runs.
OF_MANY_RUNS = {
    "evaluate": [
        *TEST_SETS,
        "out/labels.csv",
        *files("predictions", [*CLASSIFIERS, "slide_only"]),
        *files("history", [*TABLED, *CLASSIFIERS]),
        *files("validation", TABLED),
    ],
    "compare": [*TEST_SETS, "out/labels.csv"],
    "label_efficiency": [*TEST_SETS, "out/labels.csv"],
    "find_errors": ["out/runs.csv", *files("predictions", [*TABLED, *EXTERNAL])],
    "explain_errors": [
        *("out/runs.csv", "out/report/errors.csv", "out/label_errors.csv"),
        *files("models", TABLED, "pt"),
        *(f"out/{name}.{ending}" for name in SEEN_IMAGES for ending in ("npy", "csv")),
    ],
    "count_labels": [
        "out/runs.csv",
        *files("history", TABLED),
        *files("subsets", [f"replicate{r}/cam16_{f}" for f in FRACTIONS for r in (4, 7, 9)]),
        *files(
            "subsets", [f"replicate{r}/cam16_{f}_grouped" for f in FRACTIONS for r in (4, 7, 9)]
        ),
    ],
    "spread": ["out/runs.csv", *files("predictions", CROSSED)],
    "collect_costs": [
        "out/runs.csv",
        *files("records", sorted({*TABLED, *CROSSED, *ENCODERS}), "json"),
    ],
    "plot_curves figure=figure4": [
        "out/runs.csv",
        *files("history", [run for run in TABLED if "/lite_" in run]),
    ],
    "summarize_benchmarks": [
        *(
            "out/summary.csv",
            "out/summary.md",
            "out/figures/figure4.png",
            "out/figures/figure5.png",
            "out/figures/label_efficiency.png",
            "out/figures/label_efficiency.svg",
        ),
        *files("figures/confusion", ARMS, "png"),
        "out/report.html",
    ],
    "report": [
        *("out/runs.csv", "out/labels.csv", "out/comparisons.csv", "out/label_efficiency.csv"),
        *("out/spread.csv", "out/costs.csv", "out/provenance.json", "out/masked/cam16.csv"),
        *files("metrics", ["evaluate", "confusion"]),
        *files("leakage", ["check_leakage", "compared", "slide_only"]),
        *files("clusters", ["prcc_cluster_label_quality", "blood_label_quality"]),
        *(
            f"out/images/{name}_{ending}"
            for name in ("cam16", "prcc", "wbc", "TestA", "TestB")
            for ending in ("index.csv", "problems.csv", "left_out.csv", "reading.json")
        ),
        *(path for folder in ("history", "predictions") for path in files(folder, TABLED)),
        *files("records", TABLED, "json"),
        *("out/report/errors.json", "out/report/pictures.json"),
    ],
}


@pytest.mark.parametrize("jobs", OF_MANY_RUNS)
def test_a_job_waits_for_every_run_that_it_reads(runs, jobs):
    assert set(runs["drawn"].one(jobs).inputs) == set(OF_MANY_RUNS[jobs])


def test_the_page_is_made_anew_where_a_template_is_edited(runs):
    folder = REPOSITORY / "scripts/fewlabels/reporting/page/templates"
    templates = {path.relative_to(REPOSITORY).as_posix() for path in folder.iterdir()}
    assert len(templates) > 10
    assert templates <= set(runs["drawn"].one("report").listed("input"))


def test_a_run_makes_all_results(runs):
    names = [
        "report.html",
        "summary.csv",
        "summary.md",
        "comparisons.csv",
        "spread.csv",
        "costs.csv",
    ]
    names += ["labels.csv", "label_efficiency.csv", "label_errors.csv"]
    names += ["figures/label_efficiency.png", "figures/label_efficiency.svg"]
    names += ["provenance.json", "benchmarks.csv", "leakage/leakage.md", "leakage/slide_only.csv"]
    names += ["figures/figure4.png", "figures/figure5.png", "masked/cam16_contact_sheet.png"]
    names += ["data.md", "images/check_datasets.csv", "leakage/heeded.txt", "networks/heeded.txt"]
    sets = ("cam16", "prcc", "wbc", "TestA", "TestB")
    names += [f"images/states/{name}/heeded.txt" for name in sets]
    expected = [*(f"out/{name}" for name in names), *files("figures/confusion", ARMS, "png")]
    assert sorted(runs["drawn"].wanted) == sorted(expected)
