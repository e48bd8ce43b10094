"""docs/commands.md and docs/errors.md say what the parsers and the sources say."""

import argparse
import ast
import os
import re
from pathlib import Path

import pytest
from builders import REPOSITORY, SCRIPTS

from fewlabels.workflow import commands_page, errors_page
from fewlabels.workflow.commands_page import cell, make_targets, options_table
from fewlabels.workflow.errors_page import PLACES, Message, heading_of, messages_in, text_of

COMMANDS = (REPOSITORY / "docs/commands.md").read_text(encoding="utf-8")
ERRORS = (REPOSITORY / "docs/errors.md").read_text(encoding="utf-8")
TROUBLES = (REPOSITORY / "docs/troubleshooting.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("module", "text"), [(commands_page, COMMANDS), (errors_page, ERRORS)])
def test_a_page_is_what_the_code_says(module, text, tmp_path):
    assert module.main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == text, "run `make configuration`"


def test_the_machine_does_not_change_the_page(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(77)))
    monkeypatch.setattr(os, "cpu_count", lambda: 77)
    assert commands_page.page() == COMMANDS
    assert str(REPOSITORY) not in COMMANDS


def test_every_script_and_make_target_is_there():
    for name in SCRIPTS:
        assert f"### {name}.py\n" in COMMANDS
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    assert {name for name, _ in make_targets(makefile)} == targets > {"demo", "test", "docs"}


def test_scripts_of_rules_have_a_rule():
    rules = "".join(path.read_text(encoding="utf-8") for path in REPOSITORY.glob("rules/*.smk"))
    for name in set(SCRIPTS) - set(commands_page.BY_HAND):
        assert f'script_of("{name}")' in rules


def test_options_come_with_values_defaults_and_meaning():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=3, help="of a | b <c>")
    parser.add_argument("--kind", choices=["x", "y"], required=True, help="which; not %(default)s")
    parser.add_argument("--quick", action="store_true", help="less")
    parser.add_argument("--files", nargs="+", type=Path, default=[REPOSITORY / "data"])
    parser.add_argument("--hidden", help=argparse.SUPPRESS)
    assert options_table("any", parser)[2:] == [
        "| `--size` | whole number | `3` | of a \\| b &lt;c> |",
        "| `--kind` | `x`, `y` | required | which; not None |",
        "| `--quick` | – | – | less |",
        "| `--files` | path, several | – |  |",
    ]


def test_cells_hold_no_markup():
    assert cell("a | b\n  <c> *d*") == "a \\| b &lt;c> \\*d\\*"


@pytest.mark.parametrize(
    ("source", "says", "remedy"),
    [
        ('UserError("a file is gone: add it")', "a file is gone", "add it"),
        ('UserError(f"{path} has {n} rows: " + did_you_mean(a, b))', "… has … rows", "did you mean …?"),
        ('UserError(f"key \'{key}\' is wrong: set averaging: ema")', "key '…' is wrong", "set averaging: ema"),
        ('UserError(f"{a}{b} is empty")', "… is empty", ""),
        ('UserError(f"{a} must be: {b} or more")', "… must be", "… or more"),
    ],
)  # fmt: skip
def test_a_message_is_parted_into_what_it_says_and_the_remedy(source, says, remedy):
    assert list(messages_in(f"raise {source}")) == [Message(says, remedy)]


@pytest.mark.parametrize(
    "source", ['UserError(f"config: {error}")', "UserError(line)", 'ValueError("no: remedy")']
)
def test_messages_of_another_place_are_left_to_it(source):
    assert list(messages_in(f"raise {source}")) == []


def test_what_is_filled_in_is_left_open():
    assert text_of(ast.parse("f'{x:g} of {f(y)}' + z", mode="eval").body) == "… of ……"


def test_every_source_has_its_heading():
    assert heading_of("fewlabels/workflow/experiment.py") == "The config"
    assert heading_of("fewlabels/data/slides.py") == "Images, tables and masks"
    assert heading_of("summarize.py") == list(PLACES)[-1]
    for title in PLACES:
        assert ERRORS.count(f"## {title}\n") == 1
        assert ERRORS.split(f"## {title}\n")[1].split("\n## ")[0].count("\n| ") > 4


def quoted(heading: str) -> list[str]:
    """What lines say that a part of the page of troubles quotes, in code."""
    part = TROUBLES.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (.*?) \| ", part, re.MULTILINE)[2:]
    return [text for one in cells for text in re.findall(r"`([^`]+)`(?! \()", one)]


@pytest.mark.parametrize("heading", ["Before the first job", "Networks and weights"])
def test_troubles_quote_lines_that_there_are(heading):
    assert len(quoted(heading)) > 4
    for text in quoted(heading):
        assert f"| {cell(text)} |" in ERRORS, text


def test_troubles_of_images_are_kinds_or_lines():
    kinds = (REPOSITORY / "docs/raw_images.md").read_text(encoding="utf-8")
    assert len(quoted("Images")) > 7
    for text in quoted("Images"):
        kind = f"| `{text.replace(' ', '_')}` |" in kinds
        assert kind or f"| {cell(text)} |" in ERRORS, text
