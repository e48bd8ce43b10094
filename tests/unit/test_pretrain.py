"""One command line for all methods of pretraining, and what the rules and a new method may rely on."""

import argparse
import json
import re
import shlex

import pytest
from builders import REPOSITORY, TRAINING

import pretrain
from fewlabels.pretraining.settings import METHODS, OnSeveralSets, Pretraining, Trained
from fewlabels.workflow.dependencies import modules_of

ON_TWO = {
    "datasets": ["cells", "kidney"],
    "start": "network",
    "trained": ["layer4"],
    "batch_norm": "frozen",
    "held_out": 0.2,
    "seed": 7,
}
START = {"encoder": "network", "trained": ["layer4"], "batch_norm": "frozen"}
#: A declaration of each method, with every key that it has.
DECLARED = {
    "supervised": {
        "dataset": "cells",
        "start": "network",
        "labels": "clusters",
        "masks": "append",
        "trained": ["layer4"],
        "batch_norm": "frozen",
        "seed": 7,
    },
    "autoencoder": {"dataset": "cells", "channels": [4, 8], "latent_size": 6, "seed": 7},
    "extract": {"dataset": "cells", "start": "network", "node": "fc"},
    "cluster": {"features": "some", "pca_dimensions": 5, "clusters": 3, "seed": 7},
    "contrastive": {
        **ON_TWO,
        "temperature": 0.7,
        "projection_size": 9,
        "crop": 0.3,
        "colour": 0.1,
        "grey": 0.15,
        "blur": 0.25,
    },
    "masked_images": {**ON_TWO, "patch_size": 8, "mask_share": 0.7},
    "multi_source": {**ON_TWO, "labels": "clusters"},
}
#: What the parsed options of these must be.
EXPECTED = {
    "supervised": {
        "mask_use": "append",
        "encoder": START,
    },
    "autoencoder": {"channels": [4, 8], "latent_size": 6},
    "extract": {"node": "fc"},
    "cluster": {"pca_dimensions": 5, "clusters": 3, "seed": 7},
    "contrastive": {
        **{"encoder": START, "datasets": ["cells", "kidney"], "held_out": 0.2},
        **{"temperature": 0.7, "projection_size": 9, "crop": 0.3},
        **{"colour": 0.1, "grey": 0.15, "blur": 0.25},
    },
    "masked_images": {
        **{"encoder": START, "datasets": ["cells", "kidney"], "held_out": 0.2},
        **{"patch_size": 8, "mask_share": 0.7},
    },
    "multi_source": {"encoder": START, "datasets": ["cells", "kidney"], "held_out": 0.2},
}
RULES = (REPOSITORY / "rules/pretrain.smk").read_text(encoding="utf-8")


def declaration(method: str) -> Pretraining:
    return METHODS[method](method=method, **DECLARED[method])


def options_of(method: str) -> dict[str, argparse.Action]:
    parser = pretrain.build_parser(method)
    return {option: action for action in parser._actions for option in action.option_strings}


def flags(names) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in names]


def command_line(method: str) -> list[str]:
    """A whole command line, put together as rules/inputs.smk does."""
    entry = declaration(method)
    words = [str(word) for word in entry.options()]
    inputs = list(entry.starts)
    if hasattr(entry, "dataset"):
        inputs += ["index", "images"]
    for flag in flags([*inputs, *entry.files]):
        words += [flag, f"file of {flag}"]
    if isinstance(entry, OnSeveralSets):
        words += ["--indexes", "first", "second", "--images", "first", "second"]
    if isinstance(entry, Trained):
        words += ["--training", json.dumps(TRAINING), "--seed", "7", "--resize", "pad"]
    if entry.runs_network:
        words += ["--device", "cpu", "--precision", "float32", "--threads", "2"]
    return words


@pytest.mark.parametrize("method", METHODS)
def test_what_is_declared_is_what_the_method_is_given(method):
    words = command_line(method)
    given = vars(pretrain.build_parser(method).parse_args(words))
    assert EXPECTED[method].items() <= given.items()
    for flag in flags([*METHODS[method].starts, *METHODS[method].files]):
        assert given[flag[2:].replace("-", "_")] == f"file of {flag}"
    if issubclass(METHODS[method], Trained):
        assert (given["seed"], given["resize"]) == (7, "pad")
        assert given["training"].plain().items() >= TRAINING.items()
    # Shells get the words as they are.
    assert shlex.split(shlex.join(words)) == words


@pytest.mark.parametrize("method", METHODS)
def test_the_files_that_a_method_writes_are_required_and_described(method, capsys):
    with pytest.raises(SystemExit) as leaving:
        pretrain.main([method, "--help"])
    assert leaving.value.code == 0
    text = capsys.readouterr().out
    assert f"pretrain.py {method}" in text
    assert pretrain.method_module(method).__doc__.strip().splitlines()[0] in text
    for flag in flags(METHODS[method].files):
        assert flag in text
        action = options_of(method)[flag]
        assert action.required
        assert action.help


@pytest.mark.parametrize("method", METHODS)
def test_what_others_start_from_is_a_file_that_the_method_writes(method):
    entry = METHODS[method]
    assert {"encoder": "checkpoint"}.get(entry.gives, entry.gives) in entry.files
    # Names of files tell whose they are.
    assert all("{name}" in path for path in entry.files.values())


def test_no_two_methods_write_the_same_file():
    """Pretrainings of different methods have different names: keys of one section of the config."""
    for method, entry in METHODS.items():
        paths = list(entry.files.values())
        assert len(set(paths)) == len(paths), method


def test_help_names_every_method(capsys):
    for words in ([], ["--help"]):
        with pytest.raises(SystemExit) as leaving:
            pretrain.main(words)
        assert leaving.value.code == 0
        text = capsys.readouterr().out
        for method, entry in METHODS.items():
            assert re.search(rf"^{method} +{re.escape(entry.__doc__)}$", text, re.M)


def test_an_unknown_method_is_told_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as leaving:
        pretrain.main(["superwised", "--index", "a"])
    assert leaving.value.code == 2
    text = capsys.readouterr().err
    assert "superwised" in text
    assert all(method in text for method in METHODS)


def test_a_missing_argument_is_no_traceback(capsys):
    with pytest.raises(SystemExit) as leaving:
        pretrain.main(["cluster"])
    assert leaving.value.code == 2
    assert "--features" in capsys.readouterr().err


def test_the_rules_call_this_script_and_write_to_its_folders():
    for part in (
        'script=script_of("pretrain")',
        'library=library_of("pretrain", entry.method)',
        "{input.script:q} {params.method}",
        "<logs>/pretrain/{pretraining}.log",
        "<benchmarks>/pretrain/{pretraining}.tsv",
    ):
        assert part in RULES


@pytest.mark.parametrize("method", METHODS)
def test_a_method_depends_on_its_own_module_and_on_no_other_methods(method):
    package = REPOSITORY / "scripts/fewlabels"
    modules = modules_of(
        REPOSITORY / "scripts/pretrain.py", package, package / f"pretraining/{method}.py"
    )
    names = {path.stem for path in modules if path.parent.name == "pretraining"}
    assert names & METHODS.keys() == {method}
    # Clustering runs without torch.
    folders = {path.parent.name for path in modules}
    assert ("networks" in folders) == METHODS[method].runs_network
