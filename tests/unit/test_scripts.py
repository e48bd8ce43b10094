"""What all scripts have in common, and how the rules call them."""

import argparse
import importlib
import re

import pytest
from builders import REPOSITORY, SCRIPTS

RULE = re.compile(r"^rule (\w+):\n((?:[ \t]+.*\n|\n)*)", re.MULTILINE)
RULES = {
    name: body
    for path in sorted((REPOSITORY / "rules").glob("*.smk"))
    for name, body in RULE.findall(path.read_text(encoding="utf-8"))
}
#: Flags that a function in rules/common.smk or inputs.smk writes into a rule's command line.
WRITTEN_BY_PARAMS = {
    "{params.masked}": ["--masked", "--masked-ids"],
    "{params.group_pattern}": ["--group-pattern"],
    "{params.given_folder}": ["--given-folder"],
    "{params.true_types}": ["--true-types"],
    "{params.synthetic}": ["--synthetic"],
    "{params.grouped_index}": ["--grouped-index"],
    "{params.validation}": ["--validation-share", "--keep-slides-whole"],
    "{params.held_out}": ["--validation"],
    "{params.activations}": ["--activations"],
    "{params.external_sets}": ["--external", "--external-indexes"],
    "{params.budget}": ["--budget-gb"],
    "{params.images}": ["--test", "--train", "--subset", "--flips", "--rotation"],
}


def options_of(script: str) -> dict[str, argparse.Action]:
    parser = importlib.import_module(script).build_parser()
    return {option: action for action in parser._actions for option in action.option_strings}


def options_in_rule(name: str) -> set[str]:
    shell = RULES[name].split("shell:", 1)[1]
    found = set(re.findall(r'[" ](--[a-z0-9-]+)', shell))
    for param, options in WRITTEN_BY_PARAMS.items():
        if param in shell:
            found.update(options)
    return found


def test_the_scripts_were_found():
    assert len(SCRIPTS) >= 16
    assert len(RULES) >= 16


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_a_thin_command_line(script):
    module = importlib.import_module(script)
    assert module.__doc__.strip()
    assert isinstance(module.build_parser(), argparse.ArgumentParser)
    assert callable(module.run)
    assert callable(module.main)


@pytest.mark.parametrize("script", SCRIPTS)
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


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_its_rule(script):
    assert script in RULES
    assert f'script=script_of("{script}")' in RULES[script]
    assert f'library=library_of("{script}")' in RULES[script]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_calls_the_script_of_its_name_with_options_it_knows(rule):
    assert rule in SCRIPTS
    known = options_of(rule)
    used = options_in_rule(rule)
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
