"""Cells of a user's own, drawn small, and the workflow that is run on them again and again."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from conftest import Workflow
from PIL import Image
from printed_commands import Job, read_jobs
from torchvision.models import resnet18


class Bench:
    """A copy of the repository with cells in it, and its overlays."""

    def __init__(self, workflow: Workflow, wanted: Sequence[str]) -> None:
        self.workflow = workflow
        self.folder = workflow.folder
        self.overlays = ["own.yaml"]
        self.wanted = wanted

    def snakemake(self, *options: str) -> subprocess.CompletedProcess:
        """Ask for what is wanted."""
        return self.workflow.snakemake(*options, "--configfile", *self.overlays, "--", *self.wanted)

    def run(self) -> list[str]:
        """Make what is wanted; the jobs that ran."""
        done = self.snakemake("--cores", "2")
        assert done.returncode == 0, done.stdout[-6000:]
        return sorted(map(name_of, read_jobs(done.stdout)))

    def planned(self) -> set[str]:
        """The jobs that a dry run plans."""
        done = self.snakemake("--dry-run")
        assert done.returncode == 0, done.stdout[-6000:]
        jobs = read_jobs(done.stdout)
        assert bool(jobs) != ("Nothing to be done" in done.stdout), done.stdout[-6000:]
        return set(map(name_of, jobs))


def name_of(job: Job) -> str:
    """Rule and wildcards of a job, but for hashes of contents."""
    pairs = [pair.partition("=") for pair in job.listed("wildcards")]
    values = [value for name, _, value in pairs if name not in ("content", "given")]
    return " ".join([job.rule, *values]).strip()


def draw_cell(path: Path, number: int) -> None:
    """A picture of its own for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((40, 40), Image.Resampling.BICUBIC).save(path)


def draw_everything(folder: Path, overlay: str) -> None:
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
    (folder / "own.yaml").write_text(overlay)


def save_weights(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    torch.save(resnet18().state_dict(), path)
