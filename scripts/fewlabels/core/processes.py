"""Whether a process is still there, of those whose number and machine were written down."""

import platform
from pathlib import Path


def host_name() -> str:
    """This machine's name, as it goes into file names."""
    return "".join(c if c.isalnum() else "-" for c in platform.node())[:40] or "here"


def started_at(pid: int) -> str:
    """When a process was started, in ticks since the machine was; "" where there is none with this number.

    A number is given to another process later: together they tell it.
    """
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # Behind the name, which may hold anything, stand its state and 19 more.
    behind = facts.rpartition(")")[2].split()
    return "" if behind[0] == "Z" else behind[19]


def boot_id() -> str:
    """Changes whenever the machine is started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
