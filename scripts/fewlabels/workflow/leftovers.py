"""What killed processes leave behind in the results: half files, and states of trainings that nobody goes on with."""

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path

from fewlabels.core.failed_runs import is_failed
from fewlabels.core.files import writer_of
from fewlabels.core.processes import host_name, started_at
from fewlabels.core.run_sheet import PREDICTED_MASKS
from fewlabels.core.state_files import training_of

#: Below the results folder.
UNFINISHED = "unfinished"
#: Seconds after which a half file of another machine is taken for one that nobody writes any more.
OLD = 7 * 24 * 3600


def half_files(results: Path) -> list[Path]:
    """Files that a process of this machine, which is no more, has not written to their ends; of others, old ones."""
    found = []
    for folder, _, names in os.walk(results):
        for name in names:
            path, writer = Path(folder, name), writer_of(name)
            if writer and _is_gone(path, *writer):
                found.append(path)
    return found


def _is_gone(path: Path, pid: int, host: str) -> bool:
    if host == host_name():
        return not started_at(pid)
    return time.time() - path.lstat().st_mtime > OLD


def unwanted_states(results: Path, wanted: Collection[str]) -> list[Path]:
    """States of trainings other than these, by their names (:func:`checkpoint_of`)."""
    folder = results / UNFINISHED
    known = {folder / name for name in wanted}
    found = {path: training_of(path) for path in folder.rglob("*.pt") if path.is_file()}
    return [path for path, training in found.items() if training and training not in known]


def checkpoint_of(results: Path, training: str) -> Path:
    """What a training of this name writes.

    >>> checkpoint_of(Path("r"), "replicate1/a_wbc_10").as_posix()
    'r/models/replicate1/a_wbc_10.pt'
    >>> checkpoint_of(Path("r"), "predicted_masks/replicate1/wbc_10").as_posix()
    'r/predicted_masks/replicate1/wbc_10.pt'
    """
    folder = results if training.startswith(f"{PREDICTED_MASKS}/") else results / "models"
    return folder / f"{training}.pt"


def noted_states(results: Path, noted: Callable[[Path], bool]) -> list[Path]:
    """States of trainings of whose results Snakemake has taken note. Before, a kill would cost the whole training: what
    is not noted is deleted, and trained again.

    Args:
        noted: whether the job is finished that writes a checkpoint.
    """
    folder = results / UNFINISHED
    found = []
    for path in folder.rglob("*.pt"):
        training = training_of(path)
        if training is None:
            continue
        name = training.relative_to(folder).as_posix()
        # A run that failed may be tried again.
        failed = is_failed(results / "records" / f"{name}.json")
        if not failed and noted(checkpoint_of(results, name)):
            found.append(path)
    return found


def remove_leftovers(results: Path, wanted: Collection[str]) -> int:
    """Remove both; how many files these were."""
    left = [*half_files(results), *unwanted_states(results, wanted)]
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)
