"""The disk of the results gets full while the workflow runs: it says so, leaves no half file, and completes later."""

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from killing import PATIENCE, half_files, processes_in, start, wait_for
from machines import copy_repository, run, snakemake, tables

OPTIONS = ("--configfile", "tests/tiny.yaml", "--cores", "2")
#: Once such a file is there, the disk gets full.
WHEN = ("images/states/*/images.npy", "models/*.pt", "models/replicate1/*.pt", "metrics/*.csv")
#: Seconds that a run may take to its end.
WHOLE_RUN = 1200
MB = 1 << 20


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    """A copy of the repository whose results lie on a disk of their own, of 1,300 MB and 4,000 files."""
    folder = copy_repository(tmp_path / "run")
    results = folder / "results"
    results.mkdir()
    options = "size=1300m,nr_inodes=4000"
    mounted = run("mount", "-t", "tmpfs", "-o", options, "tmpfs", results)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stdout.strip()}")
    yield folder
    run("umount", "--lazy", results)


def fill_bytes(results: Path) -> Callable[[], None]:
    handle = (results / "filler").open("wb", buffering=0)

    def fill() -> None:
        with contextlib.suppress(OSError):
            while True:
                handle.write(bytes(MB))
        with contextlib.suppress(OSError):
            while True:
                handle.write(b"x")

    return fill


def fill_inodes(results: Path) -> Callable[[], None]:
    (results / "filler").mkdir()
    number = 0

    def fill() -> None:
        nonlocal number
        with contextlib.suppress(OSError):
            while True:
                (results / "filler" / str(number)).touch()
                number += 1

    return fill


def keep_full(fill: Callable[[], None], process: subprocess.Popen) -> None:
    """Fill what is set free again, until the process has ended."""

    def work() -> None:
        while process.poll() is None:
            fill()

    thread = threading.Thread(target=work)
    thread.start()
    process.wait(WHOLE_RUN)
    thread.join()


def is_there_or_over(results: Path, pattern: str, process: subprocess.Popen) -> bool:
    return any(results.glob(pattern)) or process.poll() is not None


FILLERS = {"is full or nearly so": fill_bytes, "has no room for more files": fill_inodes}


@pytest.mark.parametrize("words", FILLERS)
def test_a_disk_that_gets_full(words, disk, expected):
    results = disk / "results"
    stopped = 0
    for pattern in WHEN:
        process = start(disk, *OPTIONS)
        wait_for(partial(is_there_or_over, results, pattern, process), WHOLE_RUN)
        if process.poll() is not None:
            assert process.returncode == 0
            break
        keep_full(FILLERS[words](results), process)
        printed = (disk / "printed.txt").read_text()
        assert process.returncode != 0, printed[-3000:]
        assert f"The disk of results/ {words}" in printed, printed[-6000:]
        assert "Traceback" not in printed, printed[-6000:]
        assert wait_for(lambda: not processes_in(disk))
        assert half_files(disk) == []
        run("rm", "-rf", results / "filler")
        stopped += 1
    assert stopped >= len(WHEN) - 1
    snakemake(disk, *OPTIONS)
    assert tables(results) == expected


def test_a_disk_that_is_read_only(disk):
    results = disk / "results"
    assert run("mount", "-o", "remount,ro", results).returncode == 0
    process = start(disk, *OPTIONS)
    assert process.wait(PATIENCE) == 1
    printed = (disk / "printed.txt").read_text()
    assert "Traceback" not in printed, printed[-6000:]
    [line] = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert "results" in line
    assert "read-only" in line
    assert os.listdir(results) == []
