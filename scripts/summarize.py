"""Write the summary: one tidy CSV, and the same for reading.

summary.csv has the columns table, arm, fraction, replicate, selection, metric, value, n, reported, low, high, interval,
verdict, state, test_set:
  table      1: WBC classifiers and baselines; 2: the classifier on pRCC clusters; 3: CAM16
  replicate  a seed, or mean: over all replicates; empty where one was diverged
  selection  last: the last epoch, no choice made on the test set (validation: the epoch that is best on validation images);
             best_test: the best epoch on the test set, as published
  value      per cent, but for nll, brier, temperature, epoch and the clusters' own metrics
  n          test images; empty where replicate=mean
  reported   the published number, beside best_test accuracy
  low, high, interval, state   see evaluate.py
  verdict    of the arm beside its baseline (see compare.py), beside the mean accuracy of its predictions
summary.md shows Table 1 in short. Its column of seconds comes from --costs and differs between equal runs; summary.csv
has nothing that does.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, write_csv, write_text
from fewlabels.reporting.tables import (
    NOTHING,
    find,
    markdown_table,
    median_seconds,
    number,
    reported_value,
    verdict_cell,
    with_interval,
)

COLUMNS = [
    *("table", "arm", "fraction", "replicate", "selection", "metric", "value", "n", "reported"),
    *("low", "high", "interval", "verdict", "state", "test_set"),
]
CLUSTERED, CAM16 = "pRCC_clustered_resnet", "resnet_cam16"
TABLE_OF = {CLUSTERED: 2, CAM16: 3}
OWN = "test"
BASELINES = {
    "majority": "always the most frequent class of the training images",
    "slide_only": "the slide's name alone, not the image",
}


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--metrics", required=True, help="CSV of evaluate")
    parser.add_argument("--comparisons", required=True, help="CSV of compare")
    parser.add_argument("--spread", required=True, help="CSV of spread")
    parser.add_argument("--costs", required=True, help="CSV of collect_costs")
    parser.add_argument("--cluster-quality", required=True, help="CSV of prcc_clusters")
    parser.add_argument("--reported", type=json.loads, default={}, help="JSON: published numbers")
    parser.add_argument("--titles", type=json.loads, default={}, help="JSON: arm -> title")
    parser.add_argument("--decimals", type=int, default=2)
    parser.add_argument("--alpha", type=float, default=0.05, help="as of evaluate and compare")
    parser.add_argument("--margin", type=float, default=1.0, help="as of compare")
    parser.add_argument("--subsets", choices=["drawn", "given"], default="drawn")
    parser.add_argument("--weights", default="imagenet", help="what pretraining started from")
    parser.add_argument("--synthetic", action="store_true", help="the images are synthetic")
    parser.add_argument("--summary", required=True, help="CSV to write")
    parser.add_argument("--readable", required=True, help="Markdown to write")
    return parser


@dataclass(frozen=True)
class Tables:
    """The tables that the summary is made from."""

    metrics: list[dict]
    comparisons: list[dict]
    spread: list[dict]
    costs: list[dict]
    quality: list[dict]

    @property
    def runs(self) -> list[dict]:
        """Rows of Table 1 but for baselines, on the target's own test images."""
        return [row for row in self.metrics if row["fraction"] and row["test_set"] == OWN]

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

    def shown(self, arm: str, fraction: str, metric: str, published: bool = False) -> dict | None:
        """The mean over replicates; of a single one, its own row, whose interval needs no replicates."""
        only = self.replicates[0] if len(self.replicates) == 1 else "mean"
        wanted = {"arm": arm, "fraction": fraction, "replicate": only, "metric": metric}
        rows = (row for row in self.runs if (row["selection"] == "best_test") == published)
        return find(rows, **wanted)

    def comparison(self, row: dict) -> dict | None:
        keys = ("arm", "fraction", "test_set", "metric")
        return find(self.comparisons, replicate="mean", **{key: row[key] for key in keys})


