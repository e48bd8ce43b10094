"""A grid of 2,000 runs: Snakemake plans it, and the tables are made, in the time that is promised.

``LOAD_RUNS=2000 make test-faults``: how many runs. Times are CPU times, so that what else runs on the machine does not
count.
"""

import os
import resource
from pathlib import Path

import numpy as np
import pytest
import yaml
from dag import snakemake
from measured import measured

from fewlabels.core.files import write_csv
from fewlabels.core.run_sheet import Run, write_run_sheet

ARMS = ("resnet", "combinedNet", "combinedNetClustered")
FRACTIONS = ("100", "50", "10", "1")
REPLICATES = int(os.environ.get("LOAD_RUNS") or 2000) // (len(ARMS) * len(FRACTIONS)) + 1
#: Of the published test set.
TEST_IMAGES = 994
CLASSES = ("Basophil", "Eosinophil", "Lymphocyte", "Monocyte", "Neutrophil")
DRY_RUN, TABLES = 20, 120  # seconds


def test_a_dry_run(tmp_path):
    grid = {
        "pathvars": {"results": str(tmp_path), "resources": str(tmp_path / "resources")},
        "experiment": {"arms": list(ARMS), "replicates": [*range(1, REPLICATES + 1)]},
    }
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(grid))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    options = ("--dry-run", "--configfile", "demo.yaml", str(tmp_path / "grid.yaml"))
    seconds, said = snakemake(*options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    runs = next(
        line.split()[1] for line in said.splitlines() if line.startswith("train_classifier ")
    )
    print(f"dry run of {runs} runs: {seconds:.1f} s ({used:.1f} s of CPU)")
    assert int(runs) >= len(ARMS) * len(FRACTIONS) * REPLICATES
    assert used < DRY_RUN


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """What the trainings of the whole grid would have left."""
    folder = tmp_path_factory.mktemp("grid")
    draws = np.random.default_rng(0)
    labels = [CLASSES[number % len(CLASSES)] for number in range(TEST_IMAGES)]
    index = [
        {"id": f"{split}/{number}", "split": split, "label": label, "slide": "", "field": ""}
        for split in ("train", "test")
        for number, label in enumerate(labels)
    ]
    write_csv(folder / "index.csv", list(index[0]), index)
    runs = [
        Run(arm, "wbc", fraction, seed, seed, baseline="" if arm == ARMS[0] else ARMS[0])
        for arm in ARMS
        for fraction in FRACTIONS
        for seed in range(1, REPLICATES + 1)
    ]
    write_run_sheet(folder / "runs.csv", runs)
    for run in runs:
        write_run(folder, run, labels, draws)
    return folder


def write_run(folder: Path, run: Run, labels: list[str], draws: np.random.Generator) -> None:
    """One run's predictions, history, subset and record."""
    logits = draws.standard_normal((len(labels), len(CLASSES)))
    logits[np.arange(len(labels)), [CLASSES.index(label) for label in labels]] += 3
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    columns = ["id", "label", "predicted", *(f"p_{name}" for name in CLASSES)]
    rows = [
        f"test/{number},{label},{CLASSES[row.argmax()]},{','.join(f'{p:.7g}' for p in row)}"
        for number, (label, row) in enumerate(zip(labels, shares, strict=True))
    ]
    path = folder / run.path("predictions")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([",".join(columns), *rows]) + "\n")
    history = [
        {
            **{"epoch": epoch, "steps": 10 * epoch, "train_loss": 1 / epoch, "train_accuracy": 0.9},
            **{"test_loss": 1 / epoch, "test_accuracy": 0.8},
        }
        for epoch in range(1, 31)
    ]
    write_csv(folder / run.path("history"), list(history[0]), history)
    count = max(len(CLASSES), len(labels) * int(run.fraction) // 100)
    subset = [
        {"id": f"train/{number}", "label": labels[number], "part": "train"}
        for number in range(count)
    ]
    if not (folder / run.subset()).exists():
        write_csv(folder / run.subset(), ["id", "label", "part"], subset)


def test_the_tables(results):
    """The steps that read every run's files, one after another."""
    common = {"results": results, "runs": results / "runs.csv"}
    tests = common | {"index": results / "index.csv", "labels": results / "labels.csv"}
    pool = {"training_pool": "this"}
    steps = {
        "count_labels": common | {"labels": results / "labels.csv"},
        "evaluate": tests
        | {"metrics": results / "evaluate.csv", "confusion": results / "confusion.csv"},
        "compare": tests
        | pool
        | {"alpha": 0.05, "margin": 1, "primary": "accuracy", "comparisons": results / "c.csv"},
        "label_efficiency": tests
        | pool
        | {"alpha": 0.05, "primary": "accuracy", "efficiency": results / "efficiency.csv"},
    }
    total = 0.0
    for name, options in steps.items():
        took = measured(name, **options)
        print(f"{len(ARMS) * len(FRACTIONS) * REPLICATES:,} runs, {name}: {took}", flush=True)
        total += took.cpu_seconds
        assert took.peak_mb < 4000, name
    assert total < TABLES
