"""The answer in one picture and one line per arm: what it gains over all numbers of labels, and how many it saves."""

from collections.abc import Mapping

from fewlabels.reporting.summary_data import SummarySettings, Tables
from fewlabels.reporting.summary_tables import METRIC_NAMES
from fewlabels.reporting.tables import NOTHING, markdown_text, number, with_interval

#: As the figure lies beside the summary.
FIGURE = "figures/label_efficiency.png"
#: Bounds as label_efficiency.csv writes them.
SIGNS = {"": "", ">=": "≥ ", "<=": "≤ "}


def efficiency_parts(tables: Tables, settings: SummarySettings) -> list[str]:
    """Heading, figure, and a line for each arm beside its baseline, in Markdown."""
    name = METRIC_NAMES[tables.primary]
    lines = [efficiency_line(row, name, settings) for row in tables.pooled_efficiency]
    heading = "## Labels saved" if lines else "## Numbers of labels"
    parts = [heading, f"![{name} against the number of labels]({FIGURE})"]
    if lines:
        parts += [
            "\n".join(f"- {line}" for line in lines),
            "The gain is the mean difference over the numbers of labels that were run, on their logarithm; how many "
            "times as many labels the baseline needs is by how much its curve must be moved to meet the arm's. Nothing "
            "is said beyond these numbers: there it is ≥ or ≤. By fraction: `label_efficiency.csv`.",
        ]
    return parts


def efficiency_line(row: Mapping[str, str], metric: str, settings: SummarySettings) -> str:
    """What one arm gains and saves, each with its interval, or why that is not known."""
    arm, baseline = f"`{row['arm']}`", f"`{row['baseline']}`"
    reason = markdown_text(row["state"])
    if not row["difference"]:
        return f"{arm} beside {baseline}: {reason or NOTHING}."
    gain = with_interval(row, settings.decimals, "difference", signed=True)
    p = f", p {number(row['p_holm'], 3)} adjusted" if row["p_holm"] else ""
    line = f"{arm} gains {gain} points of {metric} on `{row['baseline']}`{p}; "
    if not row["ratio"]:
        return f"{line}labels saved: {reason or NOTHING}."
    line += (
        f"{baseline} needs {ratio_with_interval(row)} times as many labels for the same {metric}"
    )
    return f"{line} ({reason})." if reason else f"{line}."


def ratio_with_interval(row: Mapping[str, str]) -> str:
    """A ratio of numbers of labels with its interval, each end with its bound.

    >>> ratio_with_interval({"ratio": "2", "ratio_bound": "", "ratio_low": "1.25", "ratio_low_bound": "",
    ...                      "ratio_high": "20", "ratio_high_bound": ">="})
    '2.00 [1.25, ≥ 20]'
    """
    value, low, high = (_ratio(row, name) for name in ("ratio", "ratio_low", "ratio_high"))
    return f"{value} [{low}, {high}]" if row["ratio_low"] else value


def _ratio(row: Mapping[str, str], name: str) -> str:
    if not row[name]:
        return NOTHING
    value = float(row[name])
    return f"{SIGNS[row[f'{name}_bound']]}{value:.{2 if value < 10 else 0}f}"
