"""One tiny training, twice: equal numbers are reported, the first that differs is the error."""

import json
from pathlib import Path

import pytest
import torch
from builders import (
    CLASSES,
    ON_CPU,
    TRAINING,
    call,
    failure,
    write_autoencoder,
)

import check_determinism
import train_classifier
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, sha256_of_file, write_csv
from fewlabels.networks.checkpoints import load_checkpoint, save_checkpoint
from fewlabels.training.determinism import compared, difference, digest_of


@pytest.fixture
def options(wbc_data, tmp_path):
    encoders = [{"encoder": "small", "trained": ["latent"], "batch_norm": "trained"}]
    return {
        "index": wbc_data.file("index.csv"),
        **wbc_data.packed,
        "encoders": json.dumps(encoders),
        "encoder_checkpoints": [write_autoencoder(tmp_path / "encoder.pt")],
        "classes": json.dumps(CLASSES),
        "training": TRAINING,
        "seed": 3,
        "resize": "stretch",
        "report": tmp_path / "determinism.json",
        **ON_CPU,
    }


@pytest.fixture
def processes(monkeypatch):
    """Trainings run in this process, which takes no time to start; what happens before each is asked of a function."""
    state = {"before": lambda which: None, "commands": []}

    class Done:
        returncode = 0

    def run(words, check):
        folder = Path(words[-1].partition("=")[2]).parent
        state["before"](folder.name)
        state["commands"].append(words[1:])
        done = Done()
        done.returncode = train_classifier.main(words[2:])
        return done

    monkeypatch.setattr(check_determinism.subprocess, "run", run)
    return state


def test_equal_trainings_are_reported(options, processes):
    assert call("check_determinism", **options) == 0
    report = json.loads(options["report"].read_text())
    assert set(report["compared"]) == {"checkpoint.pt", "history.csv", "predictions.csv"}
    assert {len(digest) for digest in report["compared"].values()} == {64}
    # Six and two images of each class, in three batches an epoch.
    assert report["images"] == {"train": 18, "test": 6}
    assert report["steps"] == 9
    assert report["training"] | {"epochs": 2} == TRAINING | report["training"] | {"epochs": 2}
    assert report["machine"]["device"] == "cpu"
    assert report["machine"]["torch"] == torch.__version__
    first, second = processes["commands"]
    assert Path(first[0]).name == "train_classifier.py"
    different = [(one, other) for one, other in zip(first, second, strict=True) if one != other]
    # The outputs alone.
    assert len(different) == 4
    assert all("/first/" in one and "/second/" in other for one, other in different)


def test_a_training_that_draws_by_no_seed_is_told(options, processes, monkeypatch, capsys):
    really = torch.manual_seed

    def before(which: str) -> None:
        shift = 0 if which == "first" else 1
        monkeypatch.setattr(torch, "manual_seed", lambda seed: really(seed + shift))

    processes["before"] = before
    line = failure(capsys, "check_determinism", **options)
    assert "run twice, does not give the same: checkpoint.pt differs, " in line
    assert " values, by up to " in line
    assert line.endswith("or tell which network and device this was")
    assert not options["report"].exists()


def test_a_training_that_fails_is_told(options, processes, capsys):
    options["encoder_checkpoints"] = ["nowhere.pt"]
    capsys.readouterr()
    assert call("check_determinism", **options) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "nowhere.pt does not exist" in lines[-2]
    assert "train_classifier.py ended with the exit code 1: its own lines stand above" in lines[-1]


def test_a_training_that_diverges_is_no_comparison(options, processes, capsys):
    wild = {"optimizer": "sgd", "learning_rate": 1e30, "schedule": "constant"}
    line = failure(capsys, "check_determinism", **options | {"training": TRAINING | wild})
    assert "the tiny training diverged" in line
    assert "lower the learning rate (1e+30)" in line


# --- single files


def checkpoint(path: Path, **changes: torch.Tensor) -> Path:
    state = {"body.weight": torch.zeros(2, 3), "steps": torch.tensor(4)}
    save_checkpoint(path, state | {name.replace("_", "."): v for name, v in changes.items()}, {})
    return path


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ""),
        ({"steps": torch.tensor(5)}, "steps: 1 of 1 values, by up to 1"),
        (
            {"body_weight": torch.tensor([[0, 0, 0.5], [0, -0.25, 0]])},
            "body.weight: 2 of 6 values, by up to 0.5",
        ),
        # Equal as numbers, not as bits.
        ({"body_weight": -torch.zeros(2, 3)}, "body.weight: 0 of 6 values, by up to 0"),
        (
            {"body_weight": torch.zeros(3, 2)},
            "body.weight: torch.float32 (2, 3), torch.float32 (3, 2)",
        ),
        (
            {"steps": torch.tensor(4.0)},
            "steps: torch.int64 (), torch.float32 ()",
        ),
        ({"more": torch.zeros(1)}, "the names of the tensors"),
    ],
)
def test_the_first_tensor_that_differs(changes, expected, tmp_path):
    one, other = checkpoint(tmp_path / "one.pt"), checkpoint(tmp_path / "other.pt", **changes)
    assert difference(one, other) == expected
    assert (digest_of(one) == digest_of(other)) == (not expected)


def test_what_is_no_number_is_the_same_as_itself(tmp_path):
    nothing = torch.full((2, 3), torch.nan)
    paths = [checkpoint(tmp_path / f"{name}.pt", body_weight=nothing) for name in "ab"]
    assert difference(*paths) == ""
    assert load_checkpoint(paths[0])[0]["body.weight"].isnan().all()


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        ([("1", "0.5"), ("2", "0.25")], ("epoch", "loss"), ""),
        ([("1", "0.5"), ("2", "0.75")], ("epoch", "loss"), "line 3, loss: 0.25 and 0.75"),
        ([("1", "0.5")], ("epoch", "loss"), "2 and 1 rows"),
        ([("1", "0.5"), ("2", "0.25")], ("epoch", "error"), "line 2, loss: 0.5 and None"),
    ],
)
def test_the_first_cell_that_differs(rows, columns, expected, tmp_path):
    write_csv(
        tmp_path / "one.csv",
        ["epoch", "loss"],
        [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}],
    )
    write_csv(
        tmp_path / "other.csv", columns, [dict(zip(columns, row, strict=True)) for row in rows]
    )
    assert difference(tmp_path / "one.csv", tmp_path / "other.csv") == expected


def test_files_are_named_and_hashed(tmp_path):
    for name, loss in (("one", 1), ("two", 1), ("three", 2)):
        write_csv(tmp_path / name / "history.csv", ["loss"], [{"loss": loss}])
    found = compared(tmp_path / "one", tmp_path / "two", ["history.csv"])
    assert found == {"history.csv": sha256_of_file(tmp_path / "one/history.csv")}
    assert read_csv(tmp_path / "one/history.csv")
    with pytest.raises(UserError, match=r"history\.csv differs, line 2, loss: 1 and 2: run on the"):
        compared(tmp_path / "one", tmp_path / "three", ["history.csv"])
