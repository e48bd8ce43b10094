"""What a job of its own costs a short run on SLURM, and what several runs per job save.

Needs a SLURM (bash tests/slurm/setup_slurm.sh start) and the images (make containers). The same short runs are trained
in containers on this machine, two at a time, as one SLURM job each, and as `groups` of --per-job runs; the jobs ask for
a GPU, of which that SLURM has one, and so run one after another. The overhead of a run is its share of the time from
the first job's start to the last one's end, over what its step took; the rest of the wall time (submission, the wait
for the last poll) comes once per sweep.
"""

import argparse
import csv
import os
import shutil
import statistics
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
ARMS, FRACTIONS = ("resnet", "combinedNet", "combinedNetClustered"), ("100", "10")


def snakemake(*options: str) -> float:
    """Run Snakemake and give its wall time."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "snakemake", *options]
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit((done.stdout + done.stderr)[-3000:])
    return time.perf_counter() - started


def step_seconds(results: Path) -> list[float]:
    """What each run's step took by itself."""
    seconds = []
    for path in sorted((results / "benchmarks/train_classifier").rglob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as handle:
            seconds += [float(row["s"]) for row in csv.DictReader(handle, delimiter="\t")]
    return seconds


def ended_jobs() -> list[tuple[datetime, datetime]]:
    """Start and end of every job that SLURM still knows and that ran."""
    command = ["squeue", "--noheader", "--states=COMPLETED", "--format=%S %e"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [tuple(map(datetime.fromisoformat, line.split())) for line in listed.splitlines()]


def job_seconds(since: datetime) -> float:
    """From the start of the first SLURM job after a time to the end of the last one.

    SLURM forgets a job after MinJobAge (300 s, if nothing else is set): a longer sweep would look too short.
    """
    jobs = [(start, end) for start, end in ended_jobs() if start >= since]
    return (max(end for _, end in jobs) - min(start for start, _ in jobs)).total_seconds()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=2)
    parser.add_argument("--per-job", type=int, default=6)
    arguments = parser.parse_args()
    # Below the working folder, which containers see.
    results = REPOSITORY / "results" / f"slurm_overhead_{os.getpid()}"
    results.mkdir(parents=True)
    replicates = [*range(1, arguments.replicates + 1)]
    name = results.relative_to(REPOSITORY).as_posix()
    config = results / "overlay.yaml"
    values = {
        "pathvars": {"results": name, "resources": f"{name}/resources"},
        "experiment": {"replicates": replicates},
        # As on a cluster with GPUs: one per job, and so one run after another in a job of several.
        "compute": {"device": "auto"},
    }
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    options = ["--configfile", "tests/tiny.yaml", str(config), "--quiet", "all"]
    runs = [(a, f, r) for r in replicates for a in ARMS for f in FRACTIONS]
    targets = [f"{name}/models/replicate{r}/{a}_wbc_{f}.pt" for a, f, r in runs]
    together = [
        "--groups",
        "train_classifier=runs",
        "--group-components",
        f"runs={arguments.per_job}",
    ]
    together += ["--set-resource-scopes", "gpu=local", "--resources", "gpu=1"]
    polling = ["--slurm-init-seconds-before-status-checks", "5"]
    here = ["--profile", "profiles/apptainer", "--cores", "2"]
    slurm = ["--profile", "profiles/slurm", *polling]
    ways = {
        "this machine": (2, here),
        "SLURM, one run per job": (1, slurm),
        f"SLURM, {arguments.per_job} runs per job": (1, slurm + together),
    }
    try:
        snakemake(*here, *options, "--", *targets)
        print(f"{len(targets)} runs on {os.cpu_count()} cores\n")
        print(
            "| | at a time | wall s | first start to last end s | median step s | overhead per run s |"
        )
        print("| --- |" + " ---: |" * 5)
        for way, (at_once, chosen) in ways.items():
            for folder in (
                "models",
                "predictions",
                "history",
                "records",
                "benchmarks/train_classifier",
            ):
                for path in (results / folder).glob("replicate*"):
                    shutil.rmtree(path)
            since = datetime.now().replace(microsecond=0)
            wall = snakemake(*chosen, *options, "--", *targets)
            ran = wall if chosen is here else job_seconds(since)
            steps = step_seconds(results)
            overhead = (ran * at_once - sum(steps)) / len(steps)
            print(
                f"| {way} | {at_once} | {wall:.0f} | {ran:.0f} | {statistics.median(steps):.1f} |"
                f" {overhead:.1f} |",
                flush=True,
            )
    finally:
        shutil.rmtree(results)


if __name__ == "__main__":
    main()
