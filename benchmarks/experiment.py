"""The whole experiment by Snakemake, and what each stage took against its floor.

  python benchmarks/experiment.py --data FOLDER           a real set in the real layout, on the CPU
  python benchmarks/experiment.py --full-size --device cuda    synthetic images of the published sizes and numbers

Floor of a stage: the operations that its networks need, at the rate of matrix products that the same jobs measure.
Of the whole: all floors, spread over --cores, against the wall time. With a GPU, its use is read from nvidia-smi twice
a second, and a stage's share of the peak is printed in place of its floor.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
#: One H200's bf16 matrix products, as measured; another device's can be given.
PEAK = 790e12
FULL_SIZE = {
    "draw": True,
    "seed": 0,
    "wbc": {"train": 8447, "test": 1728, "size": 575, "balance": 0.0},
    "cam16": {"train": 757, "validation": 108, "test": 216, "size": 384},
    "prcc": {"images": 1419, "size": 2000},
}


def overlay(arguments: argparse.Namespace, results: Path) -> dict:
    """What differs from config.yaml: two arms, four fractions, one replicate, random weights."""
    config = {
        "pathvars": {"results": str(results), "resources": str(results / "resources")},
        "images": {"size": arguments.size},
        "experiment": {"arms": ["resnet", "combinedNet"], "replicates": [1]},
        "backbones": {
            name: {"weights": "random"} for name in ("imagenet_resnet18", "imagenet_vgg16")
        },
        "compute": {"device": arguments.device, "threads": arguments.threads},
    }
    if arguments.full_size:
        config["synthetic"] = FULL_SIZE
    else:
        config["data_root"] = str(arguments.data.resolve())
        # A few pRCC images: more than one step per epoch.
        config["pretraining"] = {
            "pRCC_autoencoder": {"training": {"batch_size": 4}},
        }
    return config


class GpuUse(threading.Thread):
    """Seconds in which the GPU was busy, by nvidia-smi; none without it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.busy = 0.0
        self.known = shutil.which("nvidia-smi") is not None
        self.ended = threading.Event()

    def run(self) -> None:
        last = time.monotonic()
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while self.known and not self.ended.wait(0.5):
            shown = subprocess.run(query, capture_output=True, text=True, check=False).stdout
            now = time.monotonic()
            try:
                self.busy += (now - last) * float(shown.split()[0]) / 100
            except (IndexError, ValueError):
                # A GPU that does not tell, as a part of one.
                self.known = False
            last = now


def snakemake(config: Path, arguments: argparse.Namespace, *targets: str) -> float:
    """Run Snakemake to its end and give its wall time."""
    command = [sys.executable, "-m", "snakemake", *targets, "--cores", str(arguments.cores)]
    command += ["--configfile", str(config), "--quiet", "all"]
    # Drawing is not part of what is timed.
    command += ["--set-threads", f"draw_synthetic_images={arguments.cores}"]
    if arguments.device == "cuda":
        command += ["--resources", f"gpu={arguments.jobs_per_gpu}"]
    started = time.perf_counter()
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)
    return time.perf_counter() - started


def is_stage(row: dict[str, str]) -> bool:
    """Whether a row of benchmarks.csv is a stage: a whole rule, but each pretraining by itself."""
    if row["rule"] == "pretrain":
        return row["job"] != "all"
    return row["job"] == "all" and row["rule"] != "draw_synthetic_images"


def print_table(rows: list[dict[str, str]], wall: float, arguments: argparse.Namespace) -> None:
    """Stages in the order of their time, and the whole."""
    floor = sum(float(row["floor_seconds"] or 0) for row in rows)
    last = "share of peak, per job" if arguments.device == "cuda" else "times floor"
    print(f"| stage | jobs | s | images/s | TFLOP | floor s | {last} |")
    print("|" + "|".join([" --- ", *[" ---: "] * 6]) + "|")
    for row in sorted(rows, key=lambda row: -float(row["seconds"])):
        seconds, tflop = float(row["seconds"]), float(row["tflop"] or 0)
        stage = row["rule"] if row["job"] == "all" else f"{row['rule']} {row['job']}"
        cells = [stage, row["jobs"], f"{seconds:.1f}"]
        if tflop:
            share = tflop * 1e12 / seconds / arguments.peak
            ratio = float(row["times_floor"])
            cells += [f"{float(row['images_per_second']):.0f}", f"{tflop:.1f}"]
            cells += [f"{float(row['floor_seconds']):.1f}"]
            cells += [f"{share:.1%}" if arguments.device == "cuda" else f"{ratio:.2f}"]
        else:
            cells += [""] * 4
        print("| " + " | ".join(cells) + " |")
    print(f"\nwall {wall:.1f} s ({wall / 60:.1f} min)")
    if arguments.device != "cuda":
        ideal = floor * arguments.threads / arguments.cores
        print(f"floor {ideal:.1f} s on {arguments.cores} cores; wall / floor: {wall / ideal:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder with WBC_100, CAM16_100cls_10mask, ...")
    source.add_argument("--full-size", action="store_true")
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    parser.add_argument("--threads", type=int, default=1, help="of one job")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--jobs-per-gpu", type=int, default=4)
    parser.add_argument("--peak", type=float, default=PEAK, help="operations per second of the GPU")
    parser.add_argument("--results", type=Path, help="folder to keep; else a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        results = (arguments.results or Path(name)).resolve()
        results.mkdir(parents=True, exist_ok=True)
        config = results / "overlay.yaml"
        config.write_text(yaml.safe_dump(overlay(arguments, results)), encoding="utf-8")
        if arguments.full_size:
            snakemake(config, arguments, f"{results}/resources/synthetic/manifest.csv")
        use = GpuUse()
        use.start()
        wall = snakemake(config, arguments)
        use.ended.set()
        use.join()
        with (results / "benchmarks.csv").open(encoding="utf-8", newline="") as handle:
            rows = [row for row in csv.DictReader(handle) if is_stage(row)]
        print_table(rows, wall, arguments)
        if use.known:
            print(f"GPU busy {use.busy:.1f} s")


if __name__ == "__main__":
    main()
