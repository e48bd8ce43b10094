"""docs/commands.md: every command line of the repository, from the Makefile and from the scripts' own parsers.

Run as a module it writes the page to its argument:
  python -m fewlabels.workflow.commands_page docs/commands.md
"""

import argparse
import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import write_text
from fewlabels.pretraining.settings import METHODS

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPTS = REPOSITORY / "scripts"
#: Scripts that people call; the others are called by the rule of their name.
BY_HAND = (
    *("doctor", "watch", "predict", "export_model", "build_container", "clean_cache"),
    "replay_batch",
)
#: Options whose default comes of the machine's cores: script and option -> what it is.
BY_CORES = {
    ("predict", "--decoders"): "all cores",
    ("predict", "--threads"): "all cores but one",
}
INTRODUCTION = """\
# Command lines

Made by `make configuration` from the Makefile and from the scripts' own parsers; edit those, not this page.

Run them in the environment: `. .venv/bin/activate`. `python scripts/NAME.py --help` says the same.
"""


def make_targets(makefile: str) -> list[tuple[str, str]]:
    """The targets of a Makefile that `make help` lists, each with what it says of it."""
    return re.findall(r"^([a-z-]+):.*?## (.*)$", makefile, re.MULTILINE)


def cell(text: str) -> str:
    """A text as it may stand in a cell of a Markdown table."""
    flat = " ".join(text.split())
    return flat.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def _values(action: argparse.Action) -> str:
    """What an option takes, in words."""
    if action.choices:
        return ", ".join(f"`{choice}`" for choice in action.choices)
    if action.nargs == 0:
        return "–"
    words: dict[object, str] = {int: "whole number", float: "number", Path: "path"}
    kind = words.get(action.type, "JSON" if "JSON" in (action.help or "") else "text")
    return f"{kind}, several" if action.nargs in ("*", "+") else kind


def _default(action: argparse.Action) -> str:
    """What an option is where nobody gives it."""
    if action.required:
        return "required"
    value = action.default
    if action.nargs == 0 or value in (None, "", argparse.SUPPRESS) or value == []:
        return "–"
    if isinstance(value, Path):
        value = value.relative_to(REPOSITORY) if value.is_relative_to(REPOSITORY) else value
    plain = isinstance(value, str | int | float | Path)
    return f"`{value}`" if plain else "–"


def options_table(script: str, parser: argparse.ArgumentParser) -> list[str]:
    """The options of a script's parser but `--help`, as lines of a Markdown table."""
    lines = ["| option | values | default | meaning |", "| --- | --- | --- | --- |"]
    formatter = parser._get_formatter()
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction) or action.help is argparse.SUPPRESS:
            continue
        name = ", ".join(f"`{text}`" for text in action.option_strings) or f"`{action.dest}`"
        meaning = cell(formatter._expand_help(action)) if action.help else ""
        by_cores = [BY_CORES.get((script, text)) for text in action.option_strings]
        default = next(filter(None, by_cores), None) or _default(action)
        lines.append(f"| {name} | {_values(action)} | {default} | {meaning} |")
    return lines


def _lines_of(title: str, level: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    described = (parser.description or "").strip("\n")
    yield from (f"{level} {title}", "", "```text", described, "```", "")
    table = options_table(title.partition(".")[0], parser)
    if len(table) > 2:
        yield from (*table, "")


def _lines_of_script(name: str) -> Iterator[str]:
    # By its name: the library never imports a script.
    module = importlib.import_module(name)
    yield from _lines_of(f"{name}.py", "###", module.build_parser())
    for method in METHODS if name == "pretrain" else ():
        yield from _lines_of(f"{name}.py {method}", "####", module.build_parser(method))


def page() -> str:
    """The page's text."""
    names = sorted(path.stem for path in SCRIPTS.glob("*.py"))
    lines = [INTRODUCTION, "## make", "", "| command | what it does |", "| --- | --- |"]
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    lines += [f"| `make {name}` | {cell(text)} |" for name, text in make_targets(makefile)]
    lines += ["", "## Scripts for use by hand", ""]
    for name in (name for name in BY_HAND if name in names):
        lines += _lines_of_script(name)
    lines += ["## Scripts of the rules", "", "Each is run by the rule of its name.", ""]
    for name in names:
        if name not in BY_HAND:
            lines += _lines_of_script(name)
    return "\n".join(lines).rstrip("\n") + "\n"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("page", help="file to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    sys.path.insert(0, str(SCRIPTS))
    write_text(arguments.page, page())


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
