"""The summary: one tidy table of every metric, and its parts for reading, in Markdown."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fewlabels.core.run_sheet import OWN_TEST_SET, Run, in_order, tabled
from fewlabels.reporting.tables import (
    NOTHING,
    Row,
    find,
    find_one,
    markdown_table,
    median_seconds,
    number,
    reported_value,
    verdict_cell,
    with_interval,
)
from fewlabels.statistics.evaluation import UNTESTED

COLUMNS = [
    *("table", "arm", "fraction", "replicate", "selection", "metric", "value", "n", "reported"),
    *("low", "high", "interval", "verdict", "state", "test_set"),
]


@dataclass(frozen=True)
class PretrainedTable:
    """The table of one pretrained classifier.

    Attributes:
        title: behind the table's number.
        quality: rows metric, value, images of the clusters that are its labels; none without clusters.
    """

    name: str
    title: str
    quality: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class SummarySettings:
    """What the summary takes from the config.

    Attributes:
        target_title: what the target's images show, for a heading.
        reported: arm -> published number, or fraction -> published number; per cent.
        titles: arm -> title.
        decimals: of the readable tables.
        alpha, margin: as of the comparisons.
        subsets: ``drawn`` or ``given``.
        starts: backbone -> source of its weights.
        synthetic: whether the images are drawings.
    """

    target_title: str
    reported: Mapping
    titles: Mapping[str, str]
    decimals: int
    alpha: float
    margin: float
    subsets: str
    starts: Mapping[str, str]
    synthetic: bool


@dataclass(frozen=True)
class Tables:
    """What the summary is made from: rows of CSVs, all cells text.

    Attributes:
        metrics: of evaluate.
        comparisons: of compare.
        spread: of spread.
        costs: of collect_costs.
        runs_asked_for: the run sheet.
        pretrained: the pretrained classifiers, in the order of their tables.
        leakage: of check_leakage.
    """

    metrics: list[Row]
    comparisons: list[Row]
    spread: list[Row]
    costs: list[Row]
    runs_asked_for: list[Run]
    pretrained: list[PretrainedTable]
    leakage: list[Row] = field(default_factory=list)

    @property
    def runs(self) -> list[Row]:
        """Rows of Table 1 but for baselines, on the target's own test images."""
        return [row for row in self.metrics if row["fraction"] and row["test_set"] == OWN_TEST_SET]

    @property
    def table_of(self) -> dict[str, int]:
        """Pretrained classifier -> number of its table."""
        return {table.name: number for number, table in enumerate(self.pretrained, start=2)}

    @property
    def missing_baselines(self) -> list[str]:
        """Arms that others are to be compared with and that are not among the runs."""
        runs = tabled(self.runs_asked_for)
        return in_order(
            run.baseline
            for run in runs
            if run.baseline and run.baseline not in {other.arm for other in runs}
        )

    @property
    def untested(self) -> list[str]:
        """Classes without test images among the target's own."""
        recalls = (row for row in self.runs if row["metric"].startswith("recall_"))
        return in_order(
            row["metric"].removeprefix("recall_") for row in recalls if row["state"] == UNTESTED
        )

    def fractions_by(self, selection: str) -> list[str]:
        """The fractions of which some run's predictions are of the epoch chosen so, the largest first."""
        single = (row for row in self.runs if row["replicate"] != "mean")
        found = {row["fraction"] for row in single if row["selection"] == selection}
        return sorted(found, key=float, reverse=True)

    @property
    def replicates(self) -> list[str]:
        """The seeds, in their order."""
        seeds = {row["replicate"] for row in self.runs} - {"mean"}
        return sorted(seeds, key=int)

    def shown(self, arm: str, fraction: str, metric: str, published: bool = False) -> Row:
        """The mean over replicates; of a single one, its own row, whose interval needs no replicates."""
        only = self.replicates[0] if len(self.replicates) == 1 else "mean"
        wanted = {"arm": arm, "fraction": fraction, "replicate": only, "metric": metric}
        rows = (row for row in self.runs if (row["selection"] == "best_test") == published)
        return find_one(rows, **wanted)

    def comparison(self, row: Row) -> Row | None:
        keys = ("arm", "fraction", "test_set", "metric")
        return find(self.comparisons, replicate="mean", **{key: row[key] for key in keys})


