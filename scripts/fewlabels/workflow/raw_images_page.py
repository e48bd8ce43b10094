"""The tables of docs/raw_images.md, from the code's own lists of problems and of files that are none.

Run as a module it writes them anew into its argument:
  python -m fewlabels.workflow.raw_images_page docs/raw_images.md
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import write_text
from fewlabels.data.problem_kinds import KINDS, LISTED, Kind

#: What stands between the marks is written by this module.
MARKS = "<!-- {name}: made by `make configuration` -->", "<!-- end of {name} -->"


def _keys(name: str, kind: Kind) -> str:
    keys = [f"`problems.{name}`"] if kind.choice else []
    keys += [f"`datasets.<name>.{key.strip()}`" for key in kind.key.split(",") if key]
    return ", ".join(keys) or "–"


def kinds_table() -> str:
    """Every kind of problem, in the order in which they are told, as a Markdown table."""
    lines = ["| kind | what is wrong | default | with `warn` | keys |", "|---|---|---|---|---|"]
    for name, kind in KINDS.items():
        default = f"`{kind.default}`" if kind.choice else "always stops"
        remains = kind.remains if kind.choice else "–"
        lines.append(f"| `{name}` | {kind.meaning} | {default} | {remains} | {_keys(name, kind)} |")
    return "\n".join(lines)


def listed_table() -> str:
    """Every reason for which a file is left out that is no problem, as a Markdown table."""
    lines = ["| reason | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in LISTED.items()]
    return "\n".join(lines)


TABLES = {"kinds of problems": kinds_table, "other files": listed_table}


def with_tables(text: str) -> str:
    """A page's text, with its tables written anew.

    Raises:
        UserError: the place of a table is not marked.
    """
    for name, table in TABLES.items():
        start, end = (mark.format(name=name) for mark in MARKS)
        if text.count(start) != 1 or text.count(end) != 1:
            raise UserError(f"the page lacks the line '{start}' or '{end}': add it")
        found = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
        before, after = found.split(text)
        text = f"{before}{start}\n\n{table()}\n\n{end}{after}"
    return text


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("page", type=Path, help="file to write the tables into")
    return parser


def run(arguments: argparse.Namespace) -> None:
    write_text(arguments.page, with_tables(arguments.page.read_text(encoding="utf-8")))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
