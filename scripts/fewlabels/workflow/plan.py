"""What a run would cost, before anything is submitted: jobs, GPU-hours and the expected end.

Asks a dry run of Snakemake which jobs there would be, and earlier benchmark files how long such jobs took. Options
after `--` go to Snakemake:
  python -m fewlabels.workflow.plan --at-once 8 -- --configfile my.yaml --profile profiles/slurm
"""

import argparse
import csv
import datetime
import re
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.run_sheet import fraction_of

JOB = re.compile(r"^(?:local)?rule (\w+):$")
FIELD = re.compile(r"^ {4}(\w+): (.*)$")
GPU = re.compile(r"\bgpu=(\d+)")


@dataclass(frozen=True)
class Job:
    """One job of a dry run.

    Attributes:
        benchmark: where it would write how long it took; empty without such a file.
    """

    rule: str
    benchmark: str
    gpus: int


def jobs_of(dry_run: str) -> list[Job]:
    """The jobs that a dry run lists, without the target rule."""
    jobs: list[Job] = []
    rule = ""
    fields: dict[str, str] = {}
    for line in [*dry_run.splitlines(), "rule end:"]:
        if match := JOB.match(line):
            if rule and rule != "all":
                gpus = GPU.search(fields.get("resources", ""))
                benchmark = fields.get("benchmark", "")
                jobs.append(Job(rule, benchmark, int(gpus[1]) if gpus else 0))
            rule, fields = match[1], {}
        elif match := FIELD.match(line):
            fields.setdefault(match[1], match[2])
    return jobs


def seconds_of(path: Path) -> float | None:
    """Wall time of a benchmark file."""
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    try:
        return statistics.fmean(float(row["s"]) for row in rows)
    except (KeyError, ValueError, statistics.StatisticsError):
        return None


def kind_of(rule: str) -> str:
    """What a rule's jobs are like: pretrainings of one kind are those of several replicates.

    >>> kind_of("pretrain_resnet_cam16_replicate2"), kind_of("train_classifier")
    ('pretrain_resnet_cam16', 'train_classifier')
    """
    return re.sub(r"_replicate[0-9]+$", "", rule) if rule.startswith("pretrain_") else rule


class History:
    """How long jobs took, from the benchmark files below some folders."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.times: dict[str, list[tuple[str, float]]] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*.tsv")):
                seconds = seconds_of(path)
                if seconds is not None:
                    rule = path.relative_to(folder).parts[0]
                    # Each pretraining is a rule of its own, and they are unlike each other.
                    rule = f"pretrain_{path.stem}" if rule == "pretrain" else rule
                    self.times.setdefault(kind_of(rule), []).append((path.stem, seconds))

    def expect(self, job: Job) -> float | None:
        """Mean of the most similar earlier jobs: of the same name, of the same fraction, of the rule."""
        known = self.times.get(kind_of(job.rule), [])
        name = Path(job.benchmark).stem
        fraction = fraction_of(name)
        for same in (
            [seconds for other, seconds in known if other == name],
            [seconds for other, seconds in known if fraction_of(other) == fraction],
            [seconds for _, seconds in known],
        ):
            if same:
                return statistics.fmean(same)
        return None


def makespan(seconds: Iterable[float], at_once: int) -> float:
    """Duration of independent jobs on so many places, the longest first.

    >>> makespan([3, 3, 2, 2, 2], 2)
    7.0
    """
    places = [0.0] * at_once
    for duration in sorted(seconds, reverse=True):
        places[places.index(min(places))] += duration
    return max(places)


def plan(jobs: Sequence[Job], history: History, at_once: int, overhead: float) -> list[str]:
    """The lines to print."""
    if not jobs:
        return ["nothing to be done"]
    lines = [f"{'rule':<24}{'jobs':>6}{'s each':>9}{'hours':>8}{'GPU-h':>8}"]
    total = gpu_total = duration = 0.0
    unknown = []
    for rule in dict.fromkeys(job.rule for job in jobs):
        mine = [job for job in jobs if job.rule == rule]
        expected = [history.expect(job) for job in mine]
        taken = [seconds + overhead for seconds in expected if seconds is not None]
        if len(taken) < len(mine):
            unknown.append(f"{rule} ({len(mine)})")
            lines.append(f"{rule:<24}{len(mine):>6}{'?':>9}{'?':>8}{'?':>8}")
            continue
        gpu = sum(seconds * job.gpus for seconds, job in zip(taken, mine, strict=True))
        total, gpu_total = total + sum(taken), gpu_total + gpu
        duration += makespan(taken, at_once)
        each = sum(taken) / len(taken)
        lines.append(
            f"{rule:<24}{len(mine):>6}{each:>9.1f}{sum(taken) / 3600:>8.2f}{gpu / 3600:>8.2f}"
        )
    end = datetime.datetime.now() + datetime.timedelta(seconds=duration)
    lines += [
        f"{'together':<24}{len(jobs):>6}{'':>9}{total / 3600:>8.2f}{gpu_total / 3600:>8.2f}",
        f"with {at_once} at a time: about {duration / 3600:.2f} h, until {end:%d %B %H:%M} if it starts now "
        "and does not queue",
    ]
    if unknown:
        lines.append(
            f"not counted, as no earlier benchmark file tells: {', '.join(unknown)}; "
            'run a small grid first, or name its folder: make plan PLAN="--benchmarks FOLDER/benchmarks"'
        )
    return lines


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--at-once", type=int, default=1, help="jobs that run at a time")
    parser.add_argument("--overhead", type=float, default=0, help="seconds per job on top (SLURM)")
    parser.add_argument(
        "--benchmarks", type=Path, nargs="*", default=[], help="further folders of earlier runs"
    )
    parser.add_argument("options", nargs="*", help="of Snakemake, after --")
    return parser


def benchmark_folders(jobs: Sequence[Job]) -> list[Path]:
    """The folders that the jobs' own benchmark files would go to."""
    found = set()
    for job in jobs:
        parts = Path(job.benchmark).parts
        folder = "pretrain" if job.rule.startswith("pretrain_") else job.rule
        if folder in parts:
            found.add(Path(*parts[: parts.index(folder)]))
    return sorted(found)


def run(arguments: argparse.Namespace) -> None:
    if arguments.at_once < 1:
        raise UserError("--at-once must be at least 1")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--dry-run", "--nocolor", *arguments.options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError("the dry run failed:\n" + "\n".join(done.stdout.splitlines()[-8:]))
    jobs = jobs_of(done.stdout)
    history = History([*benchmark_folders(jobs), *arguments.benchmarks])
    print("\n".join(plan(jobs, history, arguments.at_once, arguments.overhead)))


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
