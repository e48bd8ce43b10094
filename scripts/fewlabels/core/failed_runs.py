"""What stands in place of the results of a training that failed, so that the others can be tabulated.

Each of its files says that it failed and why: a record with ``state``, ``reason`` and ``attempts``; predictions with
the column ``failed`` and no image; a history without epochs; and for a checkpoint JSON text, which no reader takes for
weights.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv, write_json
from fewlabels.core.interruption import LEFT

#: State of such a run; column of its predictions; behind it, in states, stands the reason.
FAILED = "failed"
#: A line of a log may be a whole command.
LONGEST_REASON = 200
#: What logs begin their lines with differs between equal runs.
CLOCK = re.compile(r"^\d\d:\d\d:\d\d ")
#: Begins what libraries say that stumble while they are taken down, as where the memory has run out.
TAKEN_DOWN = "Exception ignored in"
#: Lines that tell of an error: ours, and the end of a traceback, as ``torch.OutOfMemoryError: ...``.
ERROR = re.compile(r"^(?:error: |[A-Za-z_][\w.]*(?:Error|Exception|Exit)\b)")
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Failure:
    """Why a training has no results.

    Attributes:
        reason: the last line of its log.
        classes: of the target, in the order of outputs.
        attempts: how often it was tried.
    """

    reason: str
    classes: tuple[str, ...]
    attempts: int

    def write_checkpoint(self, path: Path | str) -> None:
        """Write what :func:`failure_of` reads."""
        write_json(path, {"state": FAILED, **asdict(self)})

    def write_record(self, path: Path | str) -> None:
        """Write the record, which has no times and no device."""
        facts = {"state": FAILED, "reason": self.reason, "attempts": self.attempts}
        write_json(path, facts)

    def write_predictions(self, path: Path | str) -> None:
        """Write predictions of no image."""
        columns = ["id", "label", "predicted", *(f"p_{name}" for name in self.classes), FAILED]
        write_csv(path, columns, [{FAILED: self.reason}])


class FailedRunError(UserError):
    """A checkpoint that was asked for is of a run that failed.

    Attributes:
        failure: why.
    """

    def __init__(self, path: Path | str, failure: Failure) -> None:
        super().__init__(
            f"{path} is of a run that failed ({failure.reason}): train it again, or give another one"
        )
        self.failure = failure


def failure_of(path: Path | str) -> Failure | None:
    """What :meth:`Failure.write_checkpoint` wrote in place of a checkpoint; None where the file is something else."""
    with Path(path).open("rb") as handle:
        if handle.read(1) != b"{":
            return None
        text = b"{" + handle.read()
    try:
        facts = json.loads(text)
    except ValueError:
        return None
    if facts.get("state") != FAILED:
        return None
    return Failure(facts["reason"], tuple(facts["classes"]), facts["attempts"])


def is_failed(record: Path) -> bool:
    """Whether a record is of a run that failed; False where there is none."""
    try:
        return json.loads(record.read_text(encoding="utf-8")).get("state") == FAILED
    except (OSError, ValueError):
        return False


def read_log(log: Path) -> list[str]:
    """The lines of a log that hold something, without the time; none where it cannot be read."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [CLOCK.sub("", line).strip() for line in text.splitlines() if line.strip()]


def was_asked_to_leave(lines: Sequence[str]) -> bool:
    """Whether a log ends with a script that was asked to leave, which is no failure: it goes on later."""
    return bool(lines) and lines[-1].startswith((LEFT, "KeyboardInterrupt"))


def reason_of(lines: Sequence[str]) -> str:
    """Why a training failed, in one line, from those of its log.

    >>> reason_of(["on the CPU", "error: loss.pt is no checkpoint"])
    'error: loss.pt is no checkpoint'
    >>> reason_of(["on the CPU", "epoch 2 of 5"])
    'ended without an error, as if killed, after: epoch 2 of 5'
    """
    for place in range(1, len(lines)):
        if lines[place].startswith(TAKEN_DOWN) and lines[place - 1].startswith("error: "):
            lines = lines[:place]
            break
    last = lines[-1] if lines else "nothing in its log"
    # Some messages have several lines.
    traceback = [place for place, line in enumerate(lines) if line.startswith(TRACEBACK)]
    ours = last.startswith("error: ")
    told = lines[traceback[-1] :] if traceback and not ours else lines[-1:]
    found = next((line for line in told if ERROR.match(line)), None)
    line = " ".join((found or f"ended without an error, as if killed, after: {last}").split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"
