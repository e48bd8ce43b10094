"""The batch at which a training diverged, shown by training up to it once more."""

import io
import json
import re
import sys
from contextlib import redirect_stderr
from functools import cache
from pathlib import Path

import pytest
from builders import (
    AUTOENCODER,
    AUTOENCODER_TRAINING,
    CLASSES,
    ON_CPU,
    TRAINER,
    TRAINING,
    call,
    command_line,
    failure,
    training_options,
    write_autoencoder,
    write_subset,
)
from source_sets import options_of, write_source

from fewlabels.training.divergence import replay_path

#: Some steps an epoch, with a step that throws the weights out of all bounds.
WILD = {"optimizer": "sgd", "learning_rate": 1e30, "schedule": "constant", "epochs": 4}
TRAINERS = (TRAINER, "autoencoder", "contrastive", "predict_masks")


def options_for(kind: str, wbc_data, prcc_data, folder: Path) -> dict[str, object]:
    """The options of a training that diverges."""
    common = {"seed": 3, "resize": "stretch", **ON_CPU}
    written = {name: folder / f"{name}.csv" for name in ("history", "predictions", "scores")}
    written |= {"checkpoint": folder / "made.pt", "record": folder / "record.json"}
    if kind == TRAINER:
        subset = write_subset(folder / "subset.csv", wbc_data.rows("train"))
        encoders = {"small": (write_autoencoder(folder / "encoder.pt"), ["latent"])}
        changes = common | {"training": TRAINING | WILD, "unfinished": folder / "unfinished/made"}
        files = {name: written[name] for name in ("checkpoint", "history", "predictions", "record")}
        return training_options(wbc_data, folder, subset, encoders, **changes, **files)
    if kind == "predict_masks":
        rows = [row for row in wbc_data.rows("train") if row["mask"]]
        network = {"width": 8, "size": 32, "steps": 4, "batch_size": 4, "learning_rate": 1e30}
        return {
            **{"index": wbc_data.file("index.csv"), **wbc_data.packed, "seed": 3, **ON_CPU},
            **{"masks": wbc_data.file("masks.npy"), "network": network, "fraction": "10"},
            "subset": write_subset(folder / "subset.csv", rows),
            "predicted": folder / "predicted.npy",
            **{name: written[name] for name in ("scores", "checkpoint", "record")},
        }
    common |= {"training": AUTOENCODER_TRAINING | WILD}
    files = {name: written[name] for name in ("checkpoint", "history", "record")}
    if kind == "autoencoder":
        sizes = {key: AUTOENCODER[key] for key in ("channels", "latent_size")}
        sheet = {"reconstructions": folder / "sheet.png"}
        return {**prcc_data, **sizes, **common, **files, **sheet}
    sets = {name: write_source(folder, name, count) for name, count in (("a", 4), ("b", 6))}
    own = {"temperature": 0.5, "projection_size": 4, "crop": 0.5, "colour": 0.2}
    own |= {"grey": 0.1, "blur": 0.1}
    return options_of(sets, dict.fromkeys(sets, CLASSES), folder, **own, **common, **files)


@pytest.fixture(scope="module")
def diverged(wbc_data, prcc_data, tmp_path_factory):
    """Runs a training as from a shell, once; gives the file of its divergence and what it said."""

    @cache
    def run(kind: str) -> tuple[Path, str]:
        options = options_for(kind, wbc_data, prcc_data, tmp_path_factory.mktemp(kind))
        script = kind if kind in (TRAINER, "predict_masks") else "pretrain"
        words = [kind] if script == "pretrain" else []
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stderr(said):
            patch.setattr(sys, "argv", [f"scripts/{script}.py", *words, *command_line(options)])
            assert call(script, *words, **options) == (0 if kind == TRAINER else 1)
        return replay_path(options["checkpoint"]), said.getvalue()

    return run


@pytest.fixture
def edited(diverged, tmp_path):
    """Writes the file of the classifier with something changed."""

    def write(**changes: object) -> tuple[str, dict]:
        told = json.loads(diverged(TRAINER)[0].read_text())
        (tmp_path / "edited.json").write_text(json.dumps(told | changes))
        return str(tmp_path / "edited.json"), told

    return write


@pytest.mark.parametrize("kind", TRAINERS)
def test_a_replay_shows_the_step_and_the_images_that_were_told(kind, diverged, capsys):
    file, said = diverged(kind)
    told = json.loads(file.read_text())
    (message,) = [line for line in said.splitlines() if "lower " in line]
    names = ", ".join(name for name, _ in told["images"][:3])
    assert f"first in step {told['step']} with the images {names}" in message
    assert str(file) in message
    assert told["value"] in ("nan", "inf", "-inf")
    before = sorted(path for path in file.parent.rglob("*") if path.is_file())
    assert call("replay_batch", str(file)) == 0
    shown = capsys.readouterr().out.splitlines()
    step = rf"step {told['steps']} of the training, learning rate [0-9.]+e\+(29|30): loss (nan|inf|-inf)"
    assert re.search(step, shown[0])
    # The step before threw them out of bounds.
    assert shown[2].startswith("weights: ")
    assert shown[3].startswith("activations: the first that are not finite are of ")
    titles, *rows = (line.split() for line in shown[4:])
    assert titles[0] == "image"
    assert titles[-1] == "module"
    assert len(titles) == 3
    assert [row[0] for row in rows] == [name for name, _ in told["images"]]
    assert all(row[-1] != "-" for row in rows)
    # What it wrote is gone, and the file is as it was.
    assert sorted(path for path in file.parent.rglob("*") if path.is_file()) == before
    assert json.loads(file.read_text()) == told


def test_a_replay_of_other_inputs_says_so(edited, capsys):
    _, told = edited()
    words = list(told["command"])
    place = words.index("--training") + 1
    words[place] = json.dumps(json.loads(words[place]) | {"learning_rate": 1e-3, "epochs": 1})
    line = failure(capsys, "replay_batch", edited(command=words)[0])
    assert f"stays finite this time, and not first in step {told['step']} with" in line
    assert line.endswith("what differs may be inputs, settings, code, device or versions")


def test_a_replay_at_another_step_says_so(edited, capsys):
    _, told = edited()
    file, _ = edited(step=told["step"] + 1, machine=told["machine"] | {"torch": "1.0"}, inputs="x")
    line = failure(capsys, "replay_batch", file)
    assert f"diverges first in step {told['step']} with" in line
    assert "may be inputs, settings or code, torch " in line
    assert f"torch {told['machine']['torch']} in place of 1.0" in line


def test_a_file_that_names_another_script_runs_nothing(edited, capsys):
    file, _ = edited(command=["clean_cache.py"])
    assert "clean_cache.py does not train: give" in failure(capsys, "replay_batch", file)
