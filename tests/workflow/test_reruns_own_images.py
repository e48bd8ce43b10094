"""Edits of images and files of one's own redo exactly what depends on them, and then nothing is left to do.

On pictures that the test draws into the real layout, with crossed runs; the target lies in folders, an external test
set in a table, the backbone's weights in a file.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Workflow, copy_repository
from PIL import Image
from printed_commands import Job, read_jobs
from torchvision.models import resnet18

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
AUDIT = {"check_datasets", "audit_leakage", "check_leakage"}
FEATURES = "cache_features all imagenet_resnet18 before-layer4.0+layer4.1 plain flips+turns"


class Bench:
    """A copy of the repository with cells in it, and its overlays."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.folder = workflow.folder
        self.options = ["--configfile", "own.yaml"]
        self.wanted = WANTED

    def run(self) -> list[str]:
        """Make what is wanted; the jobs that ran."""
        done = self.workflow.snakemake("--cores", "2", *self.options, "--", *self.wanted)
        assert done.returncode == 0, done.stdout[-6000:]
        return sorted(map(name_of, read_jobs(done.stdout)))

    def planned(self) -> set[str]:
        """The jobs that a dry run plans."""
        done = self.workflow.snakemake("--dry-run", *self.options, "--", *self.wanted)
        assert done.returncode == 0, done.stdout[-6000:]
        jobs = read_jobs(done.stdout)
        assert bool(jobs) != ("Nothing to be done" in done.stdout), done.stdout[-6000:]
        return set(map(name_of, jobs))


def name_of(job: Job) -> str:
    """Rule and wildcards of a job."""
    values = [pair.partition("=")[2] for pair in job.listed("wildcards")]
    return " ".join([job.rule, *values]).strip()


def draw_cell(path: Path, number: int) -> None:
    """A picture of its own for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((40, 40), Image.Resampling.BICUBIC).save(path)


def draw_everything(folder: Path) -> None:
    """12 training and 4 test images of each class, 3 of a class with a mask; given subsets; a table; weights."""
    cells = folder / "cells"
    for place, name in enumerate(("round", "bean")):
        for number in range(16):
            split = "train" if number < 12 else "val"
            file = f"{split}/data/{name}/{number % 3}_{number}_{place}.png"
            draw_cell(cells / "WBC" / file, 100 * place + number)
            if number < 3:
                mask = np.zeros((40, 40), np.uint8)
                mask[10 + number : 30, 8:32] = 255
                path = cells / "WBC" / file.replace("data", "mask")
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(path)
            for subset, share in (("half", 6), ("few", 3)):
                if number < share:
                    target = cells / subset / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(cells / "WBC" / file, target)
    for number in range(4):
        draw_cell(cells / f"others/{number}.png", 1000 + number)
    rows = [f"{number}.png,{('round', 'bean')[number % 2]}" for number in range(4)]
    (cells / "others/list.csv").write_text("\n".join(["path,label", *rows, ""]))
    save_weights(folder / "own.pth", seed=1)
    (folder / "own.yaml").write_text(OVERLAY)
    (folder / "given.yaml").write_text(GIVEN)


def save_weights(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    torch.save(resnet18().state_dict(), path)


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Bench:
    """The workflow on own cells, run once. Each test leaves it with nothing to do."""
    bench = Bench(copy_repository(tmp_path_factory.mktemp("own")))
    draw_everything(bench.folder)
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
        *("index_images wbc", "pack_images wbc", "slide_only", *AUDIT),
        *(f"draw_subsets {seed} {fraction}" for seed in (1, 2) for fraction in (100, 50)),
        *(FEATURES, *TRAINING, *EXTERNAL, "evaluate", "spread"),
    }


def test_another_label_in_a_table_redoes_what_sees_that_set_and_no_training(settled):
    table = settled.folder / "cells/others/list.csv"
    text = table.read_text()
    table.write_text(text.replace("3.png,bean", "3.png,round"))
    planned = settled.planned()
    table.write_text(text)
    assert planned == {"index_images Other", "pack_images Other", *AUDIT, *EXTERNAL, "evaluate"}


def test_another_weights_file_redoes_what_starts_from_it_and_no_images(settled):
    path = settled.folder / "own.pth"
    kept = path.with_suffix(".kept")
    path.rename(kept)
    save_weights(path, seed=2)
    planned = settled.planned()
    kept.replace(path)
    assert planned == {
        *("fetch_weights imagenet_resnet18 given", "check_networks"),
        *(FEATURES, *TRAINING, *EXTERNAL, "evaluate", "spread"),
    }


def test_an_edited_given_subset_redoes_the_runs_of_that_fraction_alone(own):
    bench = Bench(own.workflow)
    bench.options += ["given.yaml"]
    bench.wanted = WANTED_OF_GIVEN
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
    expected = {"draw_subsets 1 20", "train_classifier 1 resnet 20", "evaluate"}
    assert bench.planned() == expected
    assert bench.run() == sorted(expected)
    assert bench.planned() == set()
    subset = (bench.folder / "results_of_given/subsets/replicate1/wbc_20.csv").read_text()
    assert "2_11_1" in subset and "0_0_1" not in subset
