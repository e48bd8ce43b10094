"""Locks of Snakemakes that run no more are cleared; of others it is told whose they are."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fewlabels.core.processes import started_at
from fewlabels.workflow import locks
from fewlabels.workflow.locks import LOCKS, RUNNING, Owner, clear_dead, this_process, write_locks


@pytest.fixture
def ended() -> int:
    """The number of a process that was, and is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def lock(folder: Path, name: str) -> Path:
    path = folder / LOCKS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("results/summary.csv\n")
    return path


def write(folder: Path, owner: Owner) -> Path:
    path = folder / RUNNING / owner.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(owner)))
    return path


def killed(ended: int, **changes: object) -> Owner:
    return replace(this_process(), pid=ended, user="ann", clock=0.0, **changes)


def test_the_lock_of_a_killed_one_is_cleared_and_no_other(tmp_path, ended):
    owner = killed(ended, locks=("0.input.lock", "0.output.lock"))
    file = write(tmp_path, owner)
    gone = [lock(tmp_path, name) for name in owner.locks]
    other = lock(tmp_path, "1.input.lock")
    [line] = clear_dead(tmp_path)
    assert "ann's Snakemake" in line and str(ended) in line and "cleared" in line
    assert not any(path.exists() for path in [*gone, file])
    assert other.exists()
    assert clear_dead(tmp_path) == []


def test_killed_before_it_wrote_down_its_locks(tmp_path, ended):
    write(tmp_path, killed(ended))
    unknown = lock(tmp_path, "0.input.lock")
    older = lock(tmp_path, "1.input.lock")
    os.utime(older, (-100, -100))
    living = replace(this_process(), locks=("2.input.lock",))
    write(tmp_path, living)
    taken = lock(tmp_path, "2.input.lock")
    clear_dead(tmp_path)
    assert not unknown.exists()
    assert older.exists() and taken.exists()


def test_a_name_that_a_living_one_has_taken_since_stays(tmp_path, ended):
    """Snakemake gives the same names again, after `--unlock` on another machine say."""
    write(tmp_path, killed(ended, locks=("0.input.lock", "0.output.lock")))
    write(tmp_path, replace(this_process(), locks=("0.input.lock",)))
    taken, left = (lock(tmp_path, f"0.{kind}.lock") for kind in ("input", "output"))
    clear_dead(tmp_path)
    assert taken.exists()
    assert not left.exists()


def test_nothing_is_guessed_while_another_is_about_to_lock(tmp_path, ended):
    write(tmp_path, killed(ended))
    write(tmp_path, this_process())
    path = lock(tmp_path, "0.input.lock")
    clear_dead(tmp_path)
    assert path.exists()


def test_a_running_one_keeps_its_lock_and_is_named(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        owner = replace(
            this_process(), pid=process.pid, started=started_at(process.pid), user="bob"
        )
        write_locks(tmp_path, owner, {"input": ".snakemake/locks/0.input.lock"})
        path = lock(tmp_path, "0.input.lock")
        [line] = clear_dead(tmp_path)
        assert line.startswith("bob's Snakemake") and "wait for it" in line
        assert path.exists()
        # Its number belongs to another process by now.
        write(tmp_path, replace(owner, started="1", locks=("0.input.lock",)))
        assert "cleared" in clear_dead(tmp_path)[0]
        assert not path.exists()
    finally:
        process.communicate(b"\n")


def test_one_on_another_machine_is_named_with_the_command(tmp_path):
    write(tmp_path, replace(this_process(), host="node-7", user="eve", locks=("0.input.lock",)))
    path = lock(tmp_path, "0.input.lock")
    [line] = clear_dead(tmp_path)
    assert "eve's Snakemake" in line and "on node-7" in line and "snakemake --unlock" in line
    assert path.exists()


def test_before_a_restart_of_the_machine_all_are_dead(tmp_path):
    owner = replace(this_process(), boot="another", locks=("0.input.lock",))
    write(tmp_path, owner)
    path = lock(tmp_path, "0.input.lock")
    clear_dead(tmp_path)
    assert not path.exists()


def test_a_broken_file_is_passed_over(tmp_path):
    (tmp_path / RUNNING).mkdir(parents=True)
    (tmp_path / RUNNING / "x.1.json").write_text('{"pid": ')
    assert clear_dead(tmp_path) == []


def test_it_is_written_down_until_the_process_ends(tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path;"
        "from fewlabels.workflow.locks import write_down;"
        "write_down(Path(sys.argv[2])); print(*[p.name for p in Path(sys.argv[2]).rglob('*.json')])"
    )
    scripts = Path(locks.__file__).parents[2]
    words = [sys.executable, "-c", script, str(scripts), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) == 1
    assert list((tmp_path / RUNNING).iterdir()) == []
