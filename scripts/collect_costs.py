"""Collect what each training took, from its record and, where there is one, its benchmark file.

Writes a CSV with one row per training:
  model, fraction, replicate, seconds, images_per_second, device, peak_memory_mb, peak_gpu_mb, job_seconds, job_memory_mb
replicate is a seed, or <subset seed>x<initialisation seed> of a crossed run. seconds is the script's own wall time,
peak_memory_mb its process's, peak_gpu_mb what it held on the GPU at most; job_seconds and job_memory_mb (resident memory) are those
of the whole job as Snakemake saw it. Empty where nothing tells. All of it differs between equal runs.
"""

import argparse
import csv
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.statistics.predictions import prediction_name

Row = dict[str, object]

COLUMNS = [
    *("model", "fraction", "replicate", "seconds", "images_per_second", "device"),
    *("peak_memory_mb", "peak_gpu_mb", "job_seconds", "job_memory_mb"),
]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with records/")
    parser.add_argument("--benchmarks", required=True, help="folder with <rule>/...tsv")
    parser.add_argument("--arms", nargs="+", required=True)
    parser.add_argument("--fractions", nargs="+", required=True)
    parser.add_argument("--replicates", nargs="+", required=True)
    parser.add_argument("--crossed-fractions", nargs="*", default=[])
    parser.add_argument(
        "--crossed-replicates", nargs="*", default=[], help="<seed>x<seed>, or seeds"
    )
    parser.add_argument("--pretrained", nargs="*", default=[], help="models without fraction")
    parser.add_argument("--costs", required=True, help="CSV to write")
    return parser


def benchmark(folder: Path, file: str) -> Row:
    """Seconds and resident memory of a job, if it left a benchmark file."""
    for path in sorted(folder.glob(f"train_*/{file}")):
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle, delimiter="\t"):
                return {"job_seconds": row.get("s"), "job_memory_mb": row.get("max_rss")}
    return {}


def cost(
    results: Path, benchmarks: Path, model: str, fraction: str = "", replicate: str = ""
) -> Row:
    """One training's row.

    Raises:
        UserError: its record is missing or no JSON.
    """
    path = results / "records" / prediction_name(model, fraction, replicate, ending="json")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: no readable record ({error}): delete it and run again") from None
    known = ("seconds", "images_per_second", "device", "peak_memory_mb", "peak_gpu_mb")
    return {
        **{"model": model, "fraction": fraction, "replicate": replicate},
        **{key: record.get(key) for key in known},
        **benchmark(benchmarks, prediction_name(model, fraction, replicate, ending="tsv")),
    }


def run(arguments: argparse.Namespace) -> None:
    results, benchmarks = Path(arguments.results), Path(arguments.benchmarks)
    runs = [
        *product(arguments.arms, arguments.fractions, arguments.replicates),
        *product(arguments.arms, arguments.crossed_fractions, arguments.crossed_replicates),
    ]
    # A crossed run of equal seeds is the replicate itself.
    rows = [cost(results, benchmarks, *run) for run in dict.fromkeys(runs)]
    rows += [cost(results, benchmarks, model) for model in arguments.pretrained]
    write_csv(arguments.costs, COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
