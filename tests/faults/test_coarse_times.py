"""A disk that keeps times in whole seconds, as some network and old file systems do: nothing is run twice or missed."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from machines import checked, copy_repository, run, snakemake, tables

OPTIONS = ("--configfile", "tests/tiny.yaml", "--cores", "2")
#: Longer epochs: the classifiers alone are trained again.
CHANGE = ("--config", "training={classification: {epochs: 3}}")


@pytest.fixture
def folder(tmp_path) -> Iterator[Path]:
    """A copy of the repository on an ext4 with small inodes, whose times are whole seconds."""
    device, mounted = tmp_path / "disk", tmp_path / "mounted"
    with device.open("wb") as handle:
        handle.truncate(4 << 30)
    mounted.mkdir()
    make_disk = shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if make_disk is None:
        pytest.skip("mkfs.ext4 is not installed")
    checked(make_disk, "-q", "-I", "128", device)
    tried = run("mount", "-o", "loop", device, mounted)
    if tried.returncode:
        pytest.skip(f"no disk can be mounted here: {tried.stdout.strip()}")
    yield copy_repository(mounted)
    run("umount", mounted)


def planned(folder: Path, *options: str) -> dict[str, int]:
    """Rule -> jobs, of a dry run."""
    said = snakemake(folder, *OPTIONS, "--dry-run", "--quiet", "rules", *options)
    jobs = re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)
    return {name: int(count) for name, count in jobs}


def test_times_in_whole_seconds(folder, expected):
    snakemake(folder, *OPTIONS)
    results = folder / "results"
    assert all(path.stat().st_mtime_ns % 10**9 == 0 for path in results.rglob("*.csv"))
    assert tables(results) == expected
    assert planned(folder) == {}
    again = planned(folder, *CHANGE)
    assert again["train_classifier"] == 6
    assert not any(name.startswith("pretrain") for name in again)
    snakemake(folder, *OPTIONS, *CHANGE)
    assert planned(folder, *CHANGE) == {}
    assert tables(results) != expected
    # The old settings again, whose outputs lie beside the new ones' times.
    snakemake(folder, *OPTIONS)
    assert tables(results) == expected
