"""Every training script that was killed and run again writes the files that an undisturbed one writes."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import (
    AUTOENCODER,
    AUTOENCODER_TRAINING,
    CLASSES,
    ON_CPU,
    OUTPUTS,
    TRAINER,
    TRAINING,
    call,
    training_options,
    write_autoencoder,
    write_subset,
)
from cutting_off import KilledError, at_step, keep_always, keep_never
from source_sets import RESULTS, options_of, write_source

from fewlabels.core.identities import WHOLE, identity_of
from fewlabels.core.interruption import PARENT, STOPPED

#: Some epochs of several steps.
SHORT = {"epochs": 2, "batch_size": 8}
ENCODER = {"encoder": "small", "trained": "all", "batch_norm": "trained"}
OWN = {
    "contrastive": {
        **{"temperature": 0.5, "projection_size": 4, "crop": 0.5, "colour": 0.2},
        **{"grey": 0.1, "blur": 0.1},
    },
    "masked_images": {"patch_size": 8, "mask_share": 0.5},
    "multi_source": {},
}
MASKS = "predict_masks"
KINDS = ["train_classifier", "supervised", "autoencoder", *OWN, MASKS]
NETWORK = {"width": 8, "size": 32, "steps": 6, "batch_size": 2, "learning_rate": 0.01}


@pytest.fixture
def start(wbc_data, prcc_data, tmp_path) -> Callable[..., tuple[int, dict[str, bytes]]]:
    """Runs one kind of training, its files in a folder of some name; gives its exit code and its files."""
    sets = {name: write_source(tmp_path, name, count) for name, count in (("a", 4), ("b", 8))}
    encoder = write_autoencoder(tmp_path / "encoder.pt")

    def run(kind: str, name: str, **changes: object) -> tuple[int, dict[str, bytes]]:
        out = tmp_path / name
        out.mkdir(exist_ok=True)
        common = {"training": TRAINING | SHORT, "seed": 3, "resize": "stretch", **ON_CPU}
        common["unfinished"] = tmp_path / "unfinished" / name
        if kind == "train_classifier":
            rows = wbc_data.rows("train")
            parts = ["validation" if place % 4 == 3 else "train" for place in range(len(rows))]
            subset = write_subset(tmp_path / "subset.csv", rows, parts)
            encoders = {"small": (encoder, ["latent"])}
            options = training_options(wbc_data, out, subset, encoders, validation=True)
            files = [*OUTPUTS, "validation.csv"]
        elif kind == "supervised":
            files = OUTPUTS
            own = {"index": wbc_data.file("index.csv"), **wbc_data.packed, "start": encoder}
            options = own | {"encoder": ENCODER, "classes": json.dumps(CLASSES)}
        elif kind == "autoencoder":
            files = [*RESULTS, "reconstructions.png"]
            options = {
                **prcc_data,
                **{key: AUTOENCODER[key] for key in ("channels", "latent_size")},
            }
            common["training"] = AUTOENCODER_TRAINING | SHORT
        elif kind == MASKS:
            files = ["checkpoint.pt", "predicted.npy", "scores.csv", "record.json"]
            rows = [row for row in wbc_data.rows("train") if row["mask"]]
            common = {key: common[key] for key in ("seed", "unfinished", *ON_CPU)}
            options = {name: wbc_data.file(f"{name}.npy") for name in ("images", "masks")}
            options |= {"index": wbc_data.file("index.csv"), "fraction": "10", "network": NETWORK}
            options["subset"] = write_subset(tmp_path / "subset.csv", rows)
        else:
            files = RESULTS
            classes = dict.fromkeys(sets, CLASSES)
            options = options_of(sets, classes, out, start=encoder, **OWN[kind])
            common["training"] = AUTOENCODER_TRAINING | SHORT
        options |= common | {file.split(".")[0]: out / file for file in files} | changes
        words = [kind] if kind in (TRAINER, MASKS) else ["pretrain", kind]
        code = call(*words, **options)
        return code, {file: (out / file).read_bytes() for file in files if (out / file).exists()}

    return run


def without_times(files: dict[str, bytes]) -> tuple[dict[str, bytes], dict[str, object]]:
    """All files but the record, and of that what is the same in equal runs."""
    record = json.loads(files["record.json"])
    kept = ("images", "flops", "training_images", "epochs", "masks")
    same = {key: record[key] for key in kept if key in record}
    assert len(same) >= 3
    return {name: content for name, content in files.items() if name != "record.json"}, same


def states(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "unfinished").glob("*")]


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_run_again(kind, start, tmp_path, monkeypatch):
    keep_always(monkeypatch)
    code, undisturbed = start(kind, "one")
    assert code == 0
    assert json.loads(undisturbed["record.json"])["continued"] == 0
    assert states(tmp_path) == []
    with at_step(4, KilledError), pytest.raises(KilledError):
        start(kind, "two")
    assert len(states(tmp_path)) == 1
    code, found = start(kind, "two")
    assert code == 0
    assert without_times(found) == without_times(undisturbed)
    assert json.loads(found["record.json"])["continued"] == 1
    assert states(tmp_path) == []


def test_asked_to_leave_it_says_so_and_ends_with_75(start, tmp_path, monkeypatch, capsys):
    keep_never(monkeypatch)
    before = signal.getsignal(signal.SIGTERM)
    with at_step(2, signal.SIGTERM):
        code, files = start(TRAINER, "one")
    assert (code, files) == (STOPPED, {}) == (75, {})
    assert capsys.readouterr().err.splitlines()[-1].endswith("by SIGTERM: run again to go on")
    assert signal.getsignal(signal.SIGTERM) is before
    code, files = start(TRAINER, "one")
    assert json.loads(files["record.json"])["continued"] == 1


def test_killed_while_results_are_written(start, tmp_path, monkeypatch):
    keep_always(monkeypatch)
    _, undisturbed = start(TRAINER, "one")

    def fail(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr("fewlabels.training.run_files.write_history", fail)
        with pytest.raises(KilledError):
            start(TRAINER, "two")
    assert (tmp_path / "two/checkpoint.pt").exists()
    # Training is over: no step is made again.
    with at_step(1, KilledError):
        _, found = start(TRAINER, "two")
    assert without_times(found) == without_times(undisturbed)


def test_killed_before_snakemake_took_note_of_the_results(start, tmp_path, monkeypatch):
    """It deletes what it has not noted, and has it made again."""
    keep_always(monkeypatch)
    _, undisturbed = start(TRAINER, "one")
    monkeypatch.setenv(PARENT, "elsewhere")
    _, first = start(TRAINER, "two")
    assert len(states(tmp_path)) == 1
    for path in (tmp_path / "two").iterdir():
        path.unlink()
    with at_step(1, KilledError):
        _, found = start(TRAINER, "two")
    assert without_times(found) == without_times(first) == without_times(undisturbed)


@pytest.mark.parametrize(
    "changes",
    [
        {"training": TRAINING | SHORT | {"learning_rate": 0.002}},
        {"seed": 4},
        {"test_masks": "arm", "mask_use": "replace"},
    ],
)
def test_other_settings_go_on_from_nothing(changes, start, wbc_data, tmp_path, monkeypatch):
    keep_always(monkeypatch)
    more = changes | (wbc_data.masked if "mask_use" in changes else {})
    _, undisturbed = start(TRAINER, "one", **more)
    with at_step(4, KilledError), pytest.raises(KilledError):
        start(TRAINER, "two")
    [old] = states(tmp_path)
    with at_step(4, KilledError), pytest.raises(KilledError):
        start(TRAINER, "two", **more)
    # The state of the earlier settings is gone.
    [new] = states(tmp_path)
    assert new != old
    _, found = start(TRAINER, "two", **more)
    assert without_times(found) == without_times(undisturbed)


def test_a_changed_input_goes_on_from_nothing(start, tmp_path, monkeypatch):
    """Other weights to start from, of the same number of bytes."""
    keep_always(monkeypatch)
    with at_step(4, KilledError), pytest.raises(KilledError):
        start("supervised", "one")
    write_autoencoder(tmp_path / "encoder.pt", seed=2)
    code, files = start("supervised", "one")
    assert (code, json.loads(files["record.json"])["continued"]) == (0, 0)


def test_a_large_input_is_known_by_its_size_time_and_samples(tmp_path):
    path = tmp_path / "large.npy"
    values = np.zeros(2 * WHOLE, np.uint8)
    values.tofile(path)
    first = identity_of(path)
    assert identity_of(path) == first
    stat = path.stat()
    # Its end, at the same time.
    values[-1] = 1
    values.tofile(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert identity_of(path) != first
    values[-1] = 0
    values.tofile(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert identity_of(path) == first
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert identity_of(path) != first
