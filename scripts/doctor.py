"""Say what this machine has and lacks for a run, each with its remedy, before the first job.

Python and its packages, disk, memory, GPU, Apptainer, SLURM, and, for the config, folders of images, weights and
container images. Exit code 1 where a run would stop. It runs with a bare Python 3.11, too, where nothing is installed
yet: `python3 scripts/doctor.py`.
"""

import argparse
import getpass
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# An older Python gets as far as this, and no further.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("fault    Python: 3.11, 3.12 or 3.13 is needed: make doctor PYTHON=python3.11")

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.gpus import driver_version, visible_gpus
from fewlabels.workflow.cluster_checks import (
    NAMESPACES,
    Answer,
    check_apptainer,
    check_slurm,
    check_subordinate_ids,
    check_user_namespaces,
)
from fewlabels.workflow.findings import Finding, exit_status, told, warning
from fewlabels.workflow.machine_checks import (
    Gpus,
    available_memory,
    check_disk,
    check_gpu,
    check_memory,
)
from fewlabels.workflow.python_checks import (
    check_packages,
    check_python,
    installed_packages,
    locked_packages,
)

REPOSITORY = Path(__file__).resolve().parents[1]
LOCK = REPOSITORY / "envs/requirements.lock"
#: Without these the config can't be read.
NEEDED = ("numpy", "PIL", "pydantic", "yaml")
#: Seconds that a command, or an address, has for its answer.
PATIENCE = 60
REACH = 5
#: What `make environment` installs takes so much, with its downloads; measured.
ENVIRONMENT = 13e9


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--configfile", nargs="+", default=[], help="config files over config.yaml, as of Snakemake"
    )
    parser.add_argument(
        "--cores", type=int, help="of the run; default: all that this process may use"
    )
    parser.add_argument(
        "--use-apptainer", action="store_true", help="steps will run in containers: they are needed"
    )
    parser.add_argument(
        "--slurm",
        action="store_true",
        help="jobs will be submitted: SLURM and containers are needed",
    )
    return parser


def ask(*command: str, environment: dict[str, str] | None = None) -> Answer:
    """What a command answers, its errors included; it gets no input and has :data:`PATIENCE` seconds."""
    if not shutil.which(command[0]):
        return Answer(None)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(1, f"{type(error).__name__}")
    return Answer(
        done.returncode, done.stdout if done.returncode == 0 else done.stderr or done.stdout
    )


def text_of(path: str | Path) -> str | None:
    """A small file's text; None where it can't be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def texts(paths: dict[str, str]) -> dict[str, str]:
    """Name -> text of those files that can be read."""
    found = {name: text_of(path) for name, path in paths.items()}
    return {name: text for name, text in found.items() if text is not None}


def reach(address: str) -> str:
    """Why an address can't be reached; empty where its server answers."""
    try:
        request = urllib.request.Request(address, method="HEAD")
        with urllib.request.urlopen(request, timeout=REACH):
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code < 500 else f"status {error.code}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))


def gpus_of(facts: dict[str, Any]) -> Gpus:
    query = "--query-gpu=name,memory.total,memory.used"
    listed = ask("nvidia-smi", query, "--format=csv,noheader")
    lines = listed.output.splitlines() if listed.status == 0 else []
    return Gpus(visible_gpus(), driver_version(), lines, facts.get("torch"))


def probe(backbones: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What torch says, asked in a process of its own; empty where it can't be imported."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts")}
    command = (sys.executable, "-m", "fewlabels.networks.probe", json.dumps(backbones))
    answer = ask(*command, environment=environment)
    if answer.status != 0:
        return {
            "torch": {"version": "", "error": (answer.output.strip().splitlines() or ["?"])[-1]}
        }
    return dict(json.loads(answer.output))


def cluster(containers: bool, jobs: bool) -> Iterator[Finding]:
    """Apptainer and SLURM."""
    version = ask("apptainer", "--version")
    yield check_apptainer(version, containers)
    root = os.geteuid() == 0
    if version.status == 0:
        settings = texts({key: f"/proc/sys/{key}" for key in NAMESPACES})
        tried = ask("unshare", "--user", "--map-root-user", "true")
        yield check_user_namespaces(settings, tried, root, containers)
        files = texts({name: name for name in ("/etc/subuid", "/etc/subgid")})
        yield check_subordinate_ids(files, getpass.getuser(), os.geteuid(), root)
    yield from check_slurm(
        ask("sinfo", "--noheader", "--format", "%P %a %D"),
        ask("sacct", "--noheader", "--allocations"),
        ask("scontrol", "show", "config"),
        jobs,
    )


def of_config(arguments: argparse.Namespace, containers: bool) -> Iterator[Finding]:
    """What the config asks for; its modules need the packages of the environment."""
    from fewlabels.workflow.disk_needs import check_resources_disk, check_results_disk
    from fewlabels.workflow.experiment import plan_experiment
    from fewlabels.workflow.given_config import read_config, written_folders
    from fewlabels.workflow.input_checks import check_containers, check_datasets, check_weights
    from fewlabels.workflow.raw_data import RawData

    try:
        config = read_config(REPOSITORY / "config.yaml", arguments.configfile)
        experiment = plan_experiment(config)
    except UserError as error:
        yield Finding("fault", "config", str(error))
        return
    written = written_folders(config)
    results, resources = (Path(written[f"pathvars.{name}"]) for name in ("results", "resources"))
    raw = RawData(config, str(resources))
    asked = {
        name: {"model": config.backbones[name].model, "weights": config.backbones[name].weights}
        for name in experiment.backbones
    }
    facts = probe(asked)
    yield check_gpu(gpus_of(facts), config.compute.device)
    yield check_results_disk(experiment, raw, results)
    yield check_resources_disk(experiment, raw, resources)
    yield from check_datasets(raw, experiment, written)
    yield from check_weights(raw, experiment, resources, facts.get("backbones", {}), reach)
    choices = {name: getattr(config.containers, name) for name in ("torch", "tools")}
    yield from check_containers(REPOSITORY, choices, containers)


def examine(arguments: argparse.Namespace) -> Iterator[Finding]:
    """Everything, in the order of its telling."""
    containers = arguments.use_apptainer or arguments.slurm
    yield check_python(tuple(sys.version_info[:3]), sys.executable)
    locked = locked_packages(LOCK.read_text(encoding="utf-8"))
    yield check_packages(locked, installed_packages(), (REPOSITORY / ".venv").is_dir())
    cores = arguments.cores or len(os.sched_getaffinity(0))
    limits = texts({"max": "/sys/fs/cgroup/memory.max", "current": "/sys/fs/cgroup/memory.current"})
    yield check_memory(available_memory(text_of("/proc/meminfo") or "", limits), cores)
    yield from cluster(containers, arguments.slurm)
    if all(importlib.util.find_spec(name) for name in NEEDED):
        yield from of_config(arguments, containers)
        return
    free = shutil.disk_usage(REPOSITORY).free
    yield check_disk("disk", str(REPOSITORY), free, ENVIRONMENT, "the Python environment")
    yield check_gpu(gpus_of({}), "auto")
    text = "images, weights and containers were not looked at, as this Python lacks packages"
    yield warning("config", text, "make environment, then make doctor")


def run(arguments: argparse.Namespace) -> None:
    findings = list(examine(arguments))
    print("\n".join(told(findings)))
    if exit_status(findings):
        raise SystemExit(1)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
