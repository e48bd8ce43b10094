"""Do the tests notice faults that would give a wrong table in silence? Each of faults.yaml is tried in a copy.

A fault is killed if one of the tests that it names fails (or takes too long). Fails where less than 95 % are killed.
"""

import argparse
import gc
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
FAULTS = Path(__file__).with_name("faults.yaml")
#: Tests begin in copies of a process that has imported these, which takes longer than most of them.
WARM = multiprocessing.get_context("forkserver")
PRELOADED = "pandas pydantic pytest scipy.stats sklearn.metrics statsmodels.stats.api matplotlib.pyplot timm"
WARM.set_forkserver_preload(PRELOADED.split())
#: Of all faults, per cent.
LEAST_KILLED = 95
#: Seconds; what takes longer waits for ever.
LIMIT = 3600
NOT_COPIED = (
    ".git",
    ".venv",
    ".snakemake",
    "results",
    "resources",
    "shared",
    ".*_cache",
    "__pycache__",
)


@dataclass(frozen=True)
class Fault:
    """One edit.

    Attributes:
        name: what goes wrong.
        file: below the repository.
        old: what stands there, once; ``new``: in its place.
        tests: files below ``tests`` that should notice.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """The file's text with the fault.

        Raises:
            ValueError: ``old`` stands there not just once.
        """
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: {self.file} holds its text {text.count(self.old)} times"
            )
        return text.replace(self.old, self.new)


def read_faults() -> list[Fault]:
    """The faults of faults.yaml: {file: {tests: [...], faults: {name: [old, new]}}} in a list."""
    return [
        Fault(name, part["file"], *edit, tuple(part["tests"]))
        for part in yaml.safe_load(FAULTS.read_text(encoding="utf-8"))
        for name, edit in part["faults"].items()
    ]


def run_tests(tree: Path, tests: Sequence[str]) -> None:
    """Run tests in a copy of the tree and leave with pytest's status; what the copy was compiled to stays as it was."""
    sys.dont_write_bytecode = True
    # What was imported before is never rubbish; statsmodels collects that in every test.
    gc.freeze()
    os.chdir(tree)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    options = ["-x", "-q", "-p", "no:cacheprovider"]
    sys.exit(int(pytest.main([*options, *(f"tests/{name}" for name in tests)])))


def passes(tree: Path, tests: Sequence[str]) -> bool:
    """Whether tests pass in a copy of the tree."""
    process = WARM.Process(target=run_tests, args=(tree, tests))
    process.start()
    process.join(LIMIT)
    process.kill()
    process.join()
    return process.exitcode == 0


def survives(fault: Fault, tree: Path) -> bool:
    """Whether the tests pass in spite of a fault."""
    path = tree / fault.file
    sound, status = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(fault.applied(sound), encoding="utf-8")
    try:
        return passes(tree, fault.tests)
    finally:
        path.write_text(sound, encoding="utf-8")
        # What was compiled is of this time.
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def on_copies(workers: int, folder: Path) -> Queue:
    """Copies of the tree."""
    trees: Queue = Queue()
    for number in range(workers):
        tree = folder / str(number)
        shutil.copytree(REPOSITORY, tree, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
        trees.put(tree)
    return trees


def tried(faults: list[Fault], workers: int) -> Iterator[tuple[Fault, bool | None]]:
    """Each fault and whether it survives, as they come; None where its tests fail without it."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(workers) as pool:
        trees = on_copies(workers, Path(folder))

        def on_a_tree(work: Callable[[Path], bool]) -> bool:
            tree = trees.get()
            try:
                return work(tree)
            finally:
                trees.put(tree)

        names = dict.fromkeys(name for fault in faults for name in fault.tests)
        jobs = {name: pool.submit(on_a_tree, partial(passes, tests=(name,))) for name in names}
        broken = {name for name, job in jobs.items() if not job.result()}
        waiting = {}
        for fault in faults:
            if broken & set(fault.tests):
                yield fault, None
            else:
                waiting[pool.submit(on_a_tree, partial(survives, fault))] = fault
        for job in as_completed(waiting):
            yield waiting[job], job.result()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="of names or files")
    parser.add_argument("--workers", type=int, default=1, help="faults at a time")
    arguments = parser.parse_args()
    faults = read_faults()
    if arguments.only:
        faults = [
            fault
            for fault in faults
            if any(word in f"{fault.name} {fault.file}" for word in arguments.only)
        ]
    started, survivors, untried = 0.0, [], []
    for number, (fault, survived) in enumerate(tried(faults, arguments.workers), start=1):
        # The first is behind the tests without a fault.
        started = started or time.monotonic()
        if survived is None:
            untried.append(fault)
        elif survived:
            survivors.append(fault)
        left = (time.monotonic() - started) / max(1, number - 1) * (len(faults) - number)
        word = {None: "not tried", True: "SURVIVED", False: "killed"}[survived]
        print(
            f"{number}/{len(faults)} {word}: {fault.name} ({fault.file}); {left:.0f} s left",
            flush=True,
        )
    killed = len(faults) - len(survivors) - len(untried)
    print(f"{killed} of {len(faults)} killed")
    for what, found in (("survived", survivors), ("its tests fail without it", untried)):
        for fault in found:
            print(f"{what}: {fault.name} ({fault.file}: {', '.join(fault.tests)})")
    return int(not faults or 100 * killed < LEAST_KILLED * len(faults) or bool(untried))


if __name__ == "__main__":
    raise SystemExit(main())
