"""Leaving when asked to: signals, and the end of the Snakemake that started a step.

A step that was asked to leave ends with the exit code :data:`STOPPED` (EX_TEMPFAIL of sysexits.h: "try again"). A
training keeps its state before (:mod:`fewlabels.training.unfinished`), so that trying again goes on from there.
"""

import logging
import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

#: Exit code of a step that was asked to leave.
STOPPED = os.EX_TEMPFAIL
#: What asks: kill, shutdown and SLURM (TERM); SLURM before a time limit (USR1); a closed terminal (HUP); Ctrl-C (INT).
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT)
#: Begins the last line in the log of a step that left.
LEFT = "stopped by "
#: In the environment of steps: the process id of the Snakemake that started them.
PARENT = "FEWLABELS_SNAKEMAKE_PID"


class StoppedError(BaseException):
    """The process was asked to leave. No Exception, so that nothing takes it for a failure that can be got over."""


class StopRequest:
    """What signals ask of this process.

    Attributes:
        signal: the name of the first one that came; None as long as none did.
    """

    def __init__(self) -> None:
        self.signal: str | None = None
        self._waits = False
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Take signals from now on; one that is ignored already, as SIGHUP under nohup, stays so. Outside the main
        thread, where Python hands no signals on: nothing."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, self._take):
                self._before[number] = before
                signal.signal(number, self._take)

    def forget(self) -> None:
        """Take no more signals, as before :meth:`listen`."""
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()
        self.signal = None

    def _take(self, number: int, _: FrameType | None) -> None:
        if self.signal:
            return
        self.signal = signal.Signals(number).name
        logging.info("asked to leave by %s", self.signal)
        if not self._waits:
            raise StoppedError(self.signal)

    @contextmanager
    def waits(self) -> Iterator[None]:
        """Within, a signal interrupts nothing, but is heeded where :meth:`heed` is called."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def heed(self) -> None:
        """Leave, if asked to.

        Raises:
            StoppedError: a signal came.
        """
        if self.signal:
            raise StoppedError(self.signal)


#: Of this process.
STOP = StopRequest()


def end_with_parent() -> None:
    """Have this process asked to leave (SIGTERM) once the Snakemake that started it is no more, even if that was killed
    in a way that it could tell nobody."""
    parent = os.environ.get(PARENT, "")
    if not parent.isdigit() or not hasattr(os, "pidfd_open"):
        return
    try:
        process = os.pidfd_open(int(parent))
    except OSError:
        # In a container with process numbers of its own, or a kernel before 5.3.
        return

    def wait() -> None:
        select.select([process], [], [])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
