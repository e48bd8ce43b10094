import asyncio
import sys
from types import SimpleNamespace

import pytest

from fewlabels.workflow.slurm_states import PLUGIN, ends, report_every_end


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


def test_the_installed_plugin_still_has_what_is_replaced():
    plugin = pytest.importorskip(PLUGIN)
    assert asyncio.iscoroutinefunction(plugin.query_job_status)
