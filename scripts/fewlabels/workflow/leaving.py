"""How a Snakemake leaves that is asked to: no new jobs, trainings keep their state, short jobs end by themselves."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType

import psutil

#: Kill and shutdown; a closed terminal.
SIGNALS = (signal.SIGTERM, signal.SIGHUP)
#: Steps with this option keep their state.
KEEPS_STATE = "--unfinished"
#: Seconds between two looks for trainings that have begun since.
LOOKS_EVERY = 0.5


def trainings_below(pid: int) -> list[int]:
    """The processes that a process started, by itself or through shells and containers, and that keep their state."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            if KEEPS_STATE in child.cmdline():
                found.append(child.pid)
    return found


def ask_trainings(asked: set[int]) -> None:
    """Ask the trainings of this Snakemake to keep their state and leave; ``asked``: those that were asked already."""
    for pid in set(trainings_below(os.getpid())) - asked:
        asked.add(pid)
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:  # it has just ended
            continue


def leave_when_asked(finish: Callable[[], None]) -> None:
    """Heed signals from now on; one that is ignored already, as SIGHUP under nohup, stays so.

    Args:
        finish: starts no further job, and ends once those that run are done.
    """

    def leave() -> None:
        finish()
        asked: set[int] = set()
        # A job that has just been chosen is no training yet.
        while True:
            ask_trainings(asked)
            time.sleep(LOOKS_EVERY)

    def take(_: int, __: FrameType | None) -> None:
        # In a thread of its own: this one may hold the lock that `finish` waits for.
        threading.Thread(target=leave, daemon=True).start()

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, take)