def verdict(row: Row, tables: Tables) -> str:
    """The verdict that belongs to a row of the metrics; "" but for mean accuracies of the predictions."""
    if (row["replicate"], row["metric"]) != ("mean", "accuracy"):
        return ""
    if row["selection"] == "best_test":
        return ""
    found = tables.comparison(row)
    return found["verdict"] if found else ""


def tidy_rows(tables: Tables, reported: Mapping) -> list[dict]:
    """All rows of summary.csv."""
    rows: list[dict] = []
    for row in tables.metrics:
        published = (row["selection"], row["metric"]) == ("best_test", "accuracy")
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


def table_1(tables: Tables, settings: SummarySettings) -> str:
    """One line per fraction and arm, then the baselines."""
    decimals = settings.decimals
    arms = list(dict.fromkeys(row["arm"] for row in tables.runs))
    fractions = sorted({row["fraction"] for row in tables.runs}, key=float, reverse=True)
    lines = []
    for fraction in fractions:
        for arm in arms:
            accuracy = tables.shown(arm, fraction, "accuracy")
            f1 = tables.shown(arm, fraction, "macro_f1")
            best = tables.shown(arm, fraction, "accuracy", published=True)
            optimism = tables.shown(arm, fraction, "optimism", published=True)
            compared = tables.comparison(accuracy)
            known = reported_value(settings.reported, arm, fraction)
            lines.append(
                [
                    *(f"{fraction} %", f"`{arm}`", with_interval(accuracy, decimals)),
                    number(f1["value"], decimals),
                    with_interval(compared, decimals, "difference", signed=True),
                    verdict_cell(compared),
                    *(number(best["value"], decimals), number(optimism["value"], decimals, True)),
                    NOTHING if known is None else f"{known:.2f}",
                    median_seconds(tables.costs, arm, fraction),
                ]
            )
    return markdown_table(
        [
            *("labels", "arm", "accuracy", "macro-F1", "difference", "verdict"),
            *("at best test epoch", "optimism", "reported", "s per run"),
        ],
        [*lines, *baseline_lines(tables, decimals)],
    )


def baseline_lines(tables: Tables, decimals: int) -> list[list[str]]:
    """Lines of Table 1 for what needs no training."""
    lines = []
    for name in dict.fromkeys(row["arm"] for row in tables.metrics):
        rows = [row for row in tables.metrics if row["arm"] == name]
        if any(row["fraction"] or row["arm"] in tables.table_of for row in rows):
            continue
        accuracy, f1 = (find_one(rows, metric=metric) for metric in ("accuracy", "macro_f1"))
        cells = [with_interval(accuracy, decimals), number(f1["value"], decimals)]
        lines.append([NOTHING, f"`{name}`", *cells, *[NOTHING] * 6])
    return lines


def model_table(tables: Tables, model: str, settings: SummarySettings) -> str:
    """The metrics of one pretrained classifier."""
    rows = [row for row in tables.metrics if row["arm"] == model]
    known = reported_value(settings.reported, model, "")
    last = {"selection": "last"}
    cells = [
        with_interval(find(rows, metric="accuracy", **last), settings.decimals),
        with_interval(find(rows, metric="macro_f1", **last), settings.decimals),
        with_interval(
            find(rows, metric="accuracy", selection="best_test"),
            settings.decimals,
        ),
        NOTHING if known is None else f"{known:.2f}",
        median_seconds(tables.costs, model, ""),
    ]
    header = ["%", "accuracy", "macro-F1", "at best test epoch", "reported", "s per run"]
    return markdown_table(header, [[f"`{model}`", *cells]])


def spread_table(tables: Tables, settings: SummarySettings) -> list[str]:
    """Where the spread of the accuracy comes from; nothing where no runs were crossed."""
    rows = [row for row in tables.spread if row["metric"] == "accuracy"]
    if not rows:
        return []
    keys = ("sd_subset", "sd_initialisation", "sd_rest")
    lines = [
        [
            *(f"{row['fraction']} %", f"`{row['arm']}`"),
            *(number(row[key], settings.decimals) for key in keys),
            row["state"] or NOTHING,
        ]
        for row in rows
    ]
    header = ["labels", "arm", "subset", "initialisation", "rest", "state"]
    return [
        "### What spreads the accuracy",
        markdown_table(header, lines),
        f"Standard deviations in points, from {rows[0]['subsets']} subsets crossed with as many "
        "initialisations: so few tell them roughly at best. `rest` is their interaction and noise.",
    ]
