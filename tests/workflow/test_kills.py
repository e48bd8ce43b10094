"""Snakemake killed, asked to leave, or its terminal closed: nothing goes on in secret, and the next run goes on."""

import json
import os
import signal

import pytest
from conftest import copy_repository
from killing import (
    PATIENCE,
    files_of,
    half_files,
    locks_in,
    processes_in,
    start,
    states_in,
    trainings_in,
    wait_for,
)
from own_cells import Bench, draw_everything

pytestmark = pytest.mark.long

LONG = "{epochs: 250, batch_size: 8}"
OVERLAY = f"""
data_root: cells
datasets: {{wbc: {{folder: WBC, classes: [round, bean]}}}}
images: {{size: 32}}
experiment: {{arms: [withCells], replicates: [1], crossed: {{replicates: []}}}}
subsets: {{fractions: [100]}}
backbones: {{imagenet_resnet18: {{weights: own.pth}}}}
pretraining:
  cells_autoencoder: {{method: autoencoder, dataset: wbc, channels: [4, 8], latent_size: 4, training: {LONG}}}
arms:
  withCells: {{title: from cells, masks: "off", encoders: [{{encoder: cells_autoencoder, trained: all}}]}}
training: {{classification: {LONG}}}
compute: {{device: cpu, precision: float32}}
statistics: {{bootstrap: 100}}
table: {{figures: {{figure4: withCells, figure5: null}}}}
"""
RUN = "replicate1/withCells_wbc_100"
WANTED = f"results/predictions/{RUN}.csv"
OPTIONS = ("--cores", "1", "--configfile", "own.yaml", "--", WANTED)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Bench:
    bench = Bench(copy_repository(tmp_path_factory.mktemp("kills")), (WANTED,))
    draw_everything(bench.folder, OVERLAY)
    bench.run()
    assert locks_in(bench.folder) == states_in(bench.folder) == []
    return bench


def terminate(process) -> None:
    os.kill(process.pid, signal.SIGTERM)


def close_terminal(process) -> None:
    """All processes in its foreground get the signal."""
    os.killpg(process.pid, signal.SIGHUP)


def kill(process) -> None:
    os.kill(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("cut_off", [terminate, close_terminal, kill])
def test_the_next_run_goes_on_from_the_kept_state(undisturbed, cut_off):
    folder = undisturbed.folder
    expected = files_of(folder, RUN)
    assert len(expected) == 3
    for path in expected:
        path.unlink()
    process = start(folder, *OPTIONS)
    assert wait_for(lambda: trainings_in(folder) and states_in(folder))
    cut_off(process)
    assert process.wait(PATIENCE) != 0
    assert wait_for(lambda: not processes_in(folder)), processes_in(folder)
    # Nothing of it runs, and what was learnt is kept.
    assert len(states_in(folder)) == 1
    assert bool(locks_in(folder)) == (cut_off is kill)
    done = undisturbed.snakemake("--cores", "1")
    assert done.returncode == 0, done.stdout[-6000:]
    assert ("its lock of this folder is cleared" in done.stdout) == (cut_off is kill)
    assert files_of(folder, RUN) == expected
    record = json.loads((folder / f"results/records/{RUN}.json").read_text())
    assert record["continued"] == 1
    assert states_in(folder) == half_files(folder) == locks_in(folder) == []


def test_another_snakemake_in_the_folder_is_named(undisturbed):
    folder = undisturbed.folder
    for path in files_of(folder, RUN):
        path.unlink()
    process = start(folder, *OPTIONS)
    try:
        assert wait_for(lambda: trainings_in(folder))
        second = undisturbed.snakemake("--cores", "1")
        assert second.returncode != 0
        assert f"Snakemake (process {process.pid} on " in second.stdout
        assert "works in this folder: wait for it" in second.stdout
    finally:
        terminate(process)
        process.wait(PATIENCE)
