"""Tells, while Snakemake runs, how far the run is: to a file all the time, to the terminal now and then."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fewlabels.workflow.progress import Snapshot, progress_lines

#: Seconds between two writings of the file.
WRITTEN_EVERY = 5.0
#: Seconds between two texts, by what they are printed to.
TOLD_EVERY = {"terminal": 60.0, "file": 300.0}


class Reporter:
    """A thread of the Snakemake process; it ends with it.

    Args:
        look: gives what the run is at.
        results: the folder that the file is written to.
        say: prints a text.
        every: seconds between two texts.
    """

    def __init__(
        self, look: Callable[[], Snapshot], results: Path, say: Callable[[str], None], every: float
    ) -> None:
        self.look, self.results, self.say, self.every = look, results, say, every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="progress", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def end(self, state: str) -> Snapshot:
        """Tell no more; the file says that the run is ``done`` or ``failed``. Gives what it was at."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        last = replace(self.look(), state=state, running=[], waiting=[])
        self._write(last)
        return last

    def _write(self, snapshot: Snapshot) -> bool:
        try:
            snapshot.write(self.results)
        except OSError as error:
            self.say(f"warning: {error}: make watch will not see this run")
            return False
        return True

    def _work(self) -> None:
        said = time.monotonic()
        while not self._over.wait(WRITTEN_EVERY):
            snapshot = self.look()
            if not self._write(snapshot):
                return
            if time.monotonic() - said >= self.every:
                said = time.monotonic()
                self.say("\n".join(progress_lines(snapshot, time.time())))
