"""A fault after a finished run stops with one line, leaves what there was, and, mended, costs only its own work."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import copy_repository
from own_cells import Bench, draw_cell, draw_everything

from fewlabels.core.files import read_csv

pytestmark = pytest.mark.long

OVERLAY = """
data_root: cells
datasets: {wbc: {folder: WBC, classes: [round, bean]}}
images: {size: 32}
experiment: {arms: [withCells], replicates: [1], crossed: {replicates: []}}
subsets: {fractions: [100]}
backbones: {imagenet_resnet18: {weights: own.pth}}
pretraining:
  cells_autoencoder: {method: autoencoder, dataset: wbc, channels: [4, 8], latent_size: 4, training: {epochs: 1}}
arms:
  withCells: {title: from cells, masks: "off", encoders: [{encoder: cells_autoencoder, trained: all}]}
training: {classification: {epochs: 1, batch_size: 16}}
compute: {device: cpu, precision: float32}
statistics: {bootstrap: 100}
table: {figures: {figure4: withCells, figure5: null}}
"""
#: What costs time: nothing of it may be planned because of a fault that was mended.
WORK = re.compile(
    r"(index_images|pack_images|publish_images|apply_masks|draw_subsets|split_by_group|slide_only"
    r"|fetch_weights|cache_features|pretrain_\w+|train_classifier|predict_external)\b"
)
#: Files that a fault must leave as they are.
KEPT = ("images/wbc*", "subsets/**/*.csv", "models/**/*.pt", "predictions/**/*.csv", "history/**/*")


@pytest.fixture(scope="module")
def run_once(tmp_path_factory) -> Bench:
    bench = Bench(copy_repository(tmp_path_factory.mktemp("faults")), ())
    draw_everything(bench.folder, OVERLAY)
    bench.run()
    return bench


@pytest.fixture
def bench(run_once) -> Iterator[Bench]:
    """The finished workflow; behind each test it is as before, but for tables."""
    yield run_once
    run_once.overlays = ["own.yaml"]
    assert work_planned(run_once) == set()


def work_planned(bench: Bench) -> set[str]:
    return {job for job in bench.planned() if WORK.match(job)}


def kept_files(bench: Bench) -> dict[Path, tuple[int, int]]:
    """Time and inode of every file that must stay."""
    found = [path for kind in KEPT for path in (bench.folder / "results").glob(kind)]
    assert len(found) > 10
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in found}


def stops(bench: Bench, *words: str, keep_going: bool = False) -> None:
    """The run stops with one line before anything long; what there was stays, but for the summary."""
    before = kept_files(bench)
    options = ["--cores", "2", *(["--keep-going"] if keep_going else [])]
    done = bench.snakemake(*options)
    assert done.returncode != 0, done.stdout[-3000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, done.stdout[-4000:]
    for word in words:
        assert word in lines[0]
    assert not re.search(r"^(?:local)?rule (?:pretrain_|train_|cache_|predict_)", done.stdout, re.M)
    assert kept_files(bench) == before
    assert not (bench.folder / "results/summary.md").exists()
    assert (bench.folder / "results/outdated/summary.md").exists()


def with_overlay(bench: Bench, text: str) -> Path:
    """Add an overlay to the run's."""
    path = bench.folder / "more.yaml"
    path.write_text(text)
    bench.overlays = ["own.yaml", "more.yaml"]
    return path


def test_an_undecodable_image_in_a_new_external_set(bench):
    folder = bench.folder / "cells/new"
    for number, name in enumerate(("round", "bean")):
        draw_cell(folder / name / "1.png", 2000 + number)
    (folder / "bean/2.png").write_bytes(b"broken")
    with_overlay(bench, "external: {New: {folder: new}}")
    stops(bench, "New: undecodable image: bean/2.png")
    (folder / "bean/2.png").unlink()
    assert work_planned(bench) == {
        *("index_images New", "pack_images New", "publish_images New"),
        "predict_external 1 withCells 100 New",
    }


def test_an_external_set_with_training_images(bench):
    """Also where other jobs may go on: none may start that stands behind the check."""
    source = bench.folder / "cells/WBC/train/data"
    for name in ("round", "bean"):
        target = bench.folder / "cells/leak" / name
        target.mkdir(parents=True)
        for path in sorted((source / name).iterdir())[:2]:
            shutil.copy2(path, target)
    with_overlay(bench, "external: {Leak: {folder: leak}}\nleakage: {bytes: error}")
    stops(bench, "leakage: Leak test:", "wbc train", keep_going=True)


def test_a_test_image_among_the_training_images(bench):
    source = bench.folder / "cells/WBC/val/data/bean/0_15_1.png"
    copy = bench.folder / "cells/WBC/train/data/bean/0_99_1.png"
    shutil.copy2(source, copy)
    stops(bench, "leakage: wbc test:", "0_15_1.png", "0_99_1.png")
    copy.unlink()


def test_a_class_folder_that_was_away_for_a_moment(bench):
    folder = bench.folder / "cells/WBC/train/data/bean"
    folder.rename(bench.folder / "bean")
    stops(bench, "wbc: ", "bean")
    (bench.folder / "bean").rename(folder)


