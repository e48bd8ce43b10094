"""Edits of images and files of one's own redo exactly what depends on them, and then nothing is left to do.

On pictures that the test draws into the real layout, with crossed runs; the target lies in folders, an external test
set in a table, the backbone's weights in a file.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import copy_repository
from own_cells import Bench, draw_cell, draw_everything, save_weights

pytestmark = pytest.mark.long

OVERLAY = """
data_root: cells
datasets: {wbc: {folder: WBC, classes: [round, bean]}}
external: {Other: {table: others/list.csv}}
images: {size: 32}
experiment: {arms: [resnet], replicates: [1, 2], crossed: {replicates: [1, 2], fractions: [50]}}
subsets: {fractions: [100, 50]}
backbones: {imagenet_resnet18: {weights: own.pth}}
training: {classification: {epochs: 1, batch_size: 16}}
compute: {device: cpu, precision: float32}
statistics: {bootstrap: 100}
table: {figures: {figure4: resnet, figure5: null}}
"""
GIVEN = """
pathvars: {results: results_of_given}
external: {Other: null}
experiment: {replicates: [1], crossed: {replicates: []}}
subsets: {source: given, fractions: [50, 20], given: {"50": half, "20": few}}
"""
#: Every training stands behind them, and both tables of the audit.
WANTED = ("results/metrics/evaluate.csv", "results/spread.csv")
WANTED_OF_GIVEN = ("results_of_given/metrics/evaluate.csv",)

TRAINING = {
    *("train_classifier 1 resnet 100", "train_classifier 2 resnet 100"),
    *("train_classifier 1 resnet 50", "train_classifier 2 resnet 50"),
    *("train_classifier 1x2 resnet 50", "train_classifier 2x1 resnet 50"),
}
EXTERNAL = {
    f"predict_external {seed} resnet {fraction} Other" for seed in (1, 2) for fraction in (100, 50)
}
AUDIT = {"audit_leakage", "check_leakage", "heed_verdict leakage"}
FEATURES = "cache_features all imagenet_resnet18 before-layer4.0+layer4.1 plain flips+turns"


def images_of(dataset: str) -> set[str]:
    """The jobs that a new state of a data set's files needs."""
    rules = ("index_images", "check_images", "pack_images", "publish_images")
    return {*(f"{rule} {dataset}" for rule in rules), f"heed_verdict images/states/{dataset}"}


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Bench:
    """The workflow on own cells, run once. Each test leaves it with nothing to do."""
    bench = Bench(copy_repository(tmp_path_factory.mktemp("own")), WANTED)
    draw_everything(bench.folder, OVERLAY)
    (bench.folder / "given.yaml").write_text(GIVEN)
    first = bench.run()
    assert {*TRAINING, *EXTERNAL, *AUDIT, FEATURES} <= set(first)
    return bench


@pytest.fixture
def settled(own: Bench) -> Iterator[Bench]:
    """The finished workflow, in which nothing is to be done before and after a test."""
    assert own.planned() == set()
    yield own
    assert own.planned() == set()


def test_an_image_more_redoes_all_that_sees_the_target_and_nothing_else(settled):
    image = settled.folder / "cells/WBC/train/data/bean/2_50_1.png"
    draw_cell(image, 50)
    planned = settled.planned()
    image.unlink()
    assert planned == {
        *(*images_of("wbc"), "apply_masks wbc", "slide_only", *AUDIT),
        *(f"draw_subsets {seed} {fraction}" for seed in (1, 2) for fraction in (100, 50)),
        *(FEATURES, *TRAINING, *EXTERNAL, "count_labels", "evaluate", "spread"),
    }


def test_pictures_that_were_swapped_redo_what_sees_them(settled):
    """Names and sizes of all files stay, and so do their times."""
    first, second = (
        settled.folder / f"cells/WBC/train/data/bean/{name}.png" for name in ("0_3_1", "1_4_1")
    )
    swap(first, second)
    planned = settled.planned()
    swap(first, second)
    assert {*images_of("wbc"), *TRAINING} <= planned


