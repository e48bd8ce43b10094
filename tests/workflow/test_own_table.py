"""A results folder shows one config's results: another's, that this working copy knows nothing of, are refused."""

import shutil
from pathlib import Path

import pytest
from conftest import Workflow, copy_repository

pytestmark = pytest.mark.long

#: The quickest step.
WANTED = "runs.csv"
OTHER = "experiment={replicates: [1, 2]}"


def ask(workflow: Workflow, results: Path, *config: str, dry: bool = False) -> tuple[int, str]:
    """Ask for the run sheet; exit code and what was said."""
    how = ["--dry-run"] if dry else ["--cores", "1"]
    done = workflow.snakemake(
        *(*how, "--configfile", "tests/tiny.yaml", "--config", f"pathvars={{results: {results}}}"),
        *(*config, "--", f"{results}/{WANTED}"),
    )
    return done.returncode, done.stdout


def refused(workflow: Workflow, results: Path, *config: str) -> str:
    """The one line of a refusal, of a dry run as well; nothing is written."""
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    for dry in (True, False):
        code, said = ask(workflow, results, *config, dry=dry)
        assert code != 0, said
        [line] = [line for line in said.splitlines() if line.startswith("error:")]
        assert "Traceback" not in said
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before
    return line


@pytest.fixture
def results(tmp_path) -> Path:
    return tmp_path / "shared"


def test_two_working_copies_with_one_results_folder(tmp_path, results):
    first, second = (copy_repository(tmp_path / name) for name in ("first", "second"))
    assert ask(first, results)[0] == 0
    line = refused(second, results, OTHER)
    assert f"{results} (made in {first.folder}) holds results of another config" in line
    assert "set pathvars.results to a folder of its own" in line
    code, said = ask(second, results)
    assert code == 0 and "Nothing to be done" in said
    # What a working copy made itself is its own to change.
    code, said = ask(first, results, OTHER)
    assert code == 0 and "rule list_runs" in said
    refused(second, results)
    (second.folder / "scripts/compare.py").open("a").write("\n# edited\n")
    assert "another config and other scripts" in refused(second, results)


def test_results_whose_records_are_gone(tmp_path, results):
    workflow = copy_repository(tmp_path / "copy")
    assert ask(workflow, results)[0] == 0
    shutil.rmtree(workflow.folder / ".snakemake")
    assert "holds results of another config" in refused(workflow, results, OTHER)
    assert ask(workflow, results)[0] == 0
