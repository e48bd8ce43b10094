"""Who runs Snakemake in a folder: locks that a killed one left are cleared, and running ones are told by name.

Snakemake's locks say which files they are for, but not whose they are.
"""

import atexit
import contextlib
import getpass
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fewlabels.core.files import write_json
from fewlabels.core.processes import boot_id, host_name, started_at

#: Below the working folder: of each Snakemake that runs there, a file; and Snakemake's locks.
RUNNING, LOCKS = Path(".snakemake/running"), Path(".snakemake/locks")


@dataclass(frozen=True)
class Owner:
    """One Snakemake.

    Attributes:
        host, boot, pid, started: by which it is known whether it still runs.
        user: who started it.
        since: when, as told; ``clock``: in seconds since 1970.
        locks: names of its lock files; None as long as it may not have locked yet.
    """

    host: str
    boot: str
    pid: int
    started: str
    user: str
    since: str
    clock: float
    locks: tuple[str, ...] | None = None

    @property
    def file(self) -> str:
        return f"{self.host}.{self.pid}.json"

    def runs(self) -> bool | None:
        """Whether it still runs; None where that can't be told from this machine."""
        if self.host != host_name():
            return None
        return self.boot == boot_id() and started_at(self.pid) == self.started

    def __str__(self) -> str:
        return f"{self.user}'s Snakemake (process {self.pid} on {self.host}, since {self.since})"


def this_process() -> Owner:
    """This Snakemake."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = f"user {os.getuid()}"
    pid = os.getpid()
    since = time.strftime("%Y-%m-%d %H:%M")
    return Owner(host_name(), boot_id(), pid, started_at(pid), user, since, time.time())


def owners(folder: Path) -> Iterator[Owner]:
    """Those written down in a working folder; files that can't be read are passed over."""
    for path in sorted((folder / RUNNING).glob("*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError):
            facts = json.loads(path.read_text(encoding="utf-8"))
            locks = facts.pop("locks")
            yield Owner(**facts, locks=None if locks is None else tuple(locks))


def left_by(owner: Owner, folder: Path, others: Collection[Owner]) -> list[Path]:
    """The lock files that a dead Snakemake left; of one that was killed before it wrote down which, those that are
    younger than it and nobody else's, once that is known of all."""
    found = sorted((folder / LOCKS).glob("*.lock"))
    # Snakemake gives the same names again.
    taken = {name for other in others for name in other.locks or ()}
    if owner.locks is not None:
        return [path for path in found if path.name in owner.locks and path.name not in taken]
    if any(other.locks is None for other in others):
        return []
    return [p for p in found if p.name not in taken and p.stat().st_mtime >= owner.clock]


def clear_dead(folder: Path) -> list[str]:
    """Remove the locks of those that run no more on this machine; lines that tell so, and who else is at work here."""
    found, own = list(owners(folder)), this_process().file
    living = [owner for owner in found if owner.runs() is not False]
    lines = []
    for owner in found:
        if owner in living:
            continue
        locks = left_by(owner, folder, living)
        for path in locks:
            path.unlink(missing_ok=True)
        (folder / RUNNING / owner.file).unlink(missing_ok=True)
        if locks:
            lines.append(f"{owner} was killed: its lock of this folder is cleared")
    if any((folder / LOCKS).glob("*.lock")):
        lines += [line_of(owner) for owner in living if owner.file != own]
    return lines


def line_of(owner: Owner) -> str:
    """What is said of another Snakemake that holds a lock."""
    if owner.runs():
        return f"{owner} works in this folder: wait for it, or take a folder of your own"
    return (
        f"{owner} has locked this folder: if it runs no more on that machine, `snakemake --unlock`"
    )


def write_down(folder: Path) -> Owner:
    """Write down that this Snakemake begins, until it ends; killed, the file stays."""
    owner = this_process()
    file = folder / RUNNING / owner.file
    write_json(file, asdict(owner))
    atexit.register(file.unlink, missing_ok=True)
    return owner


def write_locks(folder: Path, owner: Owner, locks: Mapping[str, str]) -> None:
    """Write down which lock files a Snakemake has: kind -> path."""
    names = tuple(Path(path).name for path in locks.values())
    write_json(folder / RUNNING / owner.file, asdict(replace(owner, locks=names)))