def test_a_mask_that_was_edited_in_place_redoes_what_sees_it(settled):
    path = settled.folder / "cells/WBC/train/mask/bean/0_0_1.png"
    content = path.read_bytes()
    status = path.stat()
    path.write_bytes(content[:-1] + b"!")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    planned = settled.planned()
    path.write_bytes(content)
    assert {*images_of("wbc"), "apply_masks wbc"} <= planned


def test_files_that_were_touched_or_that_are_no_pictures_redo_nothing(settled):
    for path in settled.folder.glob("cells/**/*.png"):
        path.touch()
    (settled.folder / "cells/WBC/train/notes.txt").write_text("counted twice")
    assert settled.planned() == set()


def test_times_in_whole_seconds_redo_nothing(settled):
    """As file systems with coarse clocks give them, some of NFS among them: what a job made may seem to be as old as
    what it was made of."""
    results = [path for path in settled.folder.glob("re*/**/*") if path.is_file()]
    assert len(results) > 100
    for path in results:
        os.utime(path, (int(path.stat().st_atime), int(path.stat().st_mtime)))
    assert settled.planned() == set()


def swap(first: Path, second: Path) -> None:
    kept = first.with_name("kept")
    first.rename(kept)
    second.rename(first)
    kept.rename(second)


def test_another_label_in_a_table_redoes_what_sees_that_set_and_no_training(settled):
    table = settled.folder / "cells/others/list.csv"
    text = table.read_text()
    table.write_text(text.replace("3.png,bean", "3.png,round"))
    planned = settled.planned()
    table.write_text(text)
    assert planned == {*images_of("Other"), *AUDIT, *EXTERNAL, "evaluate"}


def test_another_weights_file_redoes_what_starts_from_it_and_no_images(settled):
    path = settled.folder / "own.pth"
    kept = path.with_suffix(".kept")
    path.rename(kept)
    save_weights(path, seed=2)
    planned = settled.planned()
    kept.replace(path)
    assert planned == {
        *("fetch_weights imagenet_resnet18 given", "check_networks", "heed_verdict networks"),
        *(FEATURES, *TRAINING, *EXTERNAL, "count_labels", "evaluate", "spread"),
    }


def test_an_edited_given_subset_redoes_the_runs_of_that_fraction_alone(own):
    bench = Bench(own.workflow, WANTED_OF_GIVEN)
    bench.overlays.append("given.yaml")
    first = bench.run()
    assert {job for job in first if job.startswith("train_classifier")} == {
        "train_classifier 1 resnet 50",
        "train_classifier 1 resnet 20",
    }
    assert not any(job.startswith("fetch_weights") for job in first)
    assert bench.planned() == set()

    few = bench.folder / "cells/few/train/data/bean"
    (few / "0_0_1.png").unlink()
    shutil.copy2(bench.folder / "cells/WBC/train/data/bean/2_11_1.png", few)
    expected = {"draw_subsets 1 20", "train_classifier 1 resnet 20"}
    expected |= {"count_labels", "evaluate"}
    assert bench.planned() == expected
    assert bench.run() == sorted(expected)
    assert bench.planned() == set()
    first, second = sorted(
        (bench.folder / "results_of_given/subsets/replicate1").glob("wbc_20_*.csv"),
        key=lambda path: path.stat().st_mtime,
    )
    assert "0_0_1" in first.read_text() and "2_11_1" not in first.read_text()
    assert "2_11_1" in second.read_text() and "0_0_1" not in second.read_text()

    # A fault in the folder leaves the subset and its run as they are.
    content = (few / "2_11_1.png").read_bytes()
    (few / "2_11_1.png").write_bytes(content[:-40])
    done = bench.snakemake("--cores", "2")
    assert done.returncode != 0 and "few" in done.stdout
    (few / "2_11_1.png").write_bytes(content)
    assert bench.planned() == set()
