"""make doctor: what it says of a machine and a config, and its exit code."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from builders import REPOSITORY

import doctor
from fewlabels.networks.probe import backbone_facts
from fewlabels.workflow.cluster_checks import Answer

TORCH = {"torch": {"version": "2.15", "cuda": "13", "available": False}}
ABSENT = Answer(None)


@pytest.fixture
def machine(monkeypatch, tmp_path, tmp_path_factory):
    """An empty machine without GPU, Apptainer, SLURM, container images and network."""
    monkeypatch.chdir(tmp_path)
    clone = tmp_path_factory.mktemp("clone")
    for name in ("containers", "envs"):
        images = shutil.ignore_patterns("*.sif*", ".build-*")
        shutil.copytree(doctor.REPOSITORY / name, clone / name, ignore=images)
    shutil.copy2(doctor.REPOSITORY / "config.yaml", clone)
    monkeypatch.setattr(doctor, "REPOSITORY", clone)
    monkeypatch.setattr(doctor, "ask", lambda *command, **more: ABSENT)
    monkeypatch.setattr(doctor, "probe", lambda backbones: TORCH)
    monkeypatch.setattr(doctor, "visible_gpus", lambda: [])
    locked = doctor.locked_packages(doctor.LOCK.read_text())
    monkeypatch.setattr(doctor, "installed_packages", lambda: locked)
    return tmp_path


def lines_of(text: str, level: str) -> list[str]:
    return [line.split(None, 1)[1] for line in text.splitlines() if line.startswith(f"{level} ")]


def test_a_machine_that_lacks_nothing_for_the_demo_passes(machine, capsys):
    assert doctor.main(["--configfile", str(REPOSITORY / "demo.yaml"), "--cores", "1"]) == 0
    text = capsys.readouterr().out
    assert not lines_of(text, "fault")
    subjects = {line.split("  ")[0] for line in lines_of(text, "ok")}
    assert {
        "Python",
        "packages",
        "GPU",
        "Apptainer",
        "SLURM",
        "images",
        "weights",
        "container",
    } <= subjects


def test_what_a_run_would_stop_at_is_a_fault_and_the_exit_code(machine, capsys):
    (machine / "mine <b>.yaml").write_text("compute: {device: cuda}\n")
    with pytest.raises(SystemExit) as leaving:
        doctor.main(["--configfile", "mine <b>.yaml", "--slurm"])
    assert leaving.value.code == 1
    faults = lines_of(capsys.readouterr().out, "fault")
    subjects = [line.split("  ")[0] for line in faults]
    assert subjects == ["Apptainer", "SLURM", "GPU", *["images"] * 3, *["container"] * 2]
    assert all(": " in line for line in faults)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("compute: {devic: cuda}", "did you mean 'device'?"),
        ("{half", "is no YAML"),
        (None, "does not exist"),
    ],
)
def test_a_config_that_is_wrong_is_a_fault(machine, capsys, text, part):
    if text is not None:
        (machine / "mine.yaml").write_text(text)
    with pytest.raises(SystemExit):
        doctor.main(["--configfile", "mine.yaml"])
    [line] = lines_of(capsys.readouterr().out, "fault")
    assert line.startswith("config") and part in line


def test_without_the_environment_the_rest_is_looked_at(machine, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(doctor, "installed_packages", dict)
    with pytest.raises(SystemExit):
        doctor.main([])
    text = capsys.readouterr().out
    [line] = lines_of(text, "fault")
    assert line.startswith("packages") and "make environment" in line
    assert any(line.startswith("config") for line in lines_of(text, "warning"))


def test_a_bare_python_runs_it(tmp_path):
    """In a copy without .venv, by a Python that sees no packages."""
    for name in ("scripts/fewlabels/core", "scripts/fewlabels/workflow"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    for name in ("scripts/doctor.py", "scripts/fewlabels/__init__.py", "envs/requirements.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-S", tmp_path / "scripts/doctor.py"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"]},
    )
    assert done.returncode == 1, done.stderr
    assert "there is no .venv yet" in done.stdout


def test_commands_that_are_missing_fail_or_hang_are_answers(monkeypatch):
    assert doctor.ask("no-such-command") == ABSENT
    assert doctor.ask("sh", "-c", "echo out; echo err >&2; exit 3") == Answer(3, "err\n")
    assert doctor.ask("sh", "-c", "echo out") == Answer(0, "out\n")
    monkeypatch.setattr(doctor, "PATIENCE", 0.1)
    assert doctor.ask("sleep", "5") == Answer(1, "TimeoutExpired")


def test_an_address_that_is_not_reached_says_why():
    assert doctor.reach("http://127.0.0.1:9/") != ""
    assert doctor.reach("no address") != ""


def test_a_torch_that_cannot_be_imported_is_told(monkeypatch):
    monkeypatch.setattr(doctor, "ask", lambda *c, **m: Answer(1, "Traceback\nImportError: libcuda"))
    assert doctor.probe({}) == {"torch": {"version": "", "error": "ImportError: libcuda"}}
    monkeypatch.setattr(doctor, "ask", lambda *c, **m: Answer(0, json.dumps(TORCH)))
    assert doctor.probe({}) == TORCH


def test_the_libraries_say_where_weights_come_from():
    asked = {
        "a": {"model": "torchvision/resnet18", "weights": "default"},
        "b": {"model": "timm/tf_efficientnet_lite0", "weights": "packaged"},
        "c": {"model": "timm/resnet18", "weights": "random"},
        "d": {"model": "torchvision/resnet18", "weights": "packaged"},
        "e": {"model": "timm/vit_tiny_patch16_224", "weights": "default"},
        "f": {"model": "torchvision/no_such_net", "weights": "default"},
    }
    found = backbone_facts(asked)
    assert found["a"]["file"] == found["a"]["url"].rsplit("/", 1)[1]
    assert found["b"] == found["c"] == {}
    assert "no package carries weights" in found["d"]["error"]
    assert "vit_tiny" in found["e"]["url"]
    assert "no_such_net" in found["f"]["error"]


def test_make_doctor_takes_a_bare_python_where_there_is_no_environment():
    recipe = (
        Path(REPOSITORY / "Makefile").read_text().partition("\ndoctor: ")[2].partition("\n\n")[0]
    )
    assert "$(INSTALLED)" not in recipe and "scripts/doctor.py" in recipe
