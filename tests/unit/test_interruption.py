"""Processes leave when they are asked to: by a signal, or by the end of what started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fewlabels.core import interruption
from fewlabels.core.interruption import PARENT, StoppedError, StopRequest
from fewlabels.workflow.leaving import KEEPS_STATE, trainings_below

SCRIPTS = Path(interruption.__file__).parents[2]
PATIENCE = 60


@pytest.fixture
def stop():
    request = StopRequest()
    request.listen()
    yield request
    request.forget()


def test_outside_of_a_training_a_signal_ends_at_once(stop):
    with pytest.raises(StoppedError, match="SIGTERM"):
        signal.raise_signal(signal.SIGTERM)


def test_within_one_it_waits_to_be_heeded_and_the_first_counts(stop):
    with pytest.raises(StoppedError, match="SIGHUP"), stop.waits():
        stop.heed()
        signal.raise_signal(signal.SIGHUP)
        # A closed terminal sends one, and Snakemake another.
        signal.raise_signal(signal.SIGTERM)
        stop.heed()


def test_what_is_ignored_stays_so():
    """As SIGHUP under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    request = StopRequest()
    try:
        request.listen()
        signal.raise_signal(signal.SIGHUP)
        assert request.signal is None
    finally:
        request.forget()
        assert signal.signal(signal.SIGHUP, before) is signal.SIG_IGN


def test_the_handlers_of_before_come_back():
    before = [signal.getsignal(number) for number in interruption.SIGNALS]
    request = StopRequest()
    request.listen()
    request.listen()
    request.forget()
    assert [signal.getsignal(number) for number in interruption.SIGNALS] == before


STEP = """
import sys, time
sys.path.insert(0, sys.argv[1])
from fewlabels.core.interruption import end_with_parent
end_with_parent()
print("ready", flush=True)
time.sleep(600)
"""


def test_a_step_ends_with_its_snakemake_however_that_ended():
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    step = subprocess.Popen(
        [sys.executable, "-c", STEP, str(SCRIPTS)],
        env=os.environ | {PARENT: str(parent.pid)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert step.stdout.readline() == "ready\n"
        assert step.poll() is None
        parent.kill()
        parent.wait()
        assert step.wait(PATIENCE) == -signal.SIGTERM
    finally:
        step.kill()
        step.communicate()
        parent.communicate()


@pytest.mark.parametrize("number", ["", "none", "999999999"])
def test_a_step_by_itself_watches_nobody(number, monkeypatch):
    monkeypatch.setenv(PARENT, number)
    interruption.end_with_parent()


def test_trainings_are_found_below_shells():
    """They are those with the option, as a word of its own: the shell's line holds it, too."""
    command = f"{sys.executable} -c 'input()' {KEEPS_STATE} x; {sys.executable} -c ''"
    shell = subprocess.Popen(["bash", "-c", command], stdin=subprocess.PIPE)
    try:
        end = time.monotonic() + PATIENCE
        while not (found := trainings_below(os.getpid())) and time.monotonic() < end:
            time.sleep(0.05)
        assert len(found) == 1
        assert found != [shell.pid]
        assert trainings_below(found[0]) == []
    finally:
        shell.communicate(b"\n")


SNAKEMAKE = f"""
import subprocess, sys, threading, time
sys.path.insert(0, sys.argv[1])
from fewlabels.workflow.leaving import leave_when_asked
asked = threading.Event()
leave_when_asked(asked.set)
print("ready", flush=True)
asked.wait()
time.sleep(1)
training = subprocess.run([sys.executable, "-c", "import time; time.sleep(600)", "{KEEPS_STATE}"])
print(training.returncode)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_training_that_begins_just_then_is_asked_as_well(number):
    process = subprocess.Popen(
        [sys.executable, "-c", SNAKEMAKE, str(SCRIPTS)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.communicate(timeout=PATIENCE)[0] == f"{-signal.SIGTERM}\n"
        assert process.returncode == 0
    finally:
        process.kill()
