"""The tables of results: the summary's, all comparisons, labels saved."""

from collections.abc import Iterable

from fewlabels.core.fractions import fraction_text
from fewlabels.core.run_sheet import OWN_TEST_SET
from fewlabels.reporting.page.answer import macro_f1_figure
from fewlabels.reporting.page.sections import Section
from fewlabels.reporting.page.source import Source
from fewlabels.reporting.page.tables import html_table
from fewlabels.reporting.page.templating import render
from fewlabels.reporting.summary_data import MEAN
from fewlabels.reporting.summary_efficiency import ratio_with_interval
from fewlabels.reporting.summary_failures import failed_runs_table
from fewlabels.reporting.summary_notes import notes
from fewlabels.reporting.summary_tables import (
    METRIC_NAMES,
    model_table,
    replicates_table,
    spread_table,
    table_1,
)
from fewlabels.reporting.tables import (
    NOTHING,
    Row,
    Table,
    markdown_text,
    number,
    verdict_cell,
    with_interval,
)


def section(source: Source) -> Section:
    """Table 1 with its notes, the further tables, and those of the pretrained classifiers."""
    tables, settings = source.tables, source.settings
    more = [
        ("Failed runs", "Trainings that failed", failed_runs_table(tables)),
        ("Replicates", "What moves the mean", replicates_table(tables, settings)),
        ("Spread", "What spreads the accuracy", spread_table(tables, settings)),
    ]
    pretrained = [
        (table.title, model_table(tables, table.name, settings), _clusters(table.quality))
        for table in tables.pretrained
    ]
    return Section(
        "results",
        "Results",
        render(
            "results.jinja",
            table_1=html_table(
                table_1(tables, settings),
                f"Table 1: {markdown_text(settings.target_title)}, by labels",
            ),
            titles=[(settings.marked(arm), source.title_of(arm)) for arm in tables.arms],
            notes=notes(tables, settings),
            second=macro_f1_figure(source),
            more=[(title, html_table(table, caption)) for title, caption, table in more if table],
            pretrained=[
                (title, html_table(table, markdown_text(title)), clusters)
                for title, table, clusters in pretrained
            ],
        ),
    )


def _clusters(rows: Iterable[Row]) -> str:
    return ", ".join(f"{row['metric'].replace('_', ' ')} {row['value']}" for row in rows)


def comparisons(source: Source) -> Section | None:
    """Each arm beside its baseline, by each metric; None where nothing is compared."""
    rows = [row for row in source.tables.comparisons if row["replicate"] == MEAN]
    if not rows:
        return None
    external = any(row["test_set"] != OWN_TEST_SET for row in rows)
    decimals = source.settings.decimals
    header = ["labels", "arm", "baseline", *(["test set"] if external else []), "metric"]
    header += ["difference", "p", "p adjusted", "p equivalent", "verdict", "detectable"]
    lines = []
    for row in rows:
        lines.append(
            [
                *(fraction_text(row["fraction"]), f"`{row['arm']}`", f"`{row['baseline']}`"),
                *([f"`{row['test_set']}`"] if external else []),
                METRIC_NAMES.get(row["metric"], row["metric"].replace("_", " ")),
                with_interval(row, decimals, "difference", signed=True),
                *(
                    number(row[key], 4)
                    for key in ("p_difference", "p_difference_holm", "p_equivalence_holm")
                ),
                verdict_cell(row) if row["verdict"] else row["state"] or NOTHING,
                number(row["detectable"], decimals),
            ]
        )
    note = (
        "Means over replicates. Differences in points, but for nll and brier; in brackets, "
        f"{100 * (1 - source.settings.alpha):g} % intervals. `p adjusted` and `p equivalent` are Holm's, over the "
        "comparisons by the primary metric, the only one with verdicts. Single replicates, with McNemar's test: "
        "`comparisons.csv`."
    )
    return Section(
        "comparisons",
        "Comparisons",
        html_table(Table(header, lines, note=note), "Each arm beside its baseline"),
    )


def efficiency(source: Source) -> Section | None:
    """How many labels each arm saves, by number of labels and over all; None where nothing is compared."""
    rows = source.tables.efficiency
    if not rows:
        return None
    external = any(row["test_set"] != OWN_TEST_SET for row in rows)
    decimals = source.settings.decimals
    header = ["labels", "images", "arm", "baseline", *(["test set"] if external else [])]
    header += ["score", "difference", "p adjusted", "times as many labels", "limits"]
    lines = [
        [
            fraction_text(row["fraction"]) if row["fraction"] else "all",
            number(row["labels"], 0),
            *(f"`{row['arm']}`", f"`{row['baseline']}`"),
            *([f"`{row['test_set']}`"] if external else []),
            number(row["value"], decimals),
            with_interval(row | {"state": ""}, decimals, "difference", signed=True),
            number(row["p_holm"], 4),
            ratio_with_interval(row) if row["ratio"] else NOTHING,
            row["state"] or NOTHING,
        ]
        for row in rows
    ]
    note = (
        "`times as many labels`: what the baseline needs for the same score, so above 1 labels are saved; nothing is "
        "said beyond the numbers of labels that were run, there it is ≥ or ≤. `all`: over the whole curve, on the "
        "logarithm of the number of labels."
    )
    return Section(
        "label-savings",
        "Labels saved",
        html_table(Table(header, lines, note=note), "Labels saved by each arm"),
    )
