"""Tables of the page, sorted and filtered by its script where it runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fewlabels.reporting.page.templating import render
from fewlabels.reporting.page.words import first_number, plain
from fewlabels.reporting.tables import NOTHING, Table

#: Tables of more rows get a box to filter by.
FILTERED_ABOVE = 6


@dataclass(frozen=True)
class Cell:
    """One cell: Markdown, and what it is sorted by (None: by its text)."""

    words: str
    number: float | None


def html_table(table: Table, caption: str) -> Markup:
    """A table with its note, in a box of its own that scrolls where it is too wide.

    Args:
        caption: what it shows, in a few words.
    """
    rows = [[Cell(cell, first_number(cell)) for cell in row] for row in table.rows]
    return render(
        "table.jinja",
        caption=caption,
        label=plain(caption),
        header=table.header,
        rows=rows,
        numeric=[_is_numeric(rows, column) for column in range(len(table.header))],
        note=table.note,
        filtered=len(rows) > FILTERED_ABOVE,
    )


def _is_numeric(rows: Sequence[Sequence[Cell]], column: int) -> bool:
    """Whether a column holds numbers, but for cells without any."""
    return all(
        row[column].number is not None for row in rows if row[column].words not in (NOTHING, "")
    )
