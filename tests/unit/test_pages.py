"""README and docs lead somewhere, and what they tell to type exists."""

import ast
import importlib
import importlib.util
import re
import subprocess
import sys

import pytest
import yaml
from builders import REPOSITORY, SCRIPTS
from configs import plan
from pages import (
    ALL_PAGES,
    COMMANDS,
    DOCS,
    PROGRAMS,
    README,
    STANDS_FOR,
    Command,
    anchors,
    blocks,
    commands,
    links,
    name_of,
    prose,
)
from snakemake.cli import get_argument_parser

MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.M))
#: What Snakemake reads its command line by.
OPTIONS = get_argument_parser()
#: Programs of the system, which pages tell to call.
SYSTEM = {".", "apt-get", "squeue", "scancel", "apptainer"}


def of(*programs: str) -> list[Command]:
    return [command for command in COMMANDS if command.words[0] in programs]


def test_the_pages_were_found():
    assert len(ALL_PAGES) > 20
    assert len(COMMANDS) > 40
    assert sum(len(links(page)) for page in ALL_PAGES) > 90


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200


def test_the_readme_leads_to_every_page():
    assert {f"docs/{page.relative_to(REPOSITORY / 'docs').as_posix()}" for page in DOCS} <= {
        link.split("#")[0] for link in links(README)
    }


@pytest.mark.parametrize("page", ALL_PAGES, ids=name_of)
def test_links_and_anchors_lead_somewhere(page):
    for link in links(page):
        if re.match(r"https?://|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(REPOSITORY), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", ALL_PAGES, ids=name_of)
def test_pictures_have_a_text_in_their_place(page):
    for text in re.findall(r"!\[([^\]]*)\]", prose(page)):
        assert len(text) > 15, text


def test_anchors_are_told_apart(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `b` & c\n## [Link](x.md): two, (three)\n```\n# no title\n```\n", "utf-8")
    assert anchors(page) == {"a-b--c", "link-two-three"}


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_pages_of_the_site_stay_in_it(page):
    """The site is made of docs/ alone."""
    for link in links(page):
        if "://" not in link and not link.startswith("#"):
            assert (page.parent / link.split("#")[0]).resolve().is_relative_to(REPOSITORY / "docs")


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_calls_a_known_program(command):
    assert command.words[0] in {*PROGRAMS, *SYSTEM} or "=" in command.words[0]


def test_the_readme_shows_the_two_commands():
    shown = {command.words for command in commands(README)}
    assert {("make", "demo"), ("make", "test")} <= shown


@pytest.mark.parametrize("command", of("make"), ids=str)
def test_make_commands_have_their_target_and_variables(command):
    for word in command.words[1:]:
        name, given, _ = word.partition("=")
        assert f"$({name})" in MAKEFILE if given else name in TARGETS


@pytest.mark.parametrize(
    "command",
    [command for command in of("python", "python3") if "-c" not in command.words],
    ids=str,
)
def test_scripts_take_the_options_that_pages_give_them(command):
    program, *words = command.words[1:]
    if program == "-m":
        assert importlib.util.find_spec(words[0])
        return
    if re.search(r"NAME|<rule>", program):
        return
    assert (REPOSITORY / program).is_file()
    name = program.removeprefix("scripts/").removesuffix(".py")
    if name in SCRIPTS:
        importlib.import_module(name).build_parser().parse_args(words)
        return
    source = (REPOSITORY / program).read_text(encoding="utf-8")
    for option in (word for word in words if word.startswith("--")):
        assert f'"{option}"' in source


def read_config(path: str) -> str:
    return "" if path in STANDS_FOR else (REPOSITORY / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", of("snakemake"), ids=str)
def test_snakemake_commands_can_be_read_and_planned(command):
    arguments = OPTIONS.parse_args(list(command.words[1:]))
    for profile in arguments.profile or []:
        assert (REPOSITORY / profile / "config.yaml").is_file()
    texts = [read_config(str(path)) for path in arguments.configfile or []]
    for entry in command.values_of("--config"):
        key, _, value = entry.partition("=")
        texts.append(yaml.safe_dump({key: yaml.safe_load(value)}))
    assert plan(*texts).runs


YAML = [
    pytest.param(block, id=f"{name_of(page)}-{number}")
    for page in [README, *DOCS]
    if page.name != "configuration.md"  # see test_configuration_page.py
    for number, block in enumerate(blocks(page, "yaml"))
]


def test_blocks_of_settings_were_found():
    assert len(YAML) > 10


@pytest.mark.parametrize("block", YAML)
def test_a_block_of_settings_can_be_planned(block):
    assert plan(block).runs


@pytest.mark.parametrize("page", ALL_PAGES, ids=name_of)
def test_blocks_of_python_can_be_read(page):
    for block in blocks(page, "python"):
        ast.parse(block)


def test_the_site_is_built_without_a_complaint(tmp_path):
    """Strictly: a page that the menu lacks, a link or an anchor that leads nowhere is an error."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= len(DOCS)
    for page in pages:
        loaded = re.findall(
            r"<(?:script|link|img)[^>]*? (?:src|href)=\"?(https?:[^\" >]+)", page.read_text("utf-8")
        )
        assert loaded == [], page.name
