"""What all scripts have in common, and how the rules call them."""

import argparse
import importlib
import re

import pytest
from builders import REPOSITORY, SCRIPTS

SOURCES = [
    path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "rules").glob("*.smk"))
]
RULE = re.compile(r"^rule (\w+):\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)
RULES = {name: body for source in SOURCES for name, body in RULE.findall(source)}
FUNCTION = re.compile(r"^def (\w+)\(.*\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)
FUNCTIONS = {name: body for source in SOURCES for name, body in FUNCTION.findall(source)}
FLAG = r"(?<![\w-])--[a-z][a-z0-9-]*"
#: Its rules stand in a loop: see test_pretrain.py.
OTHERS = {"pretrain"}
#: People call them, and no rule does.
BY_HAND = {"clean_cache", "doctor", "replay_batch", "watch"}


def options_of(script: str) -> dict[str, argparse.Action]:
    parser = importlib.import_module(script).build_parser()
    return {option: action for action in parser._actions for option in action.option_strings}


def flags_in(text: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """The flags that some source writes, itself or by the rules' functions that it names."""
    found = set(re.findall(FLAG, text))
    for name in set(re.findall(r"\w+", text)) & FUNCTIONS.keys() - seen:
        found |= flags_in(FUNCTIONS[name], seen | {name})
    return found


def options_in_rule(body: str) -> set[str]:
    """The flags of a rule's command line, those too that its params write."""
    params = dict(re.findall(r"^ +(\w+)=(.*?),\n(?= +\w+=| {4}\w+:|\Z)", body, re.M | re.S))
    shell = body.split("shell:", 1)[1]
    found = set(re.findall(FLAG, shell))
    for name in re.findall(r"\{params\.(\w+)\}", shell):
        found |= flags_in(params[name])
    return found


def test_the_scripts_were_found():
    assert len(SCRIPTS) >= 22
    assert set(RULES) | OTHERS | BY_HAND == set(SCRIPTS)
    assert len(FUNCTIONS) >= 60


def test_flags_that_params_write_are_found():
    """A few by hand, so that the search above does find what it looks for."""
    assert "--subsets" in options_in_rule(RULES["cache_features"])
    assert {"--validation-share", "--layout"} <= options_in_rule(RULES["draw_subsets"])
    assert "--synthetic" in options_in_rule(RULES["summarize"])
    assert "--sha256" in options_in_rule(RULES["fetch_weights"])
    assert "--masked" in options_in_rule(RULES["train_classifier"])


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_a_thin_command_line(script):
    module = importlib.import_module(script)
    assert module.__doc__.strip()
    assert isinstance(module.build_parser(), argparse.ArgumentParser)
    assert callable(module.run)
    assert callable(module.main)


@pytest.mark.parametrize("script", sorted(set(SCRIPTS) - OTHERS - BY_HAND))
def test_help_describes_the_outputs(script, capsys):
    with pytest.raises(SystemExit) as leaving:
        importlib.import_module(script).main(["--help"])
    assert leaving.value.code == 0
    text = capsys.readouterr().out
    outputs = re.findall(r"(--[a-z0-9-]+) \{output", RULES[script])
    assert outputs
    for option in outputs:
        assert option in text
        assert options_of(script)[option].help
        assert options_of(script)[option].required


@pytest.mark.parametrize("script", sorted(set(SCRIPTS) - OTHERS - BY_HAND))
def test_every_script_has_its_rule(script):
    assert f'script=script_of("{script}")' in RULES[script]
    assert f'library=library_of("{script}")' in RULES[script]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_calls_the_script_of_its_name_with_options_it_knows(rule):
    known = options_of(rule)
    used = options_in_rule(RULES[rule])
    assert used <= set(known)
    required = {option for option, action in known.items() if action.required}
    assert required <= used


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_has_a_log_and_a_benchmark_under_its_name(rule):
    assert f"<logs>/{rule}/" in RULES[rule]
    assert f"<benchmarks>/{rule}/" in RULES[rule]


def test_a_missing_argument_is_no_traceback(capsys):
    with pytest.raises(SystemExit) as leaving:
        importlib.import_module("evaluate").main([])
    assert leaving.value.code == 2
    assert "--results" in capsys.readouterr().err
