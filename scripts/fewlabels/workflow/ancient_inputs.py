"""Reruns beyond `ancient` inputs, which Snakemake (9.27) can miss.

When a job has to run, Snakemake takes everything downstream for settled and checks it no further. But a job behind an
`ancient` file is not rerun by it, and its own reasons (other parameters, an edited script) then go unseen until the
next call (https://github.com/snakemake/snakemake/issues/4166). Here such jobs are checked like all others.
tests/unit/test_ancient_inputs.py says when this is no longer needed.
"""

import functools
import sys
from collections.abc import Mapping
from typing import Any

from fewlabels.workflow.patched_versions import fits

PLANNER = "snakemake.dag"
#: Versions of Snakemake that the patch was tried with.
VERSIONS = ">=9.27,<9.28"
LOSS = "after an edit, run snakemake again until nothing is left to be done"


class WithoutAncientEdges:
    """The jobs that depend on each job by a file that is not marked `ancient`."""

    def __init__(self, depending: Mapping) -> None:
        self.depending = depending

    def __getitem__(self, job: object) -> dict:
        return {
            other: files
            for other, files in self.depending[job].items()
            if not all(file.is_ancient for file in files)
        }


def check_behind_ancient_files() -> None:
    """Have Snakemake's planner check every job that no rerun reaches."""
    dag = sys.modules[PLANNER].DAG
    if hasattr(dag.bfs, "__wrapped__") or not fits("snakemake", VERSIONS, LOSS):
        return
    traverse, update = dag.bfs, dag.update_needrun

    @functools.wraps(traverse)
    def bfs(self: Any, direction: Any, *jobs: Any, **keywords: Any) -> Any:
        if direction is self.depending and getattr(self, "updates_needrun", False):
            direction = WithoutAncientEdges(direction)
        return traverse(self, direction, *jobs, **keywords)

    @functools.wraps(update)
    async def update_needrun(self: Any, *arguments: Any, **keywords: Any) -> Any:
        self.updates_needrun = True
        try:
            return await update(self, *arguments, **keywords)
        finally:
            self.updates_needrun = False

    dag.bfs, dag.update_needrun = bfs, update_needrun
