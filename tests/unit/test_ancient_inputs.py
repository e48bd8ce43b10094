"""The planner looks behind ancient files, and nowhere else differently."""

import asyncio
import inspect
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from fewlabels.workflow.ancient_inputs import (
    PLANNER,
    WithoutAncientEdges,
    check_behind_ancient_files,
)


@dataclass(frozen=True)
class File:
    is_ancient: bool


ANCIENT, PLAIN = File(True), File(False)


@pytest.fixture
def planner(monkeypatch):
    """gate -> (ancient) train -> table, and gate -> report."""

    class Graph:
        def __init__(self):
            self.depending = {
                "gate": {"train": {ANCIENT}, "report": {PLAIN}},
                "train": {"table": {PLAIN}},
                **{"report": {}, "table": {}},
            }

        def bfs(self, direction, *jobs, stop=None):
            for job in jobs:
                yield job
                yield from self.bfs(direction, *direction[job])

        async def update_needrun(self, fails=False):
            if fails:
                raise ValueError
            return set(self.bfs(self.depending, "gate"))

    monkeypatch.setitem(sys.modules, PLANNER, SimpleNamespace(DAG=Graph))
    check_behind_ancient_files()
    check_behind_ancient_files()
    return Graph()


def test_what_only_an_ancient_file_leads_to_is_left_to_be_checked(planner):
    assert asyncio.run(planner.update_needrun()) == {"gate", "report"}


def test_other_traversals_are_as_before(planner):
    with pytest.raises(ValueError):
        asyncio.run(planner.update_needrun(fails=True))
    assert set(planner.bfs(planner.depending, "gate")) == {"gate", "report", "train", "table"}


def test_an_edge_of_some_ancient_files_stays():
    assert WithoutAncientEdges({"a": {"b": {ANCIENT, PLAIN}}})["a"] == {"b": {ANCIENT, PLAIN}}


def test_the_installed_snakemake_still_has_what_is_replaced():
    pytest.importorskip("snakemake.api")  # imports the planner, in the only order that works
    dag = sys.modules[PLANNER].DAG
    assert list(inspect.signature(dag.bfs).parameters)[:3] == ["self", "direction", "jobs"]
    assert asyncio.iscoroutinefunction(inspect.unwrap(dag.update_needrun))
    assert "self.bfs(self.depending, job)" in inspect.getsource(inspect.unwrap(dag.update_needrun))
