"""Verdicts of the steps that check before anything long runs.

Such a step always succeeds, as Snakemake deletes the files of a step that fails, and remakes everything behind a file
that is gone. It writes its verdict, and the rule `heed_verdict` fails with it, before all that waits for the check.
"""

from pathlib import Path

from fewlabels.core.errors import UserError
from fewlabels.core.files import write_text

GO = "go"
STOP = "stop: "


def write_verdict(path: Path | str, line: str | None) -> None:
    """Write a verdict: one line that says what stops the workflow and the remedy, or None to go on."""
    write_text(path, f"{GO}\n" if line is None else f"{STOP}{' '.join(line.split())}\n")


def read_verdict(path: Path | str) -> str | None:
    """The line that stops the workflow, or None.

    Raises:
        UserError: the file is missing, or was not written by :func:`write_verdict`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist: run the rule that writes it first")
    text = path.read_text(encoding="utf-8").strip()
    if text == GO:
        return None
    if not text.startswith(STOP):
        raise UserError(f"{path} holds no verdict: delete it, so that its rule writes it again")
    return text.removeprefix(STOP)
