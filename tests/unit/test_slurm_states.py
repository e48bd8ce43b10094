"""Every end of a SLURM job is one for Snakemake's plugin, too."""

import asyncio
import logging
import sys
from types import SimpleNamespace

import pytest

from fewlabels.workflow import patched_versions
from fewlabels.workflow.slurm_states import PLUGIN, QUERY, ends, report_every_end


def test_a_job_cancelled_by_someone_is_cancelled():
    assert ends({"1": "CANCELLED by 0", "2": "RUNNING", "3": ""}, set()) == {
        "1": "CANCELLED",
        "2": "RUNNING",
        "3": "",
    }


def test_a_preempted_job_gets_one_query_to_go_back_into_the_queue():
    before: set[str] = set()
    assert ends({"1": "PREEMPTED", "2": "PREEMPTED"}, before) == {"1": "RUNNING", "2": "RUNNING"}
    assert ends({"1": "PENDING", "2": "PREEMPTED"}, before) == {"1": "PENDING", "2": "FAILED"}
    assert ends({"1": "PREEMPTED"}, before) == {"1": "RUNNING"}
    # Long polls: SLURM may have forgotten it by then.
    assert ends({}, before) == {"1": "FAILED"}
    assert ends({}, before) == {}


@pytest.fixture
def plugin(monkeypatch):
    async def query(command, logger):
        return ({"1": "CANCELLED by 0"} if command else None), 0.1

    module = SimpleNamespace(query_job_status=query)
    monkeypatch.setitem(sys.modules, PLUGIN, module)
    return module


def test_the_plugin_sees_the_ends_once_it_is_loaded(plugin):
    report_every_end()
    report_every_end()
    assert asyncio.run(plugin.query_job_status("squeue", None)) == ({"1": "CANCELLED"}, 0.1)
    assert asyncio.run(plugin.query_job_status("", None)) == (None, 0.1)


def test_without_the_plugin_nothing_happens(monkeypatch):
    monkeypatch.setitem(sys.modules, PLUGIN, SimpleNamespace())
    report_every_end()


@pytest.mark.parametrize("installed", ["2.7.3", "2.9.0", "3.0"])
def test_another_version_is_left_as_it_is_with_a_warning(plugin, monkeypatch, caplog, installed):
    monkeypatch.setattr(
        patched_versions, "version", {"snakemake-executor-plugin-slurm": installed}.get
    )
    query = plugin.query_job_status
    report_every_end()
    assert plugin.query_job_status is query
    [record] = caplog.records
    line = record.getMessage()
    assert f"snakemake-executor-plugin-slurm {installed} is installed" in line
    assert "is waited for without end" in line
    assert "\n" not in line


def test_the_installed_plugin_still_has_what_is_replaced():
    plugin = pytest.importorskip(PLUGIN)
    assert asyncio.iscoroutinefunction(plugin.query_job_status)


class NoLimit:
    """In place of the limit of queries per second."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        return None


def queries_until_failure(monkeypatch, state: str, patched: bool, most: int = 4) -> int | None:
    """After how many queries, all of which show a job in some state, the plugin reports that it failed; None: never."""

    async def query(command, logger):
        return {"7": state}, 0.1

    plugin = pytest.importorskip(PLUGIN)
    failed = []
    job = SimpleNamespace(external_jobid="7", aux={"slurm_logfile": None})
    executor = object.__new__(plugin.Executor)
    settings = SimpleNamespace(status_attempts=1, init_seconds_before_status_checks=1, requeue=True)
    vars(executor).update(
        workflow=SimpleNamespace(executor_settings=settings),
        logger=logging.getLogger("plugin"),
        run_uuid="run",
        status_rate_limiter=NoLimit(),
        _preemption_warning=False,
        _status_query_calls=0,
        _status_query_failures=0,
        _status_query_total_seconds=0.0,
        _status_query_min_seconds=None,
        _status_query_max_seconds=0.0,
        _status_query_cycle_rows=[],
        _failed_nodes=set(),
        _next_seconds_between_status_checks=1,
        report_job_error=lambda job, **_: failed.append(job),
        get_status_command=lambda: "sacct",
    )
    monkeypatch.setattr(plugin, "is_query_tool_available", lambda tool: True)
    monkeypatch.setattr(plugin, "get_min_job_age", lambda: 300)
    monkeypatch.setattr(plugin, QUERY, query)
    if patched:
        report_every_end()

    async def check() -> list:
        return [waiting async for waiting in executor.check_active_jobs([job])]

    for number in range(1, most + 1):
        waiting = asyncio.run(check())
        assert len(waiting) + len(failed) == 1
        if failed:
            return number
    return None


@pytest.mark.parametrize(
    ("state", "queries"), [("FAILED", 1), ("CANCELLED by 0", 1), ("PREEMPTED", 2)]
)
def test_the_installed_plugin_reports_every_end_with_the_patch(monkeypatch, state, queries):
    assert queries_until_failure(monkeypatch, state, patched=True) == queries


def test_the_installed_plugin_knows_other_ends_by_itself(monkeypatch):
    assert queries_until_failure(monkeypatch, "FAILED", patched=False) == 1


@pytest.mark.parametrize("state", ["CANCELLED by 0", "PREEMPTED"])
def test_the_installed_plugin_still_has_the_fault(monkeypatch, state):
    assert queries_until_failure(monkeypatch, state, patched=False) is None, (
        f"the plugin now takes {state} for an end: take that out of fewlabels.workflow.slurm_states"
    )
