"""Whose results lie in a results folder: of which working copy, config and scripts.

Snakemake remembers in its own folder, `.snakemake`, what a file was made by. Where that is gone, or two working copies
share a results folder, it takes any file for its own, and an old table for the present config's.
"""

import json
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_json, write_text

OWNER = ".owner.json"
#: What results are made by, as in provenance.json.
MADE_BY = ("config", "scripts")


class WorkingCopy:
    """A folder that the workflow runs in.

    Args:
        folder: as it is, with Snakemake's folder in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / ".snakemake/fewlabels/working_copy.txt"

    def name(self) -> str | None:
        """What tells it from every other, its copies as well; None before it was named."""
        try:
            # A copy of the file has another inode.
            return f"{self.file.read_text(encoding='utf-8').strip()}-{self.file.stat().st_ino}"
        except OSError:
            return None

    def make_name(self) -> str:
        """The name; given now, where it has none."""
        if self.name() is None:
            write_text(self.file, f"{uuid.uuid4().hex}\n")
        return str(self.name())

    def remembers(self, path: str) -> bool:
        """Whether Snakemake remembers here what a file was made by."""
        record = urlsafe_b64encode(path.encode()).decode()
        return (self.folder / ".snakemake/metadata" / record).is_file()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_ours(owner: str, results: Path, copy: WorkingCopy) -> bool:
    """Whether a working copy is this one, or the one that this one and the results in it were copied from."""
    name = copy.name()
    if name is None or owner == name:
        return owner == name
    inside = results.resolve().is_relative_to(copy.folder.resolve())
    return inside and owner.partition("-")[0] == name.partition("-")[0]


def _made_by(results: Path, copy: WorkingCopy, provenance: str) -> dict[str, Any]:
    """What is known of results that this working copy does not remember; empty where nothing is in doubt."""
    owner = _read(results / OWNER)
    if owner:
        return {} if _is_ours(str(owner.get("working_copy")), results, copy) else owner
    found = _read(results / "provenance.json")
    if not found or copy.remembers(provenance):
        return {}
    code = found.get("code")
    scripts = code.get("scripts") if isinstance(code, dict) else None
    return {"config": found.get("config"), "scripts": scripts}


def check_owner(results: str, copy: WorkingCopy, present: dict[str, str]) -> None:
    """Check that results that this working copy does not remember are those of the present config and scripts.

    Args:
        results: the folder, as the config names it.
        present: the hashes ``config`` and ``scripts``.

    Raises:
        UserError: they are not.
    """
    found = _made_by(copy.folder / results, copy, f"{results}/provenance.json")
    if not found:
        return
    differ = [key for key in MADE_BY if found.get(key) != present[key]]
    if differ:
        what = f"another {' and other '.join(differ)}" if differ[0] == "config" else "other scripts"
    elif found.get("mixed"):
        what = "several configs or versions of the scripts"
    else:
        return
    where = f" (made in {found['folder']})" if found.get("folder") else ""
    raise UserError(
        f"{results}{where} holds results of {what}, and this folder has no record of what made them: set "
        "pathvars.results to a folder of its own, go back to what they were made by, or move that folder away"
    )


def write_owner(results: str, copy: WorkingCopy, present: dict[str, str]) -> None:
    """Write down, as a run starts, whose the results are from now on, and whether some may be of others."""
    file = copy.folder / results / OWNER
    before = _read(file)
    changed = any(before.get(key) != present[key] for key in MADE_BY)
    mixed = bool(before) and (changed or bool(before.get("mixed")))
    _write(file, copy, present, mixed)


def settle_owner(results: str, copy: WorkingCopy, present: dict[str, str]) -> None:
    """Write down, as a run has ended well, that all results are of the present config and scripts, where they are."""
    provenance = _read(copy.folder / results / "provenance.json")
    code = provenance.get("code")
    scripts = code.get("scripts") if isinstance(code, dict) else None
    if {"config": provenance.get("config"), "scripts": scripts} == present:
        _write(copy.folder / results / OWNER, copy, present, mixed=False)


def _write(file: Path, copy: WorkingCopy, present: dict[str, str], mixed: bool) -> None:
    facts = {"working_copy": copy.make_name(), "folder": str(copy.folder), "mixed": mixed}
    write_json(file, facts | {key: present[key] for key in MADE_BY})
