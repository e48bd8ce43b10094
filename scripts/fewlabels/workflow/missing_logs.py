"""Logs of failed jobs that can't be created: Snakemake (9.27) ends in a traceback there, and no line names the disk.

Behind a failed job Snakemake creates its log where there is none. On a disk that has no room for another file the step
could not create it either; that is told at the end of the run (:mod:`fewlabels.workflow.disk_needs`).
"""

import functools
import importlib
import logging
from typing import Any

from fewlabels.core.files import WRITING
from fewlabels.workflow.patched_versions import fits

PLANNER = "snakemake.dag"
#: Versions of Snakemake that the patch was tried with.
VERSIONS = ">=9.27,<9.28"
LOSS = "where the disk has no room for more files, a run ends in a traceback"


def do_without_logs() -> None:
    """Have Snakemake go on where a job's log can't be created because the disk is full."""
    dag = importlib.import_module(PLANNER).DAG
    if hasattr(dag.handle_log, "__wrapped__") or not fits("snakemake", VERSIONS, LOSS):
        return
    handle = dag.handle_log

    @functools.wraps(handle)
    async def handle_log(self: Any, job: Any) -> None:
        try:
            await handle(self, job)
        except OSError as error:
            if error.errno not in WRITING:
                raise
            logging.getLogger(__name__).warning("warning: no log of %s: %s", job, error.strerror)

    dag.handle_log = handle_log
