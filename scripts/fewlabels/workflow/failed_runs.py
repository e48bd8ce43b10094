"""Trainings that may fail without the table: Snakemake (9.27) takes a failed job for the end of all that needs it.

Where `experiment.failed_runs` allows it, a training that failed in its last attempt, in whatever way (an error, killed,
out of a cluster's memory or time), gets files that say so (:mod:`fewlabels.core.failed_runs`) in place of its results,
and counts as done. This is decided in the main process, which alone knows of every end of a job and of all attempts.
"""

import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fewlabels.core.errors import UnwritableError
from fewlabels.core.failed_runs import Failure, is_failed, read_log, reason_of, was_asked_to_leave
from fewlabels.core.files import write_csv, write_text
from fewlabels.core.run_sheet import HISTORY_COLUMNS, Run
from fewlabels.workflow.patched_versions import fits

SCHEDULER, PLANNER = "snakemake.scheduling.job_scheduler", "snakemake.dag"
#: Versions of Snakemake that the patch was tried with.
VERSIONS = ">=9.27,<9.28"
LOSS = "experiment.failed_runs has no effect, and a training that fails takes the table with it"
NOT_AGAIN = "runs that failed are tried again once their files in records/ are deleted"
#: The rule that may fail.
TRAINING = "train_classifier"
#: Snakemake's file of a job's time and memory, without a measurement.
NO_BENCHMARK = "s\tmax_rss\n"


class FailedRuns:
    """Which runs failed, and whether one more may.

    Args:
        results: folder of all results.
        runs: of the run sheet.
        allowed: how many may fail.
        classes: of the target, in the order of outputs.
    """

    def __init__(
        self, results: Path, runs: Sequence[Run], allowed: int, classes: Sequence[str]
    ) -> None:
        self.allowed, self.classes = allowed, tuple(classes)
        self.record_of = {run: results / run.path("records", "json") for run in runs}

    def found(self) -> dict[Run, Path]:
        """The runs that have failed, each with its record."""
        return {run: record for run, record in self.record_of.items() if is_failed(record)}

    def to_try_again(self) -> list[str]:
        """Records of all failed runs, where there are more than are allowed."""
        found = self.found()
        return [str(record) for record in found.values()] if len(found) > self.allowed else []

    def accept(self, files: Mapping[str, str], log: Path, attempts: int) -> tuple[bool, str]:
        """Write the files of a run that failed, if one more may.

        Args:
            files: its outputs by their names in the rule, and the ``benchmark``.

        Returns:
            Whether they were written, and a line for the user; "" where the run was just asked to leave.
        """
        lines = read_log(log)
        if was_asked_to_leave(lines):
            return False, ""
        name, failure = (
            Path(files["record"]).stem,
            Failure(reason_of(lines), self.classes, attempts),
        )
        before = self.found().values()
        told = f"the training {name} ({Path(files['record']).parent.name}) failed: {failure.reason}"
        if len(before) >= self.allowed:
            named = ", ".join(f"{path.parent.name}/{path.stem}" for path in before)
            return False, (
                f"error: {told}; experiment.failed_runs allows {self.allowed}, and these failed before: {named}"
            )
        try:
            for file in ("predictions", "validation"):
                if file in files:
                    failure.write_predictions(files[file])
            write_csv(files["history"], HISTORY_COLUMNS, [])
            write_text(files["benchmark"], NO_BENCHMARK)
            failure.write_checkpoint(files["checkpoint"])
            failure.write_record(files["record"])
        except UnwritableError as error:
            # A full disk, which may be why it failed; raised here, it would cancel all other trainings.
            return False, f"error: {told}; and {error}"
        return True, (
            f"warning: {told}; it stands in the table as failed, {len(before) + 1} of {self.allowed} that may"
        )


def files_of(job: Any) -> dict[str, str]:
    """The outputs of a training's job by their names, and its benchmark file."""
    named = {name: path for name, path in job.output.items() if path}
    return {**{name: str(path) for name, path in named.items()}, "benchmark": str(job.benchmark)}


def is_given_up(scheduler: Any, job: Any) -> bool:
    """Whether a job that failed is a training that Snakemake would not try again, without being asked to stop."""
    if job.is_group() or job.rule.name != TRAINING or scheduler._user_kill:
        return False
    return job.attempt > job.restart_times


def tolerate(failed_runs: FailedRuns, say: Callable[[str], None]) -> None:
    """Have Snakemake's scheduler go on behind trainings that may fail; ``say``: tells the user a line."""
    if not failed_runs.allowed:
        return
    scheduler = importlib.import_module(SCHEDULER).JobScheduler
    if hasattr(scheduler._handle_error, "__wrapped__") or not fits("snakemake", VERSIONS, LOSS):
        return
    handle = scheduler._handle_error

    @functools.wraps(handle)
    def handle_error(self: Any, job: Any, postprocess_job: bool = True) -> None:
        if not is_given_up(self, job):
            handle(self, job, postprocess_job)
            return
        if postprocess_job:
            # Removes what there is of its outputs.
            self.workflow.async_run(job.postprocess(error=True))
        accepted, line = failed_runs.accept(files_of(job), Path(job.log[0]), job.attempt)
        if line:
            say(line)
        if not accepted:
            handle(self, job, postprocess_job=False)
            return
        # As after a job that ended well.
        self._tofinish.append(job)
        self._open_jobs.release()

    scheduler._handle_error = handle_error


def try_again(failed_runs: FailedRuns) -> None:
    """Where more runs have failed than may, have Snakemake plan all of them, as with ``--forcerun``."""
    records = failed_runs.to_try_again()
    if not records or not fits("snakemake", VERSIONS, NOT_AGAIN):
        return
    dag = importlib.import_module(PLANNER).DAG
    begin = dag.__init__

    @functools.wraps(begin)
    def init(self: Any, *arguments: Any, **keywords: Any) -> None:
        begin(self, *arguments, **keywords)
        self.forcefiles.update(records)

    dag.__init__ = init
