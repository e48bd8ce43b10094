"""Runs of the whole workflow on tiny synthetic images, each in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from heeded_signals import heeded_signals  # noqa: F401 (a fixture for all tests)
from own_images import SHORT, SHORT_RUNS, draw_images

REPOSITORY = Path(__file__).resolve().parents[2]
NEEDED = ("Snakefile", "config.yaml", "rules", "scripts", "profiles", "overlays", "tests/tiny.yaml")
# The images' names come from these.
NEEDED += ("containers/torch.def", "containers/tools.def", "envs/torch.lock", "envs/tools.lock")


@dataclass(frozen=True)
class Workflow:
    """A copy of the repository in which Snakemake runs.

    Options may begin with further overlays.
    """

    folder: Path

    def snakemake(self, *options: str) -> subprocess.CompletedProcess:
        """Run Snakemake; stdout and stderr come back together."""
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *options],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def run(self, *options: str, overlay: str = "tests/tiny.yaml") -> str:
        """Run the workflow to its end; fail with its output if it does not get there."""
        done = self.snakemake("--cores", "2", "--configfile", overlay, *options)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def planned(self, *options: str, overlay: str = "tests/tiny.yaml") -> dict[str, int]:
        """Number of jobs per rule that a dry run plans, without ``all``."""
        done = self.snakemake("--dry-run", "--configfile", overlay, *options)
        assert done.returncode == 0, done.stdout[-6000:]
        assert "Error" not in done.stdout
        if "Nothing to be done" in done.stdout:
            return {}
        table = done.stdout.rsplit("Job stats:", 1)[1].split("total", 1)[0]
        jobs = {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)$", table, re.M)}
        assert jobs, done.stdout[-6000:]
        jobs.pop("all", None)
        return jobs


def copy_repository(folder: Path) -> Workflow:
    """Copy what a run needs; results and caches stay behind."""
    for name in NEEDED:
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    return Workflow(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The tiny workflow, run once to its end. Tests must leave it as they find it."""
    workflow = copy_repository(tmp_path_factory.mktemp("finished"))
    workflow.run()
    return workflow


@pytest.fixture
def finished_copy(finished: Workflow, tmp_path: Path) -> Workflow:
    """A copy of the tiny workflow after its run, with what Snakemake knows of it: for further runs."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Workflow(folder)


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A copy of the repository beside drawn images, without results: each run goes into a folder of its own."""
    workflow = copy_repository(tmp_path_factory.mktemp("own"))
    draw_images(workflow.folder / "images")
    (workflow.folder / SHORT).write_text(SHORT_RUNS)
    return workflow


@pytest.fixture
def make_copy(tmp_path: Path) -> Callable[[], Workflow]:
    """Gives a fresh copy of the repository without results."""
    return lambda: copy_repository(tmp_path / "copy")


@pytest.fixture
def edit(finished: Workflow):
    """Edits a file of the finished copy for one test: ``edit(path, text to append)``."""
    saved: dict[Path, tuple[bytes, tuple[int, int]]] = {}

    def append(name: str, text: str) -> None:
        path = finished.folder / name
        status = path.stat()
        saved.setdefault(path, (path.read_bytes(), (status.st_atime_ns, status.st_mtime_ns)))
        path.write_bytes(path.read_bytes() + text.encode())

    yield append
    for path, (content, times) in saved.items():
        path.write_bytes(content)
        os.utime(path, ns=times)
