"""Jobs that are preempted, run out of time or memory, are cancelled or lose their node, and a user who stops."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from machines import checked, copy_repository, run

PATIENCE = 600  # seconds


def running_job(rule: str, seconds: float = PATIENCE) -> str:
    """The id of a rule's job once it runs and has started its step."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        listed = checked("squeue", "--noheader", "--states=RUNNING", "--format=%i|%k|%M")
        for line in listed.splitlines():
            job, comment, elapsed = line.split("|")
            if comment.startswith(f"rule_{rule}") and int(elapsed.split(":")[-1]) >= 8:
                return job
        time.sleep(1)
    raise AssertionError(f"no job of rule {rule} runs:\n{run('squeue', '--states=all').stdout}")


def cancel_for_the_system(done: list[str]) -> None:
    job = running_job("cancelled_by_the_system")
    checked("scancel", job)
    done.append("cancelled")


def preempt(done: list[str]) -> None:
    """A job of the partition that goes first takes the whole node, from each of the two in turn."""
    for rule in ("preempted_and_requeued", "preempted_and_cancelled"):
        running_job(rule)
        cpus = str(os.cpu_count())
        checked("srun", "--partition=urgent", f"--cpus-per-task={cpus}", "--mem=100", "sleep", "1")
        done.append(rule)


def start(folder, image, *targets: str) -> subprocess.Popen:
    """Start the jobs through the profile that users have, only looking more often."""
    options = {
        "--snakefile": ["tests/slurm/faults.smk"],
        "--profile": ["profiles/slurm"],
        "--config": [f"image={image}"],
        "--slurm-init-seconds-before-status-checks": ["3"],
        "--default-resources": ["mem_mb=1000 * attempt", "runtime=20 * attempt"],
    }
    words = [word for option, values in options.items() for word in (option, *values)]
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *targets, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Tests that were started in the background (`make test-slurm &`) hand on that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.fixture
def folder(tmp_path):
    return copy_repository(tmp_path)


def ends(folder) -> dict[str, str]:
    return {path.stem: path.read_text().strip() for path in (folder / "ends").glob("*.txt")}


def test_jobs_end_well_after_each_fault(slurm, images, folder):
    done: list[str] = []
    helpers = [
        threading.Thread(target=helper, args=(done,), daemon=True)
        for helper in (cancel_for_the_system, preempt)
    ]
    for helper in helpers:
        helper.start()
    process = start(folder, images["tools"])
    output, _ = process.communicate(timeout=2 * PATIENCE)
    assert process.returncode == 0, output[-8000:]
    assert sorted(done) == ["cancelled", "preempted_and_cancelled", "preempted_and_requeued"]
    found = ends(folder)
    assert found.pop("out_of_memory") in ("attempt 2 memory 2000", "attempt 3 memory 3000")
    assert found == {
        "cancelled_by_the_system": "attempt 2",
        "failing": "attempt 2",
        "preempted_and_cancelled": "attempt 2",
        "preempted_and_requeued": "attempt 1, again",
        "time_limit": "attempt 2 minutes 2",
    }


def test_a_job_that_loses_its_node_runs_again(slurm, images, folder):
    process = start(folder, images["tools"], "node_lost")
    running_job("node_lost")
    checked("scontrol", "update", "nodename=localhost", "state=down", "reason=test")
    time.sleep(5)
    # Its daemon may have registered it again by itself.
    if "down" in checked("sinfo", "--noheader", "--format=%T"):
        checked("scontrol", "update", "nodename=localhost", "state=resume")
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, output[-8000:]
    assert ends(folder) == {"node_lost": "attempt 1, again"}


def test_ctrl_c_cancels_the_jobs_and_stops(slurm, images, folder):
    process = start(folder, images["tools"], "two_endless_ones")
    running_job("endless")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0, output[-8000:]
    assert ends(folder) == {}
    time.sleep(5)
    left = checked("squeue", "--noheader", "--states=PENDING,RUNNING", "--format=%k")
    assert "endless" not in left
