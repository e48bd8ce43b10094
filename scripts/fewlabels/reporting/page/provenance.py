"""What the results were made from, and what they cost."""

from collections.abc import Iterable, Mapping
from typing import Any

from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.page.tables import html_table
from fewlabels.reporting.page.templating import render
from fewlabels.reporting.summary_costs import costs_table
from fewlabels.reporting.tables import NOTHING

#: Part of provenance.json -> its heading. Parts that are not named here come last, by their names.
HEADINGS = {
    "code": "Code",
    "config": "Config",
    "seeds": "Seeds",
    "images": "Indexes of images",
    "tables": "Tables",
    "trainings": "Trainings",
    "containers": "Containers",
    "versions": "Versions",
}


def costs(source: Source) -> Section | None:
    """Time and memory; None where no training left a record."""
    table = costs_table(source.tables)
    if table is None:
        return None
    return Section("costs", "Costs", html_table(table, "Time and memory of each training"))


def section(source: Source) -> Section:
    """Versions, seeds and checksums."""
    found = source.json("provenance.json")
    order = [*HEADINGS, *sorted(set(found) - set(HEADINGS))]
    groups = [
        (HEADINGS.get(name, name), facts)
        for name in order
        if (facts := list(flat(found.get(name)))) and name in found
    ]
    return Section("provenance", "Provenance", render("provenance.jinja", groups=groups))


def flat(value: Any, name: str = "") -> Iterable[tuple[str, str]]:
    """Leaves of JSON with their paths.

    >>> list(flat({"a": {"b": [1, 2]}, "c": None, "d": []}))
    [('a.b', '1, 2'), ('c', '–'), ('d', '–')]
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value)) or NOTHING
    else:
        yield name, NOTHING if value is None else str(value)
