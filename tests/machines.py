"""What the tests with real containers and a real SLURM share: where they can run, images, copies of the repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from fewlabels.workflow.containers import IMAGES, locked_file

REPOSITORY = Path(__file__).resolve().parents[1]
COPIED = (
    "Snakefile",
    "config.yaml",
    "demo.yaml",
    "rules",
    "scripts",
    "profiles",
    "envs",
)
COPIED += ("containers", "tests")
# FULL=1: the demo in place of the tiny images.
OVERLAY = "demo.yaml" if os.environ.get("FULL") == "1" else "tests/tiny.yaml"


def reason_to_skip() -> str | None:
    """Why this machine can't run these tests, if it can't."""
    release = Path("/etc/os-release")
    if not release.exists() or "ID=debian" not in release.read_text(encoding="utf-8").split():
        return "not Debian: the set-up scripts of these tests install Debian's packages"
    if os.geteuid() != 0:
        return "not root: the set-up scripts of these tests install packages and start daemons"
    return None


def run(*command: str | Path, folder: Path = REPOSITORY, **options) -> subprocess.CompletedProcess:
    """Run a command; stdout and stderr come back together."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )


def checked(*command: str | Path, folder: Path = REPOSITORY, **options) -> str:
    """Run a command that must succeed, and give its output."""
    done = run(*command, folder=folder, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-8000:]}"
    return done.stdout


def snakemake(folder: Path, *options: str, **keywords) -> str:
    """Run Snakemake to a good end in a copy of the repository, and give its output."""
    return checked(sys.executable, "-m", "snakemake", *options, folder=folder, **keywords)


def make_images() -> dict[str, Path]:
    """Install Apptainer and build the images, where that is not done yet."""
    print(checked("bash", REPOSITORY / "tests/containers/setup_apptainer.sh"))
    print(checked("make", "containers", f"PYTHON={sys.executable}"))
    return {name: REPOSITORY / locked_file(REPOSITORY, name) for name in IMAGES}


def copy_repository(folder: Path) -> Path:
    """Copy the repository without results; the images, which are large, are linked to."""
    for name in COPIED:
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns("__pycache__", "*.sif*", ".build-*")
            )
        else:
            shutil.copy2(source, target)
    for image in (REPOSITORY / "containers").glob("*.sif*"):
        (folder / "containers" / image.name).symlink_to(image)
    return folder


def tables(folder: Path) -> dict[str, bytes]:
    """The tables, predictions, histories and clusters of a results folder, by name."""
    patterns = (
        "summary.csv",
        "comparisons.csv",
        "spread.csv",
        "metrics/*.csv",
        "predictions/**/*.csv",
        "history/**/*.csv",
        "clusters/*.csv",
    )
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for pattern in patterns
        for path in sorted(folder.glob(pattern))
    }