def verdict(row: dict, tables: Tables) -> str:
    """The verdict that belongs to a row of the metrics; "" but for mean accuracies of the predictions."""
    if (row["replicate"], row["metric"]) != ("mean", "accuracy"):
        return ""
    if row["selection"] == "best_test":
        return ""
    found = tables.comparison(row)
    return found["verdict"] if found else ""


def tidy_rows(tables: Tables, reported: dict) -> list[dict]:
    """All rows of summary.csv."""
    rows = []
    for row in tables.metrics:
        published = (row["selection"], row["metric"]) == ("best_test", "accuracy")
        known = reported_value(reported, row["arm"], row["fraction"]) if published else None
        extra = {"reported": known, "verdict": verdict(row, tables)}
        rows.append({"table": TABLE_OF.get(row["arm"], 1), **row, **extra})
    for row in tables.quality:
        name, value = f"clusters_{row['metric']}", row["value"]
        rows.append(
            {"table": 2, "arm": CLUSTERED, "metric": name, "value": value, "n": row["images"]}
        )
    return sorted(rows, key=lambda row: row["table"])


def table_1(tables: Tables, arguments: argparse.Namespace) -> str:
    """One line per fraction and arm, then the baselines."""
    decimals = arguments.decimals
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
            known = reported_value(arguments.reported, arm, fraction)
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
        if any(row["fraction"] or row["arm"] in TABLE_OF for row in rows):
            continue
        accuracy, f1 = (find(rows, metric=metric) for metric in ("accuracy", "macro_f1"))
        cells = [with_interval(accuracy, decimals), number(f1["value"], decimals)]
        lines.append([NOTHING, f"`{name}`", *cells, *[NOTHING] * 6])
    return lines


def model_table(tables: Tables, model: str, arguments: argparse.Namespace) -> str:
    """The metrics of one pretrained classifier."""
    rows = [row for row in tables.metrics if row["arm"] == model]
    known = reported_value(arguments.reported, model, "")
    last = {"selection": "last"}
    cells = [
        with_interval(find(rows, metric="accuracy", **last), arguments.decimals),
        with_interval(find(rows, metric="macro_f1", **last), arguments.decimals),
        with_interval(
            find(rows, metric="accuracy", selection="best_test"),
            arguments.decimals,
        ),
        NOTHING if known is None else f"{known:.2f}",
        median_seconds(tables.costs, model, ""),
    ]
    header = ["%", "accuracy", "macro-F1", "at best test epoch", "reported", "s per run"]
    return markdown_table(header, [[f"`{model}`", *cells]])


