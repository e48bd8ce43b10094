"""Trainings, and the Snakemake above them, killed at random moments: the end is that of an undisturbed run.

``KILLS=20 make test-faults``: how many kills. Each goes to a training, to Snakemake, or to all processes at once.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from killing import (
    files_of,
    half_files,
    locks_in,
    processes_in,
    start,
    states_in,
    trainings_in,
    wait_for,
)
from machines import copy_repository, snakemake

#: Seconds that a run may take to its end.
WHOLE_RUN = 3600
KILLS = int(os.environ.get("KILLS") or 20)
#: Epochs of about 10 ms, so that each training takes ten seconds.
OVERLAY = """
experiment: {arms: [afterSupervised, afterViews, afterPatches, afterSources, masked], crossed: {replicates: []}}
statistics: {baseline: afterSupervised, bootstrap: 100}
table: {figures: {figure4: null, figure5: null}}
subsets: {fractions: [100]}
training: {classification: {epochs: 500, batch_size: 16}}
pretraining:
  small: {method: autoencoder, dataset: prcc, channels: [4, 8], latent_size: 4, training: {epochs: 600, batch_size: 4}}
  labels: {method: supervised, dataset: cam16, start: small, trained: all, training: {epochs: 500, batch_size: 8}}
  views:
    method: contrastive
    datasets: [cam16, prcc]
    start: small
    trained: all
    held_out: 0.25
    training: {epochs: 200, batch_size: 8}
  patches:
    method: masked_images
    datasets: [cam16, prcc]
    start: small
    trained: all
    held_out: 0.25
    patch_size: 8
    training: {epochs: 200, batch_size: 8}
  features: {method: extract, dataset: prcc, start: imagenet_resnet18, node: avgpool}
  clusters: {method: cluster, features: features, pca_dimensions: 4, clusters: 2}
  sources:
    method: multi_source
    datasets: [cam16, prcc]
    labels: clusters
    start: small
    trained: all
    held_out: 0.25
    training: {epochs: 200, batch_size: 8}
arms:
  afterSupervised: {title: a, masks: "off", encoders: [{encoder: labels, trained: all}], training: {averaging: ema}}
  afterViews:
    title: b
    masks: append
    encoders: [{encoder: views, trained: all}]
    training: {averaging: mean, schedule: one_cycle}
  afterPatches: {title: c, masks: "off", encoders: [{encoder: patches, trained: all}], training: {rotation: any}}
  afterSources: {title: d, masks: "off", encoders: [{encoder: sources, trained: [latent]}]}
  masked: {title: e, masks: "off", predicted_masks: replace, encoders: [{encoder: small, trained: [latent]}]}
masks: {predicted: {steps: 400, batch_size: 4, width: 8, size: 32}}
"""
ARMS = ("afterSupervised", "afterViews", "afterPatches", "afterSources", "masked")
TRAININGS = ["small", "labels", "views", "patches", "sources"]
TRAININGS += [f"replicate1/{arm}_wbc_100" for arm in ARMS]
TRAININGS += ["predicted_masks/replicate1/wbc_100"]
OPTIONS = ("--configfile", "tests/tiny.yaml", "kills.yaml", "--cores", "2", "--")
WANTED = [f"results/predictions/replicate1/{arm}_wbc_100.csv" for arm in ARMS]


def all_files(folder: Path) -> dict[Path, bytes]:
    return {path: content for name in TRAININGS for path, content in files_of(folder, name).items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = copy_repository(tmp_path_factory.mktemp("kills"))
    (folder / "kills.yaml").write_text(OVERLAY)
    snakemake(folder, *OPTIONS, *WANTED)
    return folder


def strike(draws: random.Random, folder: Path, process: subprocess.Popen) -> str:
    """Kill something; what it was."""
    target = draws.choice(["training", "Snakemake", "all"])
    trainings = trainings_in(folder)
    if target == "training" and trainings:
        os.kill(draws.choice(trainings), signal.SIGKILL)
    elif target == "all":
        for pid in processes_in(folder):
            os.kill(pid, signal.SIGKILL)
    else:
        target = "Snakemake"
        process.kill()
    return target


def ages_of_states(folder: Path, since: float = 0) -> list[float]:
    """Seconds since the states were written that are younger than ``since``."""
    found = []
    for path in states_in(folder):
        with contextlib.suppress(FileNotFoundError):  # its training has just ended
            found.append(path.stat().st_mtime)
    return [time.time() - moment for moment in found if moment > since]


def kill_once(draws: random.Random, folder: Path, process: subprocess.Popen) -> str | None:
    """Kill something after a random time of a training; what it was, and how old the youngest state; None where the
    run came to its end before."""
    started = time.time()
    over = process.poll
    wait_for(lambda: trainings_in(folder) or over() is not None)
    if draws.random() < 0.75:
        # Behind the first state of this start, in the midst of a training; else perhaps before it has begun.
        wait_for(lambda: ages_of_states(folder, started) or over() is not None)
    time.sleep(draws.uniform(0, 3))
    if process.poll() is not None:
        return None
    ages = ages_of_states(folder)
    age = f"{min(ages):.1f} s" if ages else "none"
    return f"{strike(draws, folder, process)}, youngest state: {age}"


def continuations(folder: Path) -> dict[tuple[str, int], int]:
    """(training, the time of its record) -> how often it had been gone on with. One whose end Snakemake did not live to
    see is trained once more, without a state."""
    paths = {name: folder / f"results/records/{name}.json" for name in TRAININGS}
    return {
        (name, path.stat().st_mtime_ns): json.loads(path.read_text())["continued"]
        for name, path in paths.items()
        if path.is_file()
    }


def test_killed_at_random_moments(folder):
    draws = random.Random(0)
    expected = all_files(folder)
    assert len(expected) == 2 * 5 + 1 + 3 * 5 + 4
    kills: list[str] = []
    continued: dict[tuple[str, int], int] = {}
    while len(kills) < KILLS:
        for path in expected:
            path.unlink()
        ended = False
        while not ended:
            process = start(folder, *OPTIONS, *WANTED)
            if len(kills) < KILLS:
                kills += filter(None, [kill_once(draws, folder, process)])
            ended = process.wait(WHOLE_RUN) == 0
            assert wait_for(lambda: not processes_in(folder)), processes_in(folder)
            continued |= continuations(folder)
        assert all_files(folder) == expected
        assert states_in(folder) == half_files(folder) == locks_in(folder) == []
    times = sum(continued.values())
    print(f"{len(kills)} kills, trainings gone on with {times} times:", *kills, sep="\n")
    # Else nothing was tried.
    assert times >= KILLS // 4
