"""Snakemake's own time: a dry run of a grid of 1,000 runs, and a run of a small grid with nothing to do.

Medians of --repeats.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]


def snakemake(*options: str) -> tuple[float, str]:
    """Run Snakemake: wall time and what it said."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *options],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return time.perf_counter() - started, done.stdout + done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = range(parser.parse_args().repeats)
    with tempfile.TemporaryDirectory() as name:
        folders = {"results": name, "resources": f"{name}/resources"}
        grid = Path(name) / "grid.yaml"
        # 3 arms, 4 fractions, 84 replicates: 1,008 runs, and 6 that cross the seeds of two of them.
        arms = ["resnet", "combinedNet", "combinedNetClustered"]
        grid_of_runs = {"arms": arms, "replicates": [*range(1, 85)]}
        values = {"pathvars": folders, "experiment": grid_of_runs}
        grid.write_text(yaml.safe_dump(values), encoding="utf-8")
        dry = ["--dry-run", "--configfile", "demo.yaml", str(grid)]
        runs = [snakemake(*dry) for _ in repeats]
        count = next(
            line for line in runs[0][1].splitlines() if line.startswith("train_classifier ")
        )
        print(f"dry run, {count.split()[-1]} runs: {statistics.median(s for s, _ in runs):.1f} s")
        small = Path(name) / "small.yaml"
        small.write_text(yaml.safe_dump({"pathvars": folders}), encoding="utf-8")
        tiny = ["--configfile", "tests/tiny.yaml", str(small)]
        snakemake(*tiny)
        runs = [snakemake(*tiny) for _ in repeats]
        if not all("Nothing to be done" in said for _, said in runs):
            raise SystemExit("the second run had something to do")
        print(f"nothing to do: {statistics.median(s for s, _ in runs):.1f} s")


if __name__ == "__main__":
    main()
