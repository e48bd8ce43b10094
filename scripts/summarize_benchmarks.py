"""Gather what every step took: one row per job, and one per rule.

Writes a CSV with the columns
  rule, job           the job's wildcards; `all` on the rows of whole rules
  jobs                how many
  seconds             wall time of the job; the sum over jobs on the rows of whole rules
  cpu_seconds, peak_memory_mb    as Snakemake measures them
  images_per_second   pictures that passed through networks, over wall time
  tflop               operations that networks needed (10^12)
  floor_seconds       those operations at the rate of matrix products, measured in the same job
  times_floor         seconds / floor_seconds; empty where no network ran
Every job that left a benchmark file in the results folder counts, those of earlier configs too. Jobs that
Snakemake measured too briefly have no peak memory.
"""

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import write_csv

COLUMNS = [
    *("rule", "job", "jobs", "seconds", "cpu_seconds", "peak_memory_mb"),
    *("images_per_second", "tflop", "floor_seconds", "times_floor"),
]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--benchmarks", required=True, help="folder of Snakemake's benchmark files")
    parser.add_argument("--records", required=True, help="folder of the records of training")
    parser.add_argument("--table", required=True, help="CSV to write")
    return parser


def number(text: str | None) -> float | None:
    """A cell of a benchmark file; None where Snakemake measured nothing."""
    return None if text in (None, "", "NA", "-") else float(text)


def record_of(records: Path, job: str) -> dict:
    """What a job wrote of its work; empty where no network ran."""
    for path in (records / f"{job}.json", records / "feature_cache" / f"{job}.json"):
        if path.is_file():
            return json.loads(path.read_text(encoding="utf-8"))
    return {}


def job_row(path: Path, folder: Path, records: Path) -> dict | None:
    """One job's row; None where its benchmark file is empty."""
    with path.open(encoding="utf-8", newline="") as handle:
        measured = next(csv.DictReader(handle, delimiter="\t"), None)
    if measured is None:
        return None
    rule, *rest = path.relative_to(folder).with_suffix("").parts
    job = "/".join(rest)
    record = record_of(records, job)
    row = {
        "rule": rule,
        "job": job,
        "jobs": 1,
        "seconds": number(measured["s"]),
        "cpu_seconds": number(measured.get("cpu_time")),
        "peak_memory_mb": number(measured.get("max_rss")),
        "images": record.get("images"),
    }
    if record.get("flops"):
        row["tflop"] = record["flops"] / 1e12
        row["floor_seconds"] = record["flops"] / record["matrix_product_flops_per_second"]
    return row


def total(rule: str, rows: list[dict]) -> dict:
    """A rule's row: sums over its jobs, the largest peak."""

    def values(column: str) -> list[float]:
        return [row[column] for row in rows if row.get(column) is not None]

    sums = ("seconds", "cpu_seconds", "images", "tflop", "floor_seconds")
    return {
        "rule": rule,
        "job": "all",
        "jobs": len(rows),
        **{column: sum(values(column)) for column in sums if values(column)},
        "peak_memory_mb": max(values("peak_memory_mb"), default=None),
    }


def with_ratios(row: dict) -> dict:
    """Add pictures per second and the time as a multiple of its floor."""
    row = dict(row)
    images = row.pop("images", None)
    if images and row["seconds"]:
        row["images_per_second"] = images / row["seconds"]
    if row.get("floor_seconds"):
        row["times_floor"] = row["seconds"] / row["floor_seconds"]
    return row


def run(arguments: argparse.Namespace) -> None:
    folder, records = Path(arguments.benchmarks), Path(arguments.records)
    by_rule: dict[str, list[dict]] = defaultdict(list)
    for path in sorted(folder.rglob("*.tsv")):
        row = job_row(path, folder, records)
        if row is not None:
            by_rule[row["rule"]].append(row)
    totals = [total(rule, rows) for rule, rows in by_rule.items()]
    jobs = [row for rows in by_rule.values() for row in rows]
    write_csv(arguments.table, COLUMNS, map(with_ratios, [*totals, *jobs]))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
