"""What a finished run needs no more goes, and nothing else."""

import os
import time
from dataclasses import asdict, replace

import pytest

import clean_cache
from fewlabels.core.errors import UserError
from fewlabels.core.files import write_json
from fewlabels.core.processes import host_name
from fewlabels.workflow.caches import check_idle, freed_caches, kept_caches, remove
from fewlabels.workflow.containers import image_file
from fewlabels.workflow.locks import RUNNING, write_down

#: No process has this number: it is above Linux's largest.
DEAD = 2**22 + 1

CURRENT = "images/states/wbc_0123456789ab"
#: What must be there afterwards.
RESULTS = [
    "summary.md",
    "comparisons.csv",
    "report.html",
    "models/replicate1/resnet_wbc_10.pt",
    "predictions/replicate1/resnet_wbc_10.csv",
    "figures/figure4.png",
    "outdated/summary.md",
    "records/feature_cache/all/a.json",
    f"{CURRENT}/images.npy",
    "images/states/cam16_0123456789ab/images.npy",
    "masked/wbc.npy",
    ".owner.json",
    ".progress.json",
    "a.123",
    ".mine.npy",
]
GONE = [
    "feature_cache/all/a b;c.npy",
    "feature_cache/all/a.json",
    "unfinished/replicate1/a.pt",
    "images/states/wbc_ffffffffffff/images.npy",
    f"images/.wbc.{DEAD}@{host_name()}.npy",
    f"models/.odd name.{DEAD}@{host_name()}.pt",
]


def write_sources(folder) -> None:
    """What container images are built from."""
    for name in (
        "containers/tools.def",
        "containers/torch.def",
        "envs/tools.lock",
        "envs/torch.lock",
    ):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A finished run in the working folder."""
    monkeypatch.chdir(tmp_path)
    old = time.time() - 86400
    for name in [*RESULTS, *GONE]:
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
        os.utime(path, (old, old))
    for name in ("weights/a.pth", "downloads/a.pth", "synthetic/images/a.png"):
        path = tmp_path / "resources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    write_sources(tmp_path)
    (tmp_path / "results/images/wbc.npy").symlink_to("states/wbc_0123456789ab/images.npy")
    return tmp_path


def files(folder) -> set[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in found}


def freed(folder):
    return freed_caches(folder, folder, folder / "results", folder / "resources")


def test_a_finished_run_keeps_all_but_its_caches(folder, capsys):
    raw = files(folder / "resources")
    assert clean_cache.main([]) == 0
    assert files(folder / "results") == {*RESULTS, "images/wbc.npy"}
    assert files(folder / "resources") == raw
    text = capsys.readouterr().out
    assert text.splitlines()[-1].startswith("Freed ")
    assert clean_cache.main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Freed 0.0 MB."


def test_a_dry_run_tells_the_same_and_deletes_nothing(folder, capsys):
    before = files(folder)
    assert clean_cache.main(["--dry-run"]) == 0
    assert files(folder) == before
    text = capsys.readouterr().out
    assert "would go" in text and "deleted" not in text
    assert "feature cache" in text and "checkpoints" in text
    assert sum(cache.bytes for cache in freed(folder)) == 1000 * len(GONE)


def test_an_unfinished_run_keeps_what_it_needs(folder, capsys):
    (folder / "results/summary.md").unlink()
    assert clean_cache.main([]) == 0
    left = files(folder / "results")
    assert {name for name in GONE if name in left} == set(GONE[:4])
    assert not {name for name in GONE[4:] if name in left}
    assert "is not finished" in capsys.readouterr().out


def test_a_run_that_goes_on_is_left_alone(folder, capsys):
    check_idle(folder)
    owner = write_down(folder)
    check_idle(folder)
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.input.lock").touch()
    before = files(folder)
    assert clean_cache.main([]) == 1
    assert files(folder) == before
    assert f"process {owner.pid}" in capsys.readouterr().err
    # Of one that nobody wrote down, it can't be known.
    (folder / RUNNING / owner.file).unlink()
    with pytest.raises(UserError, match="snakemake --unlock"):
        check_idle(folder)


def test_the_lock_of_a_killed_run_does_not_count(folder):
    owner = write_down(folder)
    write_json(folder / RUNNING / owner.file, asdict(replace(owner, started="0")))
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.input.lock").touch()
    check_idle(folder)


def test_what_a_living_process_writes_stays(folder):
    young = folder / f"results/images/.wbc.{os.getpid()}@{host_name()}.npy"
    young.write_bytes(b"x")
    [half] = [cache for cache in freed(folder) if cache.name == "half files"]
    assert [path.name for path in half.paths] == [os.path.basename(name) for name in GONE[4:]]


def test_where_links_cannot_be_made_states_stay(folder):
    """Then published arrays are copies, and nothing tells which state they are of."""
    (folder / "results/images/wbc.npy").unlink()
    (folder / "results/images/wbc.npy").write_bytes(b"x")
    assert "old packed images" not in [cache.name for cache in freed(folder)]


def test_a_link_is_removed_and_what_it_leads_to_stays(folder):
    elsewhere = folder / "elsewhere"
    (elsewhere / "all").mkdir(parents=True)
    (elsewhere / "all/a.npy").write_bytes(b"x" * 100)
    cache = folder / "results/feature_cache"
    (cache / "link").symlink_to(elsewhere)
    for found in freed(folder):
        remove(found)
    assert (elsewhere / "all/a.npy").exists()
    # A cache that was moved to another disk is emptied there.
    cache.rmdir()
    cache.symlink_to(elsewhere)
    [moved] = freed(folder)
    assert moved.bytes == 100
    remove(moved)
    assert cache.is_symlink() and not list(elsewhere.iterdir())


def test_old_container_images_go_with_the_files_beside_them(tmp_path):
    write_sources(tmp_path)
    current = image_file(tmp_path, "torch", "docker").removeprefix("containers/")
    kept = {current, f"{current}.sha256", "own-0123456789ab.sif", "notes.txt", "torch-x.sif"}
    old = {"torch-0123456789ab.sif", "torch-0123456789ab.sif.sha256", "tools-0123456789ab.sif.log"}
    for name in kept | old:
        (tmp_path / "containers" / name).write_text("x")
    (tmp_path / "containers/.build-torch-12").mkdir()
    (tmp_path / "containers/.build-torch-12/half").write_text("x")
    [found] = freed(tmp_path)
    assert {path.name for path in found.paths} == {*old, ".build-torch-12"}


def test_what_is_kept_is_named_by_size(folder):
    (folder / "resources/weights/b.pth").write_bytes(b"x" * 9000)
    names = [cache.name for cache in kept_caches(folder / "results", folder / "resources")]
    assert names == ["weights", "packed images", "checkpoints", "drawn images"]
    (folder / "results/summary.md").unlink()
    names = [cache.name for cache in kept_caches(folder / "results", folder / "resources")]
    assert "feature cache" in names


def test_snakemakes_newest_logs_stay(folder):
    logs = folder / ".snakemake/log"
    logs.mkdir(parents=True)
    for n in range(12):
        (logs / f"2026-01-{n:02}.log").write_text("x")
    [found] = [cache for cache in freed(folder) if cache.name == "Snakemake's logs"]
    assert [path.name for path in found.paths] == ["2026-01-00.log", "2026-01-01.log"]
