"""What a check of the machine found: ok, a warning or a fault, each in one line with its remedy."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "fault"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what was looked at, in one or two words.
        text: what was found.
        remedy: what to do about it; empty where nothing need be done.
    """

    level: Level
    subject: str
    text: str
    remedy: str = ""

    @property
    def message(self) -> str:
        """What was found and what to do, without anything that a terminal would take for a command."""
        told = f"{self.text}: {self.remedy}" if self.remedy else self.text
        return "".join(c if c.isprintable() else " " for c in " ".join(told.split()))


def ok(subject: str, text: str) -> Finding:
    """Nothing need be done."""
    return Finding("ok", subject, text)


def warning(subject: str, text: str, remedy: str) -> Finding:
    """Runs go on, but slowly, or may stop later."""
    return Finding("warning", subject, text, remedy)


def fault(subject: str, text: str, remedy: str) -> Finding:
    """A run would stop."""
    return Finding("fault", subject, text, remedy)


def told(findings: Iterable[Finding]) -> list[str]:
    """A line each, and one that counts them."""
    found = list(findings)
    lines = [f"{one.level:<9}{one.subject:<18}{one.message}" for one in found]
    counts = {level: sum(one.level == level for one in found) for level in ("fault", "warning")}
    parts = [f"{n} {level}{'s' if n > 1 else ''}" for level, n in counts.items() if n]
    if not parts:
        return [*lines, "", "All is there."]
    end = "a run would stop at the faults" if counts["fault"] else "runs go on nevertheless"
    return [*lines, "", f"{' and '.join(parts)}: {end}."]


def exit_status(findings: Iterable[Finding]) -> int:
    """1 where there is a fault, else 0."""
    return int(any(one.level == "fault" for one in findings))
