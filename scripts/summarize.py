"""Write the summary: one tidy CSV, and the same for reading.

summary.csv has the columns table, arm, fraction, replicate, selection, metric, value, n, reported:
  table      1: WBC classifiers; 2: the classifier on pRCC clusters; 3: CAM16
  selection  last: the last epoch, no choice made on the test set (from the predictions);
             best_test: the best epoch on the test set, as published (from the history)
  value      per cent, but for metric=epoch and the clusters' own metrics
  n          test images; empty where replicate=mean
  reported   the published number, beside best_test accuracy
"""

import argparse
import json
from collections.abc import Sequence

from wbc.cli import make_parser, run_script
from wbc.files import read_csv, write_csv, write_text
from wbc.tables import (
    group_values,
    markdown_table,
    mean_rows,
    reported_value,
    spread,
)

COLUMNS = [
    *("table", "arm", "fraction", "replicate", "selection", "metric", "value", "n", "reported"),
]
CLUSTERED, CAM16 = "pRCC_clustered_resnet", "resnet_cam16"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--metrics", required=True, help="CSV of evaluate")
    parser.add_argument("--cluster-quality", required=True, help="CSV of prcc_clusters")
    parser.add_argument("--reported", type=json.loads, default={}, help="JSON: published numbers")
    parser.add_argument("--titles", type=json.loads, default={}, help="JSON: arm -> title")
    parser.add_argument("--decimals", type=int, default=2)
    parser.add_argument("--subsets", choices=["drawn", "given"], default="drawn")
    parser.add_argument("--weights", default="imagenet", help="what pretraining started from")
    parser.add_argument("--synthetic", action="store_true", help="the images are synthetic")
    parser.add_argument("--summary", required=True, help="CSV to write")
    parser.add_argument("--readable", required=True, help="Markdown to write")
    return parser


def with_reported(rows: list[dict], reported: dict) -> list[dict]:
    """Set the published number beside each accuracy of the published protocol."""
    return [
        row
        | {
            "reported": reported_value(reported, row["arm"], row["fraction"])
            if (row["selection"], row["metric"]) == ("best_test", "accuracy")
            else None
        }
        for row in rows
    ]


def tidy_rows(wbc: list[dict], pretraining: list[dict], quality: list[dict]) -> list[dict]:
    """All rows of the summary but for the reported numbers."""
    rows = [{"table": 1, **row} for row in [*wbc, *mean_rows(wbc)]]
    for table, model in ((2, CLUSTERED), (3, CAM16)):
        rows += [{"table": table, **row} for row in pretraining if row["arm"] == model]
    empty = {"table": 2, "arm": CLUSTERED, "fraction": "", "replicate": "", "selection": ""}
    rows += [
        {**empty, "metric": f"clusters_{row['metric']}", "value": row["value"], "n": row["images"]}
        for row in quality
    ]
    return rows


def table_1(rows: list[dict], arguments: argparse.Namespace) -> str:
    """Arm by fraction: mean and standard deviation over replicates."""
    groups = group_values(rows, ("arm", "fraction", "selection", "metric"))
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    fractions = sorted({row["fraction"] for row in rows}, key=float, reverse=True)
    lines = []
    for arm in arms:
        for label, selection, metric in (
            ("accuracy", "last", "accuracy"),
            ("macro-F1", "last", "macro_f1"),
            ("accuracy, best test epoch", "best_test", "accuracy"),
        ):
            cells = [
                spread(groups[arm, fraction, selection, metric], arguments.decimals)
                for fraction in fractions
            ]
            lines.append([f"`{arm}`: {label}", *cells])
        published = [reported_value(arguments.reported, arm, fraction) for fraction in fractions]
        if any(value is not None for value in published):
            cells = ["" if value is None else f"{value:.2f}" for value in published]
            lines.append([f"`{arm}`: reported (best test epoch)", *cells])
    return markdown_table(["%", *(f"{fraction} % of labels" for fraction in fractions)], lines)


def model_table(rows: list[dict], model: str, arguments: argparse.Namespace) -> str:
    """The metrics of one pretrained classifier."""
    groups = group_values((row for row in rows if row["arm"] == model), ("selection", "metric"))
    published = reported_value(arguments.reported, model, "")
    cells = [
        spread(groups["last", "accuracy"], arguments.decimals),
        spread(groups["last", "macro_f1"], arguments.decimals),
        spread(groups["best_test", "accuracy"], arguments.decimals),
        "" if published is None else f"{published:.2f}",
    ]
    header = ["%", "accuracy", "macro-F1", "accuracy, best test epoch", "reported"]
    return markdown_table(header, [[f"`{model}`", *cells]])


def notes(rows: list[dict], arguments: argparse.Namespace) -> list[str]:
    """What a reader must know to read Table 1 rightly."""
    images = sorted({row["n"] for row in rows})
    replicates = sorted({row["replicate"] for row in rows}, key=int)
    lines = [
        f"Test images: {', '.join(images)}. Replicates (seeds): {', '.join(replicates)}; "
        "cells are means ± standard deviations over replicates."
        if len(replicates) > 1
        else f"Test images: {', '.join(images)}. One replicate (seed {replicates[0]}).",
        "`accuracy` and `macro-F1` are those of the last epoch. `best test epoch` picks the epoch on the "
        "test images, as the published numbers do: it is optimistic.",
    ]
    if arguments.subsets == "given":
        lines.append(
            "Subsets were given, not drawn: replicates vary only initialisation and order of images."
        )
    else:
        lines.append(
            "Each replicate draws its own subsets; at 100 % replicates vary only initialisation and order."
        )
    if arguments.weights != "imagenet":
        lines.append(f"Networks started from {arguments.weights} weights, not from ImageNet's.")
    if arguments.synthetic:
        lines.append(
            "The images are synthetic drawings: these numbers say nothing about real cells."
        )
    return lines


def readable(wbc: list[dict], pretraining: list[dict], quality: list[dict], arguments) -> str:
    """The summary in Markdown."""
    arms = dict.fromkeys(row["arm"] for row in wbc)
    titles = [f"- `{arm}`: {arguments.titles[arm]}" for arm in arms if arm in arguments.titles]
    sizes = {row["metric"]: row["value"] for row in quality}
    clusters = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sizes.items())
    parts = [
        "# Summary",
        "## Table 1: white blood cells, by share of the training labels",
        table_1(wbc, arguments),
        "\n".join(titles),
        "\n".join(f"- {line}" for line in notes(wbc, arguments)),
        "## Table 2: pRCC, agreement of the classifier with its own clusters on held-out images",
        model_table(pretraining, CLUSTERED, arguments),
        f"Clusters: {clusters}.",
        "## Table 3: CAM16, normal / tumor",
        model_table(pretraining, CAM16, arguments),
    ]
    return "\n\n".join(parts) + "\n"


def run(arguments: argparse.Namespace) -> None:
    metrics = read_csv(arguments.metrics)
    wbc = [row for row in metrics if row["fraction"]]
    pretraining = [row for row in metrics if not row["fraction"]]
    quality = read_csv(arguments.cluster_quality)
    rows = with_reported(tidy_rows(wbc, pretraining, quality), arguments.reported)
    write_csv(arguments.summary, COLUMNS, rows)
    write_text(arguments.readable, readable(wbc, pretraining, quality, arguments))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
