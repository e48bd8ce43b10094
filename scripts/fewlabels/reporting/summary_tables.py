"""The summary: one tidy table of every metric, and its parts for reading, in Markdown."""

from collections.abc import Mapping

from fewlabels.core.fractions import fraction_text
from fewlabels.reporting.summary_data import (
    MEAN,
    OVER_REPLICATES,
    PUBLISHED,
    SummarySettings,
    Tables,
)
from fewlabels.reporting.tables import (
    NOTHING,
    Row,
    Table,
    find,
    find_one,
    median_seconds,
    number,
    reported_value,
    verdict_cell,
    with_interval,
)
from fewlabels.statistics.over_replicates import LEARNT_NOTHING, OUTLIER

COLUMNS = [
    *("table", "arm", "fraction", "replicate", "selection", "metric", "value", "n", "reported"),
    *("low", "high", "interval", "verdict", "state", "test_set"),
]
#: State of a single run -> how it is marked in tables.
MARKS = {OUTLIER: "outlier", LEARNT_NOTHING: "learnt nothing"}
#: Points that two arms may differ by, whichever the metric that is shown.
LARGEST = 100
#: Metric -> what it is called in tables.
METRIC_NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "balanced_accuracy": "balanced accuracy",
    "mcc": "MCC",
}


def verdict(row: Row, tables: Tables) -> str:
    """The verdict that belongs to a row of the metrics; "" but for means of the predictions' primary metric."""
    if (row["replicate"], row["metric"]) != (MEAN, tables.primary):
        return ""
    if row["selection"] == PUBLISHED:
        return ""
    found = tables.comparison(row)
    return found["verdict"] if found else ""


def tidy_rows(tables: Tables, reported: Mapping) -> list[dict]:
    """All rows of summary.csv."""
    rows: list[dict] = []
    for row in tables.metrics:
        published = (row["selection"], row["metric"]) == (PUBLISHED, "accuracy")
        known = reported_value(reported, row["arm"], row["fraction"]) if published else None
        extra = {"reported": known, "verdict": verdict(row, tables)}
        rows.append({"table": tables.table_of.get(row["arm"], 1), **row, **extra})
    for table in tables.pretrained:
        common = {"table": tables.table_of[table.name], "arm": table.name}
        rows += [
            {
                **common,
                **{"metric": f"clusters_{row['metric']}", "value": row["value"]},
                "n": row["images"],
            }
            for row in table.quality
        ]
    return sorted(rows, key=lambda row: row["table"])


def second_metric(primary: str) -> str:
    """What stands beside the primary metric in the readable tables."""
    return "accuracy" if primary == "macro_f1" else "macro_f1"


def verdict_heading(settings: SummarySettings) -> str:
    """What verdicts are about stands above each of them."""
    about = "this checkpoint" if settings.pretraining_seeds == "declared" else "the recipe"
    return f"verdict on {about}"


def table_1(tables: Tables, settings: SummarySettings) -> Table:
    """One line per fraction and arm, then the baselines."""
    names = [METRIC_NAMES[metric] for metric in (tables.primary, second_metric(tables.primary))]
    header = [
        *("labels", "images", "steps", "arm", *names, "difference", verdict_heading(settings)),
        *("detectable", "at best test epoch", "optimism", "reported", "s per run"),
    ]
    lines = [
        _line_of_arm(tables, settings, arm, fraction)
        for fraction in tables.fractions
        for arm in tables.arms
    ]
    return Table(header, [*lines, *_baseline_lines(tables, settings, len(header))])


def _line_of_arm(tables: Tables, settings: SummarySettings, arm: str, fraction: str) -> list[str]:
    decimals = settings.decimals
    primary = tables.shown(arm, fraction, tables.primary)
    second = tables.shown(arm, fraction, second_metric(tables.primary))
    best = tables.shown(arm, fraction, "accuracy", published=True)
    optimism = tables.shown(arm, fraction, "optimism", published=True)
    compared = tables.comparison(primary)
    known = reported_value(settings.reported, arm, fraction)
    return [
        *(fraction_text(fraction), _images(tables, arm, fraction)),
        *(_whole(tables.counted(arm, fraction, "steps")), settings.marked(arm)),
        *(with_interval(primary, decimals), number(second["value"], decimals)),
        with_interval(compared, decimals, "difference", signed=True),
        verdict_cell(compared),
        _detectable(compared, decimals),
        *(number(best["value"], decimals), number(optimism["value"], decimals, True)),
        NOTHING if known is None else f"{known:.2f}",
        median_seconds(tables.costs, arm, fraction),
    ]


def _detectable(row: Row | None, decimals: int) -> str:
    """The smallest difference that would have been found, and how well it is known; no metric differs by over 100."""
    if row is None or not row["detectable"]:
        return NOTHING
    found, low, high = (
        number(row[name], decimals) if float(row[name]) <= LARGEST else f"> {LARGEST}"
        for name in ("detectable", "detectable_low", "detectable_high")
    )
    return f"{found} [{low}, {high}]"