def test_an_image_that_was_damaged_in_place_and_restored(bench):
    path = bench.folder / "cells/WBC/train/data/round/1_1_0.png"
    content = path.read_bytes()
    path.write_bytes(content[:-30])
    stops(bench, "wbc: ", "1_1_0.png")
    path.write_bytes(content)


def test_a_misspelt_block_of_a_new_arm(bench):
    arm = "{title: b, masks: 'off', encoders: [{encoder: cells_autoencoder, trained: [BLOCK]}]}"
    path = with_overlay(
        bench,
        f"arms: {{second: {arm}}}\nexperiment: {{arms: [withCells, second]}}\n"
        "statistics: {baseline: withCells}",
    )
    text = path.read_text()
    path.write_text(text.replace("BLOCK", "cnv2"))
    stops(bench, "arms.second.encoders.0.trained", "cnv2")
    path.write_text(text.replace("BLOCK", ""))
    planned = work_planned(bench)
    assert "train_classifier 1 second 100" in planned
    assert not any("withCells" in job or job.startswith("pretrain_") for job in planned)


def test_a_misspelt_block_of_an_arm_that_has_run(bench):
    arm = "{encoders: [{encoder: cells_autoencoder, trained: [cnv2]}]}"
    with_overlay(bench, f"arms: {{withCells: {arm}}}")
    stops(bench, "arms.withCells.encoders.0.trained", "cnv2", keep_going=True)


def test_a_stricter_policy_that_is_taken_back(bench):
    """Nothing of the images changed: the check alone speaks otherwise."""
    with_overlay(bench, "leakage: {slide: error}")
    stops(bench, "leakage: ", "set leakage.slide to warn")


def test_a_killed_run_leaves_no_summary_that_looks_current(bench):
    bench.run()
    results = bench.folder / "results"
    shutil.rmtree(results / "outdated")
    with_overlay(bench, "statistics: {bootstrap: 3000}")
    words = ["--cores", "1", "--configfile", *bench.overlays]
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", *words],
        cwd=bench.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not (results / "outdated/provenance.json").exists():
        assert run.poll() is None
        time.sleep(0.01)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert bench.workflow.snakemake("--unlock", *words).returncode == 0
    tables = ("summary.md", "summary.csv", "provenance.json")
    assert not any((results / name).exists() for name in tables)
    assert all((results / "outdated" / name).exists() for name in tables)


@contextmanager
def killed_as_it_trains(folder: Path, replicate: int) -> Iterator[None]:
    """Within, every training of a replicate is killed in a way that it can tell nobody."""
    done = threading.Event()
    wanted = f"results/models/replicate{replicate}/"

    def kill() -> None:
        while not done.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    command = (process / "cmdline").read_text(errors="replace")
                    if not command.startswith("python\0") or (process / "cwd").readlink() != folder:
                        continue
                    if "train_classifier.py" in command and wanted in command:
                        os.kill(int(process.name), signal.SIGKILL)
                except (FileNotFoundError, ProcessLookupError):
                    continue  # It has just ended.

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        done.set()
        killer.join()


def test_trainings_that_fail_are_states_in_the_table(bench):
    """One by an error, one killed each time; the third has its numbers, and a mended one is trained again."""
    runs = {seed: f"train_classifier {seed} withCells 100" for seed in (1, 2, 3)}
    grid = "experiment: {replicates: [1, 2, 3], failed_runs: %d}"
    with_overlay(bench, grid % 1)
    results = bench.folder / "results"
    subset = results / "subsets/replicate1/wbc_100.csv"
    whole = subset.read_text()
    subset.write_text(whole.replace(whole.split("\n")[1].split(",")[0], "nowhere.png"))
    with killed_as_it_trains(bench.folder, 2):
        done = bench.snakemake("--cores", "1", "--keep-going")
        assert done.returncode != 0
        assert not (results / "summary.csv").exists()
        (line,) = (x for x in done.stdout.splitlines() if x.startswith("error: the training"))
        assert "experiment.failed_runs allows 1, and these failed before: replicate" in line
        with_overlay(bench, grid % 2)
        assert len({*runs.values()} & {*bench.run()}) == 1
    assert bench.planned() == set()
    rows = [
        row
        for row in read_csv(results / "summary.csv")
        if row["arm"] == "withCells" and (row["metric"], row["selection"]) == ("accuracy", "last")
    ]
    state_of = {row["replicate"]: row["state"] for row in rows}
    assert state_of["1"] == "failed: KeyError: ('nowhere.png', 'plain')"
    assert state_of["2"].startswith("failed: ended without an error, as if killed, after: ")
    assert state_of["mean"] == "2 of 3 failed"
    assert [row["replicate"] for row in rows if row["value"]] == ["3"]
    assert "### Failed runs" in (results / "summary.md").read_text()

    # Both are tried again where fewer may fail.
    with_overlay(bench, grid % 1)
    assert work_planned(bench) == {runs[1], runs[2]}
    subset.write_text(whole)
    assert {job for job in bench.run() if WORK.match(job)} == {runs[1], runs[2]}
    assert "failed" not in (results / "summary.csv").read_text()
    bench.run()


def test_after_all_that_the_tables_are_made_anew_and_nothing_else(bench):
    ran = bench.run()
    assert {job for job in ran if WORK.match(job)} == set()
    assert (bench.folder / "results/summary.md").exists()
    assert bench.planned() == set()
