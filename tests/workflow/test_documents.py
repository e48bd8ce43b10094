"""What the documents claim about the workflow, compared with the workflow."""

import re
from pathlib import Path

import pytest
from conftest import Workflow, copy_repository
from own_images import draw_images
from pages import COMMANDS, README, blocks

REPOSITORY = Path(__file__).resolve().parents[2]


def rules_of_the_workflow(finished) -> set[str]:
    listed = finished.snakemake("--list-rules", "--configfile", "tests/tiny.yaml").stdout
    return set(re.findall(r"^([a-z]\w+)$", listed, re.M))


def test_the_rule_graph_shows_every_rule(finished):
    picture = (REPOSITORY / "docs/rulegraph.svg").read_text()
    shown = set(re.findall(r"<text[^>]*>(\w+)</text>", picture))
    # Images are built beside the workflow: no other rule waits for them. The others run where they are asked for.
    optional = {"split_by_group", "predict_external", "predict_masks", "export_model", "predict"}
    optional |= {"check_determinism"}
    rules = rules_of_the_workflow(finished) - {"build_container"} - optional
    assert len(rules) > 12
    assert shown == rules, "run `make rulegraph`"


def test_every_rule_has_a_script_of_its_name(finished):
    """All pretraining is by one script, in rules that the config names; some scripts are called by hand alone."""
    scripts = {path.stem for path in (REPOSITORY / "scripts").glob("*.py")}
    rules = rules_of_the_workflow(finished) - {"all"}
    pretraining = {name for name in rules if name.startswith("pretrain_")}
    assert len(pretraining) == 5
    by_hand = {"clean_cache", "doctor", "replay_batch", "watch"}
    assert scripts == rules - pretraining | {"pretrain"} | by_hand


# --- docs/outputs.md


def listed_outputs() -> dict[str, str]:
    """The files that the page of outputs lists, as patterns, and the rules beside them."""
    page = (REPOSITORY / "docs/outputs.md").read_text(encoding="utf-8")
    found = {}
    for line in re.findall(r"^\| (`.*) \|$", page, re.M):
        files, *_, rules = line.split(" | ")
        names = re.findall(r"`([^`]+)`", files)
        stem = names[0].rpartition(".")[0]
        for name in names:
            found[stem + name if name[0] in "._" else name] = rules
    return found


def matches(pattern: str, path: str) -> bool:
    parts = re.split(r"(<\w+>|…)", pattern)
    filled = {"…": ".+"}
    expression = "".join(
        "[^/]+" if part.startswith("<") else filled.get(part, re.escape(part)) for part in parts
    )
    return re.fullmatch(expression, path) is not None


def files_of_results(finished) -> list[str]:
    """What a run leaves below results/, but for logs, benchmarks and hidden files."""
    results = finished.folder / "results"
    paths = [path.relative_to(results) for path in results.rglob("*") if path.is_file()]
    shown = (path for path in paths if not any(part.startswith(".") for part in path.parts))
    return [path.as_posix() for path in shown if path.parts[0] not in ("logs", "benchmarks")]


def test_every_file_of_a_run_is_on_the_page_of_outputs(finished):
    files = files_of_results(finished)
    assert len(files) > 80
    outputs = listed_outputs()
    assert [path for path in files if not any(matches(one, path) for one in outputs)] == []


def test_what_the_page_of_outputs_lists_is_written(finished):
    files = files_of_results(finished)
    #: Not of this run, or gone after it.
    others = (
        "export/",
        "predict/",
        "predicted_masks/",
        "outdated/",
        "unfinished/",
        "feature_cache/",
        "determinism.json",
        "models/….diverged.json",
    )
    outputs = [pattern for pattern in listed_outputs() if not pattern.startswith(others)]
    assert len(outputs) > 40
    unwritten = [one for one in outputs if not any(matches(one, path) for path in files)]
    assert unwritten == []


def test_the_page_of_outputs_names_the_rules(finished):
    named = {name for rules in listed_outputs().values() for name in re.findall(r"`(\w+)`", rules)}
    rules = {
        "pretrain" if name.startswith("pretrain_") else name
        for name in rules_of_the_workflow(finished)
    }
    assert named <= rules
    # Theirs lie in images/states/, in resources/, or in another rule's folders.
    within = {"all", "build_container", "check_images", "draw_synthetic_images", "fetch_weights"}
    assert rules - named == within | {"predict_external", "publish_images", "split_by_group"}


# --- commands of the pages


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Workflow:
    """A copy of the repository beside drawn images in every place where a command of the pages looks for some."""
    workflow = copy_repository(tmp_path_factory.mktemp("reader"))
    images = workflow.folder / "images"
    draw_images(images)
    for place, names in {
        "pbc": ["WBC_100"],
        "real": ["WBC_100", "CAM16_100cls_10mask", "pRCC_nolabel"],
    }.items():
        (images / place).mkdir()
        for name in names:
            (images / place / name).symlink_to(images / name)
    (images / "new_cells").symlink_to(images / "cells/test")
    (workflow.folder / "data").symlink_to(images)
    [mine] = blocks(README, "yaml")
    assert mine.startswith("# mine.yaml")
    (workflow.folder / "mine.yaml").write_text(mine.replace("/home/me/images", "images"), "utf-8")
    return workflow


#: Words without -n, as all are planned alone -> the command.
DRY_RUN = {
    tuple(word for word in command.words if word != "-n"): command
    for command in COMMANDS
    if command.words[0] == "snakemake"
    # These need a cluster, containers, a locked folder or results.
    and not {"--profile", "--use-apptainer", "--unlock", "--report"} & set(command.words)
}


def test_commands_to_try_were_found():
    assert len(DRY_RUN) > 8


@pytest.mark.parametrize("words", DRY_RUN, ids=" ".join)
def test_a_command_of_the_pages_plans_a_run(words, reader):
    shown = [word.replace("FOLDER", "images") for word in words[1:]]
    done = reader.snakemake("--dry-run", *shown)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "train_classifier" in done.stdout
