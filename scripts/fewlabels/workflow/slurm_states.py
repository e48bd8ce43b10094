"""Two states of SLURM jobs that the executor plugin (2.8.0) does not take for an end, and waits on for ever.

- ``PREEMPTED``: a job that was cancelled in favour of another one (PreemptMode=CANCEL). Where SLURM puts preempted
  jobs back into the queue (REQUEUE), this state shows for a moment at most.
- ``CANCELLED by <user>``: what sacct says of a cancelled job; the plugin knows ``CANCELLED`` alone.

Both become a failure here, so that `retries` applies. tests/unit/test_slurm_states.py says when this is no longer
needed.
"""

import functools
import sys
from collections.abc import Mapping
from typing import Any

from fewlabels.workflow.patched_versions import fits

PLUGIN = "snakemake_executor_plugin_slurm"
QUERY = "query_job_status"
#: Versions of the plugin that the patch was tried with.
VERSIONS = ">=2.8,<2.9"
LOSS = "a job that is preempted for good, or cancelled by another user, is waited for without end"


def ends(states: Mapping[str, str], preempted_before: set[str]) -> dict[str, str]:
    """The states of jobs in the plugin's words; a job that stays preempted from one query to the next has failed.

    Args:
        states: state per job, as squeue or sacct prints it.
        preempted_before: jobs that the last query showed as preempted for the first time; brought up to date.
    """
    settled = {job: state.split()[0] if state else state for job, state in states.items()}
    preempted = {job for job, state in settled.items() if state == "PREEMPTED"}
    for job in preempted:
        # Not the plugin's word for it: with that it would wait once more.
        settled[job] = "FAILED" if job in preempted_before else "RUNNING"
    # Gone from the queue before it was seen a second time.
    settled |= dict.fromkeys(preempted_before - states.keys(), "FAILED")
    waiting = preempted - preempted_before
    preempted_before.clear()
    preempted_before.update(waiting)
    return settled


def report_every_end() -> None:
    """Have the plugin, where Snakemake has loaded it, see every end of a job."""
    plugin = sys.modules.get(PLUGIN)
    query = getattr(plugin, QUERY, None)
    if query is None or hasattr(query, "__wrapped__"):
        return
    if not fits(PLUGIN.replace("_", "-"), VERSIONS, LOSS):
        return
    preempted: set[str] = set()

    @functools.wraps(query)
    async def query_every_end(*arguments: Any, **keywords: Any) -> Any:
        states, seconds = await query(*arguments, **keywords)
        return (states if states is None else ends(states, preempted)), seconds

    setattr(plugin, QUERY, query_every_end)
