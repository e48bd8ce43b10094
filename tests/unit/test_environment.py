"""make environment: which Pythons it takes, and what it never empties."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def check(python: str | Path, folder: Path) -> subprocess.CompletedProcess:
    """Run the check that comes before the environment is made."""
    return subprocess.run(
        ["sh", REPOSITORY / "envs/check_python.sh", python, folder],
        capture_output=True,
        text=True,
        check=False,
    )


def python_of(version: str, folder: Path) -> Path:
    """A Python that says it is another version."""
    path = folder / f"python{version}"
    parts = version.replace(".", ", ")
    path.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c "
        f"\"import sys, platform; sys.version_info = ({parts}); platform.python_version = lambda: '{version}';"
        ' exec(sys.argv[1])" "$2"\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize("version", ["3.11.2", "3.12.0", "3.13.9"])
def test_supported_pythons_pass_in_silence(version, tmp_path):
    done = check(python_of(version, tmp_path), tmp_path / "venv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{tmp_path}/venv\n"


@pytest.mark.parametrize("version", ["3.10.13", "3.14.0", "2.7.18"])
def test_other_pythons_end_with_one_line(version, tmp_path):
    done = check(python_of(version, tmp_path), tmp_path / "venv")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"is Python {version}, the locked packages need 3.11, 3.12 or 3.13" in done.stderr


def test_a_missing_python_is_named(tmp_path):
    done = check(tmp_path / "nowhere", tmp_path / "venv")
    assert done.returncode == 1
    assert f"{tmp_path}/nowhere is missing" in done.stderr


def test_a_link_to_an_environment_is_followed(tmp_path):
    disk = tmp_path / "large disk"
    disk.mkdir()
    (disk / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (tmp_path / "venv").symlink_to(disk)
    done = check(sys.executable, tmp_path / "venv")
    assert (done.returncode, done.stdout) == (0, f"{disk}\n")


def test_a_link_to_a_folder_that_is_not_there_yet_is_followed(tmp_path):
    (tmp_path / "venv").symlink_to(tmp_path / "disk" / "new")
    done = check(sys.executable, tmp_path / "venv")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/disk/new\n")


@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_with_something_else_is_left_alone(linked, tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1.tex").write_text("years of work")
    if linked:
        (tmp_path / "venv").symlink_to(folder)
    done = check(sys.executable, tmp_path / "venv" if linked else folder)
    assert done.returncode == 1
    assert f"{folder}, where the Python environment should be, holds something else" in done.stderr
    assert (folder / "chapter1.tex").read_text() == "years of work"


def test_a_link_in_a_circle_is_told(tmp_path):
    (tmp_path / "venv").symlink_to("other")
    (tmp_path / "other").symlink_to("venv")
    done = check(sys.executable, tmp_path / "venv")
    assert done.returncode == 1
    assert "is a link in a circle: remove it" in done.stderr


@pytest.fixture
def make_environment(tmp_path):
    """Runs `make environment` in a folder with a link `.venv` to another one, and an empty lock file."""
    for name in ("Makefile", "envs/check_python.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((REPOSITORY / name).read_text())
    (tmp_path / "envs/requirements.lock").write_text("")

    def make(linked: str) -> subprocess.CompletedProcess:
        (tmp_path / ".venv").symlink_to(linked)
        return subprocess.run(
            ["make", "environment", f"PYTHON={sys.executable}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return make


def test_make_environment_touches_nothing_behind_a_link(make_environment, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/cells.csv").write_text("path,label\n")
    done = make_environment("data")
    assert done.returncode != 0
    assert "holds something else" in done.stderr
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cells.csv"]


def test_make_environment_makes_one_behind_a_link(make_environment, tmp_path):
    done = make_environment("disk")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".venv").is_symlink()
    assert (tmp_path / "disk/pyvenv.cfg").is_file() and (tmp_path / "disk/.installed").is_file()
