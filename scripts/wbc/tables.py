"""From metrics to the summary: means over replicates, and tables in Markdown."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev

Row = dict[str, str]
Key = tuple[str, ...]


def group_values(rows: Iterable[Row], keys: Sequence[str]) -> dict[Key, list[float]]:
    """Values of the rows by some of their columns, in the rows' order."""
    groups: dict[Key, list[float]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(float(row["value"]))
    return dict(groups)


def mean_rows(rows: Sequence[Row]) -> list[dict]:
    """Means over replicates: rows with ``replicate=mean`` and an empty ``n``."""
    keys = ("arm", "fraction", "selection", "metric")
    return [
        dict(zip(keys, key, strict=True)) | {"replicate": "mean", "value": fmean(values), "n": None}
        for key, values in group_values(rows, keys).items()
    ]


def spread(values: Sequence[float], decimals: int) -> str:
    """Mean, with the standard deviation over replicates where there are several.

    >>> spread([80.0, 82.0], 1), spread([80.0], 1)
    ('81.0 ± 1.4', '80.0')
    """
    mean = f"{fmean(values):.{decimals}f}"
    return mean if len(values) == 1 else f"{mean} ± {stdev(values):.{decimals}f}"


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
