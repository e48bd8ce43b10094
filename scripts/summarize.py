"""Write the summary: one tidy CSV, and the same for reading.

summary.csv has the columns table, arm, fraction, replicate, selection, metric, value, n, reported, low, high, interval,
verdict, state, test_set:
  table      1: the target's classifiers and baselines; 2, 3, ...: the pretrained classifiers of --tables, in that order
  replicate  a seed, or mean, median, iqm (interquartile mean), minimum: over all replicates; without value where one
             diverged or failed
  selection  last: the last epoch, no choice made on the test set (validation: the epoch that is best on validation
             images); best_test: the best epoch on the test set, as published
  value      per cent, but for nll, brier, temperature, epoch and the clusters' own metrics
  n          test images; empty over replicates
  reported   the published number, beside best_test accuracy
  low, high, interval, state   see evaluate.py
  verdict    of the arm beside its baseline (see compare.py), beside the mean of its predictions' primary metric
summary.md shows how many labels each arm saves, Table 1 in short, and what became of the raw data; copies of test
images in what was trained on stand above all. Its column of seconds comes from --costs and differs between equal runs;
summary.csv has nothing that does.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv, write_text
from fewlabels.reporting.copies import copies_in_training
from fewlabels.reporting.data_report import bullets
from fewlabels.reporting.mask_notes import TEST_MASKS
from fewlabels.reporting.summary_costs import costs_table
from fewlabels.reporting.summary_data import PretrainedTable, SummarySettings, Tables
from fewlabels.reporting.summary_efficiency import efficiency_parts
from fewlabels.reporting.summary_failures import failed_runs_table
from fewlabels.reporting.summary_notes import ABOUT, POOLS, notes
from fewlabels.reporting.summary_tables import (
    COLUMNS,
    METRIC_NAMES,
    model_table,
    replicates_table,
    spread_table,
    table_1,
    tidy_rows,
)
from fewlabels.reporting.tables import markdown_text


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--metrics", required=True, help="CSV of evaluate")
    parser.add_argument("--comparisons", required=True, help="CSV of compare")
    parser.add_argument("--label-efficiency", required=True, help="CSV of label_efficiency")
    parser.add_argument("--labels", required=True, help="CSV of count_labels")
    parser.add_argument("--spread", required=True, help="CSV of spread")
    parser.add_argument("--costs", required=True, help="CSV of collect_costs")
    parser.add_argument("--leakage", required=True, help="CSV of check_leakage")
    parser.add_argument("--data", required=True, help="Markdown of report_data")
    parser.add_argument(
        "--tables",
        type=json.loads,
        default=[],
        help="JSON: list of {name, title, quality} of the pretrained classifiers, in the tables' order; "
        "quality: CSV of the clusters that are its labels, or null",
    )
    parser.add_argument("--target-title", required=True, help="what the target's images show")
    parser.add_argument("--reported", type=json.loads, default={}, help="JSON: published numbers")
    parser.add_argument("--titles", type=json.loads, default={}, help="JSON: arm -> title")
    parser.add_argument("--decimals", type=int, default=2)
    parser.add_argument("--alpha", type=float, default=0.05, help="as of evaluate and compare")
    parser.add_argument("--margin", type=float, default=1.0, help="as of compare")
    parser.add_argument(
        "--primary", choices=METRIC_NAMES, default="accuracy", help="the metric of verdicts"
    )
    parser.add_argument(
        "--training-pool",
        choices=POOLS,
        default="this",
        help="what intervals and verdicts hold for",
    )
    parser.add_argument("--subsets", choices=["drawn", "given"], default="drawn")
    parser.add_argument(
        "--pretraining-seeds", choices=ABOUT, default="declared", help="what verdicts are about"
    )
    parser.add_argument(
        "--test-masks", choices=TEST_MASKS, default="off", help="what test images get"
    )
    parser.add_argument(
        "--mask-scores", nargs="*", default=[], help="CSVs of predict_masks, if arms use its masks"
    )
    parser.add_argument(
        "--predicted-mask-arms", nargs="*", default=[], help="the arms that use its masks"
    )
    parser.add_argument(
        "--starts", type=json.loads, default={}, help="JSON: backbone -> source of its weights"
    )
    parser.add_argument(
        "--licences", type=json.loads, default={}, help="JSON: backbone -> licence of its weights"
    )
    parser.add_argument(
        "--transductive", nargs="*", default=[], help="arms whose encoders saw test images"
    )
    parser.add_argument("--synthetic", action="store_true", help="the images are synthetic")
    parser.add_argument("--summary", required=True, help="CSV to write")
    parser.add_argument("--readable", required=True, help="Markdown to write")
    return parser


def pretrained_table(entry: dict) -> PretrainedTable:
    """One entry of --tables, with the table that it names read.

    Raises:
        UserError: it has other keys, or its table is missing.
    """
    if set(entry) != {"name", "title", "quality"}:
        raise UserError(
            f"--tables: an entry has the keys {', '.join(entry)}, not name, title, quality"
        )
    quality = read_csv(entry["quality"]) if entry["quality"] else []
    return PretrainedTable(entry["name"], entry["title"], quality)


def pretrained_parts(tables: Tables, settings: SummarySettings) -> list[str]:
    """Heading, metrics and clusters of each pretrained classifier."""
    parts = []
    for table in tables.pretrained:
        parts += [
            f"## Table {tables.table_of[table.name]}: {markdown_text(table.title)}",
            model_table(tables, table.name, settings).markdown(),
        ]
        clusters = ", ".join(
            f"{row['metric'].replace('_', ' ')} {row['value']}" for row in table.quality
        )
        parts += [f"Clusters: {clusters}."] if clusters else []
    return parts


def readable(tables: Tables, settings: SummarySettings, data: str) -> str:
    """The summary in Markdown; ``data``: the Markdown of report_data, with a heading of the first level."""
    titles = [
        f"- {settings.marked(arm)}: {markdown_text(settings.titles[arm])}"
        for arm in tables.arms
        if arm in settings.titles
    ]
    more = [
        failed_runs_table(tables),
        replicates_table(tables, settings),
        spread_table(tables, settings),
        costs_table(tables),
    ]
    parts = [
        "# Summary",
        # Above the table, so that no one quotes it without having seen them.
        bullets(f"**{line}**" for line in copies_in_training(tables.leakage)),
        *efficiency_parts(tables, settings),
        f"## Table 1: {markdown_text(settings.target_title)}, by share of the training labels",
        table_1(tables, settings).markdown(),
        "\n".join(titles),
        "\n".join(f"- {line}" for line in notes(tables, settings)),
        *(table.markdown() for table in more if table),
        *pretrained_parts(tables, settings),
        f"#{data.strip()}",
        "More metrics, single runs and external test sets: `summary.csv`; tests: `comparisons.csv` and "
        "`label_efficiency.csv`; what each statistic is: `docs/statistics.md`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def run(arguments: argparse.Namespace) -> None:
    tables = Tables(
        read_csv(arguments.metrics),
        read_csv(arguments.comparisons),
        read_csv(arguments.label_efficiency),
        read_csv(arguments.labels),
        read_csv(arguments.spread),
        read_csv(arguments.costs),
        [pretrained_table(entry) for entry in arguments.tables],
        read_csv(arguments.leakage),
        arguments.primary,
        [row for path in arguments.mask_scores for row in read_csv(path)],
    )
    keys = [field.name for field in fields(SummarySettings)]
    settings = SummarySettings(**{key: getattr(arguments, key) for key in keys})
    write_csv(arguments.summary, COLUMNS, tidy_rows(tables, settings.reported))
    data = Path(arguments.data).read_text(encoding="utf-8")
    write_text(arguments.readable, readable(tables, settings, data))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
