"""Runs of Snakemake that are cut off, and what is left of their processes, locks and states."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")
PATIENCE = 300  # seconds
#: Of a training, a folder's name below results/ -> ending of its file there.
RESULTS = {"models": "pt", "history": "csv", "predictions": "csv"}
#: How the names of networks of masks begin, whose files lie below results/ itself, and these files' endings.
MASKS = "predicted_masks/"
MASK_RESULTS = (".pt", ".npy", ".csv", "_scores.csv")


def start(folder: Path, *options: str) -> subprocess.Popen:
    """Start Snakemake in a session of its own, as a terminal does; what it prints goes into printed.txt."""
    with (folder / "printed.txt").open("w") as printed:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *options],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_for(
    look: Callable[[], Found], seconds: float = PATIENCE, every: float = 0.05
) -> Found | None:
    """What ``look`` finds, as soon as it finds something; None after so many seconds."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(every)
    return found or None


def processes_in(folder: Path) -> dict[int, list[str]]:
    """Number -> words of the command line, of every process that works in a folder."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(path / "cwd") == str(folder.resolve()):
                words = os.fsdecode((path / "cmdline").read_bytes()).split("\0")[:-1]
                if words:
                    found[int(path.name)] = words
        except OSError:  # it has ended, or is another user's
            continue
    return found


def trainings_in(folder: Path) -> list[int]:
    """The numbers of the trainings that run there."""
    return [pid for pid, words in processes_in(folder).items() if "--unfinished" in words]


def states_in(folder: Path) -> list[Path]:
    """States of unfinished trainings, whole ones."""
    return sorted(
        path
        for path in (folder / "results/unfinished").rglob("*.pt")
        if not path.name.startswith(".")
    )


def half_files(folder: Path) -> list[Path]:
    return [path for path in (folder / "results").rglob(".*@*") if path.is_file()]


def locks_in(folder: Path) -> list[Path]:
    return [
        path for name in ("locks", "running") for path in (folder / ".snakemake" / name).glob("*")
    ]


def files_of(folder: Path, training: str) -> dict[Path, bytes]:
    """What a training wrote that must not depend on kills, by its name below each folder."""
    results = folder / "results"
    if training.startswith(MASKS):
        paths = [results / f"{training}{end}" for end in MASK_RESULTS]
    else:
        paths = [results / kind / f"{training}.{end}" for kind, end in RESULTS.items()]
    return {path: path.read_bytes() for path in paths if path.exists()}
