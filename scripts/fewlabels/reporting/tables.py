"""From metrics to the readable summary: cells and tables in Markdown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from fewlabels.core.errors import UserError
from fewlabels.core.failed_runs import FAILED

Row = dict[str, str]
#: Without a value: an en dash, so that no cell is blank.
NOTHING = "–"


def markdown_text(text: str) -> str:
    r"""Text of the user's for any place in Markdown, a table's cell too: on one line, and shown as it was written.

    >>> markdown_text("a|b\n<i> $x$"), markdown_text("snake_case")
    ('a\\|b \\<i\\> \\$x\\$', 'snake_case')
    """
    on_one_line = " ".join(text.split())
    # An underscore within a word is no emphasis.
    return re.sub(r"[\\`*\[\]<>|$~#&]|(?<!\w)_|_(?!\w)", r"\\\g<0>", on_one_line)


def markdown_code(text: str) -> str:
    r"""A name or path of the user's as code, for any place in Markdown, a table's cell too.

    >>> markdown_code("a|b.jpg"), markdown_code("a`b")
    ('`a\\|b.jpg`', '`` a`b ``')
    """
    on_one_line = " ".join(text.split()).replace("|", r"\|")
    runs = re.findall("`+", on_one_line)
    if not runs:
        return f"`{on_one_line}`"
    fence = "`" * (1 + max(map(len, runs)))
    return f"{fence} {on_one_line} {fence}"


def find(rows: Iterable[Row], **wanted: str) -> Row | None:
    """The first row with these values, or None."""
    for row in rows:
        if all(row[key] == value for key, value in wanted.items()):
            return row
    return None


def find_one(rows: Iterable[Row], **wanted: str) -> Row:
    """The first row with these values.

    Raises:
        UserError: there is none.
    """
    found = find(rows, **wanted)
    if found is None:
        raise missing_row(**wanted)
    return found


def missing_row(**wanted: str) -> UserError:
    """That there is no row with these values, and what to do."""
    values = ", ".join(f"{key} {value}" for key, value in wanted.items())
    return UserError(f"a table to summarise has no row of {values}: delete it and run again")


def number(text: str | None, decimals: int, signed: bool = False) -> str:
    """A CSV cell with so many decimals.

    >>> number("1.26", 1), number("1.26", 1, signed=True), number("", 1)
    ('1.3', '+1.3', '–')
    """
    if not text:
        return NOTHING
    value = round(float(text), decimals) + 0.0  # no "-0.0"
    return f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"


def with_interval(
    row: Mapping | None, decimals: int, column: str = "value", signed: bool = False
) -> str:
    """A value with its interval, or the reason why there is none.

    >>> with_interval({"value": "80", "low": "78", "high": "82", "state": ""}, 0)
    '80 [78, 82]'
    """
    if row is None:
        return NOTHING
    if not row[column]:
        # Why a run failed, has its own table.
        state = row["state"]
        return (FAILED if state.startswith(f"{FAILED}: ") else state) or NOTHING
    value = number(row[column], decimals, signed)
    if not row["low"]:
        return value
    low, high = (number(row[key], decimals, signed) for key in ("low", "high"))
    return f"{value} [{low}, {high}]"


def verdict_cell(row: Mapping | None) -> str:
    """The verdict, with what limits it: the notes of its state, each up to its colon.

    >>> verdict_cell({"verdict": "better", "equivalent": "false", "state": "two replicates: not sure; counted once"})
    'better (two replicates; counted once)'
    """
    if row is None or not row["verdict"]:
        return NOTHING if row is None else row["state"] or NOTHING
    verdict = row["verdict"]
    if verdict in ("better", "worse") and row["equivalent"] == "true":
        verdict += ", though equivalent"
    notes = [note.split(":")[0] for note in row["state"].split("; ") if note]
    return f"{verdict} ({'; '.join(notes)})" if notes else verdict


def median_seconds(costs: Iterable[Mapping], model: str, fraction: str) -> str:
    """Median wall time of a model's trainings, in whole seconds."""
    seconds = [
        float(row["seconds"])
        for row in costs
        if row["model"] == model and row["fraction"] == fraction and row["seconds"]
    ]
    return f"{median(seconds):.0f}" if seconds else NOTHING


def reported_value(reported: Mapping, arm: str, fraction: str) -> float | None:
    """The published number of an arm (and fraction), or None."""
    value = reported.get(arm)
    if isinstance(value, Mapping):
        value = value.get(fraction)
    return None if value is None else float(value)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column left, the others right aligned."""
    lines = [
        "| " + " | ".join(header) + " |",
        "|" + "|".join([" --- ", *(" ---: " for _ in header[1:])]) + "|",
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
    return "\n".join(lines)


@dataclass(frozen=True)
class Table:
    """A table for reading, all of it Markdown.

    Attributes:
        header: one text per column.
        rows: cells, as many as the header has.
        title: of the section that it stands in, "" where it needs none.
        note: how to read it.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""

    def markdown(self) -> str:
        """The title, the table and the note."""
        title = f"### {self.title}" if self.title else ""
        parts = [title, markdown_table(self.header, self.rows), self.note]
        return "\n\n".join(part for part in parts if part)