def _whole(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def _images(tables: Tables, arm: str, fraction: str) -> str:
    """How many training images: of all classes, and in brackets of the smallest."""
    of_all = tables.counted(arm, fraction, "labels")
    smallest = tables.counted(arm, fraction, "smallest_class_labels")
    return NOTHING if of_all is None else f"{_whole(of_all)} ({_whole(smallest)})"


def _baseline_lines(tables: Tables, settings: SummarySettings, columns: int) -> list[list[str]]:
    """Lines of Table 1 for what needs no training."""
    lines = []
    for name in dict.fromkeys(row["arm"] for row in tables.metrics):
        rows = [row for row in tables.metrics if row["arm"] == name]
        if any(row["fraction"] or row["arm"] in tables.table_of for row in rows):
            continue
        primary = find_one(rows, metric=tables.primary)
        second = find_one(rows, metric=second_metric(tables.primary))
        cells = [
            *(NOTHING, NOTHING, NOTHING, f"`{name}`"),
            *(
                with_interval(primary, settings.decimals),
                number(second["value"], settings.decimals),
            ),
        ]
        lines.append([*cells, *[NOTHING] * (columns - len(cells))])
    return lines


def replicates_table(tables: Tables, settings: SummarySettings) -> Table | None:
    """Beside the mean what a run that failed to learn moves less; None where replicates are too few for it."""
    lines, marked = [], _marked_runs(tables)
    for fraction in tables.fractions:
        for arm in tables.arms:
            place = (arm, fraction, tables.primary)
            found = [tables.over_replicates(*place, how) for how in OVER_REPLICATES]
            if all(row is None for row in found[1:]):
                continue
            cells = [
                NOTHING if row is None else number(row["value"], settings.decimals) for row in found
            ]
            lines.append(
                [
                    fraction_text(fraction),
                    f"`{arm}`",
                    *cells,
                    ", ".join(marked.get((arm, fraction), [])) or NOTHING,
                ]
            )
    if not lines:
        return None
    header = ["labels", "arm", "mean", "median", "interquartile mean", "minimum", "marked runs"]
    note = (
        f"`{METRIC_NAMES[tables.primary]}` over replicates. `interquartile mean`: of the middle half. Runs are named "
        "by their seed."
    )
    return Table(header, lines, "Replicates", note)


def _marked_runs(tables: Tables) -> dict[tuple[str, str], list[str]]:
    """(arm, fraction) -> the seeds of its runs that are outliers or did not learn, and which of it."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in tables.single_runs:
        if notes := [MARKS[note] for note in row["state"].split("; ") if note in MARKS]:
            text = f"{row['replicate']} ({'; '.join(notes)})"
            found.setdefault((row["arm"], row["fraction"]), []).append(text)
    return found


def model_table(tables: Tables, model: str, settings: SummarySettings) -> Table:
    """The metrics of one pretrained classifier."""
    rows = [row for row in tables.metrics if row["arm"] == model]
    known = reported_value(settings.reported, model, "")
    last = {"selection": "last"}
    cells = [
        with_interval(find(rows, metric="accuracy", **last), settings.decimals),
        with_interval(find(rows, metric="macro_f1", **last), settings.decimals),
        with_interval(
            find(rows, metric="accuracy", selection=PUBLISHED),
            settings.decimals,
        ),
        NOTHING if known is None else f"{known:.2f}",
        median_seconds(tables.costs, model, ""),
    ]
    header = ["%", "accuracy", "macro-F1", "at best test epoch", "reported", "s per run"]
    return Table(header, [[f"`{model}`", *cells]])


def spread_table(tables: Tables, settings: SummarySettings) -> Table | None:
    """Where the spread of the accuracy comes from; None where no runs were crossed."""
    rows = [row for row in tables.spread if row["metric"] == "accuracy"]
    if not rows:
        return None
    sources = ("subset", "initialisation", "rest")
    lines = [
        [
            *(fraction_text(row["fraction"]), f"`{row['arm']}`"),
            *(_source_cell(row, source, settings) for source in sources),
            row["state"] or NOTHING,
        ]
        for row in rows
    ]
    level = f"{100 * (1 - settings.alpha):g} %"
    note = (
        f"Standard deviations in points, from {rows[0]['subsets']} subsets crossed with as many initialisations; in "
        f"brackets upper limits of the level {level}: so few runs tell them roughly at best. `rest` is their "
        "interaction and noise."
    )
    return Table(["labels", "arm", *sources, "state"], lines, "What spreads the accuracy", note)


def _source_cell(row: Row, source: str, settings: SummarySettings) -> str:
    """A standard deviation with its upper limit; no number where it may as well be 0."""
    sd, upper = (number(row[f"sd_{source}{end}"], settings.decimals) for end in ("", "_upper"))
    if sd == NOTHING:
        return NOTHING
    limit = "" if upper == NOTHING else f" (at most {upper})"
    p = row.get(f"p_{source}")
    if p and float(p) >= settings.alpha:
        return f"not distinguishable from 0{limit}"
    return f"{sd}{limit}"
