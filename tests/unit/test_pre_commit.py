"""The hooks before a commit call what `make lint` calls, and fetch nothing."""

import re

import yaml
from builders import REPOSITORY

HOOKS = [
    (repository["repo"], hook)
    for repository in yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]
]


def lint_tools() -> set[str]:
    """The tools of `make lint`, with the subcommands of ruff."""
    makefile = (REPOSITORY / "Makefile").read_text()
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.M)[1]
    commands = re.findall(r"^\t\$\(RUN\) (?:[A-Z]+=\S+ )*(ruff \w+|[\w-]+)", recipe, re.M)
    assert len(commands) == recipe.count("$(RUN)")
    return set(commands)


def test_the_hooks_are_the_tools_of_make_lint():
    """But for Snakemake's own linter, which takes seconds and is no matter of single files."""
    entries = [hook["entry"] for _, hook in HOOKS]
    tools = [re.search(r"\.venv/bin/(ruff \w+|[\w-]+)", entry)[1] for entry in entries]
    assert sorted(tools) == sorted(lint_tools() - {"snakemake"})


def test_nothing_is_fetched():
    assert HOOKS
    for repository, hook in HOOKS:
        assert (repository, hook["language"]) == ("local", "system")


def test_no_hook_changes_a_file():
    formatters = [hook["entry"] for _, hook in HOOKS if re.search("format|snakefmt", hook["entry"])]
    assert len(formatters) == 2
    assert all("--check" in entry for entry in formatters)