def spread_table(tables: Tables, arguments: argparse.Namespace) -> list[str]:
    """Where the spread of the accuracy comes from; nothing where no runs were crossed."""
    rows = [row for row in tables.spread if row["metric"] == "accuracy"]
    if not rows:
        return []
    keys = ("sd_subset", "sd_initialisation", "sd_rest")
    lines = [
        [
            *(f"{row['fraction']} %", f"`{row['arm']}`"),
            *(number(row[key], arguments.decimals) for key in keys),
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


def notes(tables: Tables, arguments: argparse.Namespace) -> list[str]:
    """What a reader must know to read Table 1 rightly."""
    single = [row for row in tables.runs if row["replicate"] != "mean"]
    images = sorted({row["n"] for row in single if row["n"]}, key=int)
    replicates = tables.replicates
    level = f"{100 * (1 - arguments.alpha):g} %"
    held_out = bool(tables.fractions_by("validation"))
    epoch = "the epoch that validation images chose" if held_out else "the last epoch"
    if held_out and (without := tables.fractions_by("last")):
        at = ", ".join(f"{fraction} %" for fraction in without)
        epoch += f" (at {at} of the last one where there were too few images for validation)"
    lines = [
        f"Test images: {', '.join(images) or 'none'}. "
        + (
            f"Replicates (seeds): {', '.join(replicates)}."
            if len(replicates) > 1
            else f"One replicate (seed {replicates[0]}): how much results change with the seed is not covered."
        ),
        f"`accuracy` and `macro-F1` in per cent, of {epoch}; in brackets, {level} intervals. "
        + (
            "Means over replicates; the intervals hold for new replicates and new test images of the same kind."
            if len(replicates) > 1
            else "The intervals hold for new test images of the same kind."
        ),
    ]
    if any(row["interval"].endswith("_images") for row in tables.runs):
        lines.append(
            "The intervals take test images as independent: their file names tell too few slides to resample "
            "these. If images of a slide fail together, they are too narrow."
        )
    if 1 < len(replicates) < 5:
        lines.append(
            f"{len(replicates)} replicates hardly tell how far replicates spread, hence wide intervals and few "
            "verdicts: run 5 or more."
        )
    if baselines := list(dict.fromkeys(row["baseline"] for row in tables.comparisons)):
        named = ", ".join(f"`{name}`" for name in baselines)
        lines += [
            f"`difference`: accuracy of the arm minus that of {named} on the same images, in points.",
            "`verdict`: `better` or `worse` where the difference is not chance, `equivalent` where it is shown "
            f"to be smaller than {float(arguments.margin)} points, both with at most {100 * arguments.alpha:g} % "
            "false claims among all of this table (Holm); else `undecided`, with what would decide if the present "
            "difference is the true one.",
        ]
    lines.append(
        "`at best test epoch` is the accuracy by the published protocol, which chooses the epoch on the test images: too high, "
        "by `optimism` against `accuracy`. `reported` are the published numbers, of that protocol."
    )
    names = dict.fromkeys(row["arm"] for row in tables.metrics)
    lines += [f"`{name}`: {BASELINES[name]}." for name in names if name in BASELINES]
    if arguments.subsets == "given":
        lines.append(
            "Subsets were given, not drawn: replicates vary only initialisation and order of images."
        )
    elif len(replicates) > 1:
        lines.append(
            "Each replicate draws its own subsets; at 100 % replicates vary only initialisation and order"
            + (", and which images are held out for validation." if held_out else ".")
        )
    lines.append("`s per run`: median wall time of one training; it varies between equal runs.")
    if arguments.weights != "imagenet":
        lines.append(f"Networks started from {arguments.weights} weights, not from ImageNet's.")
    if arguments.synthetic:
        lines.append(
            "The images are synthetic drawings: these numbers say nothing about real cells."
        )
    return lines


def readable(tables: Tables, arguments: argparse.Namespace) -> str:
    """The summary in Markdown."""
    arms = dict.fromkeys(row["arm"] for row in tables.runs)
    titles = [f"- `{arm}`: {arguments.titles[arm]}" for arm in arms if arm in arguments.titles]
    clusters = ", ".join(
        f"{row['metric'].replace('_', ' ')} {row['value']}" for row in tables.quality
    )
    parts = [
        "# Summary",
        "## Table 1: white blood cells, by share of the training labels",
        table_1(tables, arguments),
        "\n".join(titles),
        "\n".join(f"- {line}" for line in notes(tables, arguments)),
        *spread_table(tables, arguments),
        "## Table 2: pRCC, agreement of the classifier with its own clusters on held-out images",
        model_table(tables, CLUSTERED, arguments),
        f"Clusters: {clusters}.",
        "## Table 3: CAM16, normal / tumor",
        model_table(tables, CAM16, arguments),
        "More metrics, single runs and external test sets: `summary.csv`; tests: `comparisons.csv`; what each "
        "statistic is: `docs/statistics.md`.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def run(arguments: argparse.Namespace) -> None:
    names = (arguments.metrics, arguments.comparisons, arguments.spread, arguments.costs)
    tables = Tables(*map(read_csv, (*names, arguments.cluster_quality)))
    write_csv(arguments.summary, COLUMNS, tidy_rows(tables, arguments.reported))
    write_text(arguments.readable, readable(tables, arguments))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
