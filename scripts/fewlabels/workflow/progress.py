"""How far a run is: one line per running step, with epoch, loss and time left, and an estimate of the whole.

The Snakemake of a run writes what it is at to a file in the results folder, which `make watch` shows in any terminal.
"""

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fewlabels.core.files import write_json
from fewlabels.workflow.plan import History, Job, benchmark_folders, makespan

FILE = ".progress.json"
#: The end of a log that is read: some epochs.
TAIL = 4096
EPOCH = re.compile(r"epoch (\d+)/(\d+): (?:\w*loss (\S+?)[,;])?.*?(\d+) s left")
#: A run that has not written its file for so many seconds was killed.
SILENT = 180
#: So many running steps have a line, where nobody asks for more.
MOST = 16


@dataclass(frozen=True)
class Step:
    """A job that runs, or waits in a cluster's queue.

    Attributes:
        name: of what, such as ``replicate1/resnet_wbc_10``.
        log: its log file; empty where it has none.
        benchmark: the file that will hold how long it took; empty without one.
    """

    rule: str
    name: str
    log: str
    benchmark: str


@dataclass(frozen=True)
class Snapshot:
    """What a run is at.

    Attributes:
        time: of the snapshot, seconds since 1970; ``started``: of the run.
        jobs: how many there are in all, ``done`` of them are done.
        waiting: steps that have not begun.
        state: ``running``, ``done`` or ``failed``.
        at_once: how many steps ran at a time, at most.
    """

    time: float
    started: float
    jobs: int
    done: int
    running: list[Step] = field(default_factory=list)
    waiting: list[Step] = field(default_factory=list)
    state: str = "running"
    at_once: int = 1

    def write(self, results: Path) -> None:
        """Put it where :meth:`read` finds it."""
        write_json(results / FILE, asdict(self))

    def history(self) -> History:
        """How long steps took so far."""
        steps = [*self.waiting, *self.running]
        return History(benchmark_folders([Job(one.rule, one.benchmark, 0) for one in steps]))

    def goes_on(self, now: float) -> bool:
        """Whether the run is neither over nor was killed."""
        return self.state == "running" and now - self.time <= SILENT

    @classmethod
    def read(cls, results: Path) -> "Snapshot | None":
        """The last one; None where no run was started, or its file can't be read."""
        try:
            found = json.loads((results / FILE).read_text(encoding="utf-8"))
            steps = {key: [Step(**one) for one in found[key]] for key in ("running", "waiting")}
            return cls(**found | steps)
        except (OSError, ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True)
class Epoch:
    """What a training's log said last; ``loss`` is empty where it said none, ``left`` is in seconds."""

    epoch: int
    epochs: int
    loss: str
    left: float


def read_epoch(log: str | os.PathLike[str]) -> Epoch | None:
    """The last epoch in a log; None where there is none, or no log yet."""
    found = EPOCH.findall(last_text(log))
    if not found:
        return None
    epoch, epochs, loss, left = found[-1]
    return Epoch(int(epoch), int(epochs), loss, float(left))


def last_text(log: str | os.PathLike[str]) -> str:
    """The end of a log; empty where there is none."""
    try:
        with open(log, "rb") as handle:
            handle.seek(max(0, os.fstat(handle.fileno()).st_size - TAIL))
            return handle.read().decode("utf-8", errors="replace")
    except OSError:
        return ""


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(42), duration(200), duration(3 * 3600 + 100)
    ('42 s', '3 min', '3 h 2 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def step_line(step: Step, epoch: Epoch | None) -> str:
    """One line about a running step."""
    # A pretraining's rule has its name.
    rule = "pretrain" if step.rule == f"pretrain_{step.name}" else step.rule
    name = f"{rule} {step.name}".strip()
    if epoch is None:
        begun = bool(step.log) and os.path.exists(step.log)
        return f"  {name}" if begun or not step.log else f"  {name}: not begun"
    loss = f", loss {epoch.loss}" if epoch.loss else ""
    return f"  {name}: epoch {epoch.epoch}/{epoch.epochs}{loss}, {duration(epoch.left)} left"


def time_left(snapshot: Snapshot, epochs: Mapping[Step, Epoch | None], history: History) -> str:
    """How long until all is done, in words, by earlier steps of the same kind and what logs say.

    Where steps are left of a kind that was never run, it is a lower bound.
    """
    expected = {
        step: history.expect(Job(step.rule, step.benchmark, 0))
        for step in [*snapshot.waiting, *snapshot.running]
    }
    durations = [expected[step] for step in snapshot.waiting]
    for step in snapshot.running:
        epoch, whole = epochs[step], expected[step]
        # Half of it is still to come, on average, where its log does not say.
        half = None if whole is None else whole / 2
        durations.append(epoch.left if epoch else half)
    known = [seconds for seconds in durations if seconds is not None]
    if not known and durations:
        return "time left not known yet"
    left = duration(makespan(known, max(1, snapshot.at_once)))
    return f"about {left} left" if len(known) == len(durations) else f"more than {left} left"


def progress_lines(snapshot: Snapshot, now: float, most: int = MOST) -> list[str]:
    """What to show of a run, the line about the whole of it first.

    Args:
        now: seconds since 1970.
        most: so many steps have a line of their own.
    """
    took = duration(snapshot.time - snapshot.started)
    count = f"{snapshot.done} of {snapshot.jobs} steps done"
    if snapshot.state != "running":
        word = "finished" if snapshot.state == "done" else "stopped at a fault"
        return [f"The run {word} after {took}: {count}."]
    if not snapshot.goes_on(now):
        silence = duration(now - snapshot.time)
        return [f"No run is going on: the last one was cut off {silence} ago, {count}."]
    epochs = {step: read_epoch(step.log) for step in snapshot.running}
    estimate = time_left(snapshot, epochs, snapshot.history())
    head = f"{count} in {took}, {len(snapshot.running)} running, {estimate}"
    # Trainings first, then what tells nothing of itself.
    shown = sorted(epochs, key=lambda step: epochs[step] is None)[:most]
    more = len(epochs) - len(shown)
    rest = [f"  and {more} more"] if more else []
    return [head, *(step_line(step, epochs[step]) for step in shown), *rest]
