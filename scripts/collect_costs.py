"""Collect what each training took, from its record and, where there is one, its benchmark file.

Writes a CSV with one row per training:
  model, fraction, replicate, seconds, images_per_second, device, peak_memory_mb, peak_gpu_mb, job_seconds,
  job_memory_mb
replicate is a seed, or <subset seed>x<initialisation seed> of a crossed run; the model `predicted_masks` is the network
that predicts masks from those of the subset, with its predictions of all images. seconds is the script's own wall time,
peak_memory_mb its process's, peak_gpu_mb what it held on the GPU at most; job_seconds and job_memory_mb (resident
memory) are those of the whole job as Snakemake saw it. Empty where nothing tells. All of it differs between equal runs.
"""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.core.run_sheet import PREDICTED_MASKS, read_run_sheet

Row = dict[str, object]

COLUMNS = [
    *("model", "fraction", "replicate", "seconds", "images_per_second", "device"),
    *("peak_memory_mb", "peak_gpu_mb", "job_seconds", "job_memory_mb"),
]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with records/")
    parser.add_argument("--benchmarks", required=True, help="folder of Snakemake's benchmark files")
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--pretrained", nargs="*", default=[], help="models without fraction")
    parser.add_argument(
        "--mask-records", nargs="*", default=[], help="records of predict_masks, below the results"
    )
    parser.add_argument("--costs", required=True, help="CSV to write")
    return parser


def benchmark(path: Path) -> Row:
    """Seconds and resident memory of a job, if it left a benchmark file."""
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle, delimiter="\t"):
                return {"job_seconds": row.get("s"), "job_memory_mb": row.get("max_rss")}
    return {}


def read_record(path: Path) -> Row:
    """What a script wrote of its run.

    Raises:
        UserError: it is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no readable record ({error}): delete it and run again") from None


def cost(record_path: Path, benchmark_path: Path, **names: str) -> Row:
    """One training's row.

    Raises:
        UserError: its record is missing or no JSON.
    """
    record = read_record(record_path)
    known = ("seconds", "images_per_second", "device", "peak_memory_mb", "peak_gpu_mb")
    return {**names, **{key: record.get(key) for key in known}, **benchmark(benchmark_path)}


def run(arguments: argparse.Namespace) -> None:
    results, benchmarks = Path(arguments.results), Path(arguments.benchmarks)
    rows = [
        cost(
            results / run.path("records", "json"),
            benchmarks / run.path("train_classifier", "tsv"),
            **{"model": run.arm, "fraction": run.fraction, "replicate": run.replicate},
        )
        for run in read_run_sheet(arguments.runs)
    ]
    rows += [
        cost(
            results / "records" / f"{name}.json",
            benchmarks / "pretrain" / f"{name}.tsv",
            model=name,
        )
        for name in arguments.pretrained
    ]
    for path in map(Path, arguments.mask_records):
        below = path.relative_to(results / "records" / PREDICTED_MASKS).with_suffix(".tsv")
        record = read_record(path)
        names = {key: str(record[key]) for key in ("fraction", "replicate")}
        rows.append(
            cost(path, benchmarks / "predict_masks" / below, model=PREDICTED_MASKS, **names)
        )
    write_csv(arguments.costs, COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
