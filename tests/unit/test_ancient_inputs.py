"""The planner looks behind ancient files, and nowhere else differently."""

import asyncio
import inspect
import os
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from builders import REPOSITORY

from fewlabels.workflow import patched_versions
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
    return Graph()


@pytest.fixture
def patched(planner):
    check_behind_ancient_files()
    check_behind_ancient_files()
    return planner


def test_what_only_an_ancient_file_leads_to_is_left_to_be_checked(patched):
    assert asyncio.run(patched.update_needrun()) == {"gate", "report"}


def test_other_traversals_are_as_before(patched):
    with pytest.raises(ValueError):
        asyncio.run(patched.update_needrun(fails=True))
    assert set(patched.bfs(patched.depending, "gate")) == {"gate", "report", "train", "table"}


@pytest.mark.parametrize("installed", ["9.26.9", "9.28.0", "10.0"])
def test_another_version_is_left_as_it_is_with_a_warning(planner, monkeypatch, caplog, installed):
    monkeypatch.setattr(patched_versions, "version", {"snakemake": installed}.get)
    check_behind_ancient_files()
    assert not hasattr(type(planner).bfs, "__wrapped__")
    assert not hasattr(type(planner).update_needrun, "__wrapped__")
    [record] = caplog.records
    line = record.getMessage()
    assert f"snakemake {installed} is installed" in line
    assert "run snakemake again until nothing is left to be done" in line
    assert "\n" not in line


def test_an_edge_of_some_ancient_files_stays():
    assert WithoutAncientEdges({"a": {"b": {ANCIENT, PLAIN}}})["a"] == {"b": {ANCIENT, PLAIN}}


def test_the_installed_snakemake_still_has_what_is_replaced():
    pytest.importorskip("snakemake.api")  # imports the planner, in the only order that works
    dag = sys.modules[PLANNER].DAG
    assert list(inspect.signature(dag.bfs).parameters)[:3] == ["self", "direction", "jobs"]
    assert asyncio.iscoroutinefunction(inspect.unwrap(dag.update_needrun))
    assert "self.bfs(self.depending, job)" in inspect.getsource(inspect.unwrap(dag.update_needrun))


#: The gate is an ancient input of the training: it must not rerun it, nor hide that it has to run by itself.
SNAKEFILE = """
rule table:
    input: "model"
    output: "table"
    shell: "cp {input} {output}"

rule train:
    input: ancient("gate")
    output: "model"
    params: config["train"]
    shell: "echo {params} > {output}"

rule gate:
    output: "gate"
    params: config["gate"]
    shell: "echo {params} > {output}"
"""
#: Runs the workflow once, then plans it with both params changed, without the patch and with it.
PROGRAM = """
import sys
from pathlib import Path

import snakemake.settings.types as settings
from snakemake.api import SnakemakeApi
from snakemake.dag import DAG

from fewlabels.workflow.ancient_inputs import check_behind_ancient_files

planned = []
update = DAG.update_needrun


async def remember(self, *arguments, **keywords):
    await update(self, *arguments, **keywords)
    planned.append(sorted(job.rule.name for job in self.needrun_jobs()))


def plan(executor, gate, train):
    with SnakemakeApi(settings.OutputSettings(quiet={settings.Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=settings.ResourceSettings(cores=1),
            config_settings=settings.ConfigSettings(config={"gate": gate, "train": train}),
            snakefile=Path("Snakefile"),
        )
        workflow.dag().execute_workflow(executor=executor)
    return planned[-1]


DAG.update_needrun = remember
print("first", *plan("local", 1, 1))
print("train", *plan("dryrun", 1, 2))
print("without", *plan("dryrun", 2, 2))
check_behind_ancient_files()
print("with", *plan("dryrun", 2, 2))
"""


def test_the_installed_snakemake_still_has_the_fault(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = (line.split() for line in done.stdout.splitlines())
    planned = {words[0]: words[1:] for words in lines if words}
    assert planned["first"] == ["gate", "table", "train"]
    # Alone, the edit of the training is seen.
    assert planned["train"] == ["table", "train"]
    assert planned["with"] == ["gate", "table", "train"]
    assert planned["without"] == ["gate"], (
        "Snakemake now sees what changed behind an ancient file: take fewlabels.workflow.ancient_inputs out"
    )
