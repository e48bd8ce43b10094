"""Train one tiny run twice, in processes of their own, and check that both give the same numbers, bit by bit.

The training is the workflow's own, of the baseline's network on a few images of the target and for a few steps, on the
device of the config, without masks and without features that were computed before. Compared are the tensors of the
checkpoints, the histories and the predictions. The first difference is the error; else the report says
  compared  file -> SHA-256 of what both trainings wrote (of a checkpoint: of its tensors)
  images    that were trained on and tested
  steps     of the optimiser
  training  the settings
  machine   device, precision, threads and versions
"""

import argparse
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv, write_json
from fewlabels.core.settings import TrainingSettings
from fewlabels.training.determinism import compared
from fewlabels.training.runtime import add_compute_arguments

TRAINER = Path(__file__).with_name("train_classifier.py")
#: Images of each class, the first ones of the index.
IMAGES = {"train": 6, "test": 2}
#: What of the settings is other than in the experiment.
SHORT = {"epochs": 3, "min_steps": 0, "batch_size": 8, "test_every": 1}
COMPARED = ("checkpoint.pt", "history.csv", "predictions.csv")
MACHINE = ("device", "precision", "threads", "torch", "cuda", "driver")


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--images", required=True, help=".npy of pack_images; its table is beside")
    parser.add_argument("--encoders", required=True, help="JSON, as of train_classifier")
    parser.add_argument(
        "--encoder-checkpoints", nargs="+", required=True, help="one file per encoder, in order"
    )
    parser.add_argument("--classes", required=True, help="JSON: in the order of outputs")
    parser.add_argument(
        "--training",
        type=TrainingSettings.from_json,
        required=True,
        help="JSON with the keys of training.defaults in the config; epochs and batch size are made small",
    )
    parser.add_argument("--seed", type=int, required=True, help="initialisation, order, views")
    parser.add_argument("--resize", required=True, help="how images became square")
    parser.add_argument("--report", required=True, help="JSON to write")
    add_compute_arguments(parser)
    return parser


def first_images(
    index: Sequence[dict[str, str]], classes: Sequence[str]
) -> dict[str, list[dict[str, str]]]:
    """The rows of a few images of each class, by split."""

    def rows_of(split: str, label: str) -> list[dict[str, str]]:
        rows = [row for row in index if (row["split"], row["label"]) == (split, label)]
        return rows[: IMAGES[split]]

    return {split: [row for label in classes for row in rows_of(split, label)] for split in IMAGES}


def words_of(arguments: argparse.Namespace, folder: Path) -> list[str]:
    """The command line of the tiny training, whose index and subset are written into ``folder``; without outputs."""
    index = read_csv(arguments.index)
    chosen = first_images(index, json.loads(arguments.classes))
    write_csv(folder / "index.csv", list(index[0]), [*chosen["train"], *chosen["test"]])
    subset = [{"id": row["id"], "label": row["label"], "mask": 0} for row in chosen["train"]]
    write_csv(folder / "subset.csv", ["id", "label", "mask"], subset)
    settings = arguments.training.model_copy(update=SHORT)
    given = {
        "index": folder / "index.csv",
        "images": arguments.images,
        "subset": folder / "subset.csv",
        "encoders": arguments.encoders,
        "classes": arguments.classes,
        "training": json.dumps(settings.plain()),
        "seed": arguments.seed,
        "resize": arguments.resize,
        "device": arguments.device,
        "precision": arguments.precision,
        "threads": arguments.threads,
    }
    flags = [f"--{name}={value}" for name, value in given.items()]
    return [*flags, "--encoder-checkpoints", *arguments.encoder_checkpoints]


def train(words: Sequence[str], folder: Path) -> None:
    """Run the training in a process of its own, with its outputs in ``folder``.

    Raises:
        UserError: it failed.
    """
    outputs = [f"--{Path(name).stem}={folder / name}" for name in (*COMPARED, "record.json")]
    done = subprocess.run([sys.executable, str(TRAINER), *words, *outputs], check=False)
    if done.returncode:
        raise UserError(
            f"{TRAINER.name} ended with the exit code {done.returncode}: its own lines stand above"
        )


def run(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / which for which in ("first", "second")]
        words = words_of(arguments, Path(name))
        for folder in folders:
            logging.info("the %s training", folder.name)
            train(words, folder)
        record = json.loads((folders[0] / "record.json").read_text())
        if record["state"] != "complete":
            raise UserError(
                "the tiny training diverged, so that there is nothing to compare: lower the learning rate "
                f"({arguments.training.learning_rate:g})"
            )
        digests = compared(folders[0], folders[1], COMPARED)
        report = {
            "compared": digests,
            "images": {
                "train": record["training_images"],
                "test": len(read_csv(folders[0] / "predictions.csv")),
            },
            "steps": int(read_csv(folders[0] / "history.csv")[-1]["steps"]),
            "training": arguments.training.model_copy(update=SHORT).plain(),
            "machine": {fact: record[fact] for fact in MACHINE},
        }
    for file, digest in digests.items():
        logging.info("the same in both: %s %s", file, digest)
    write_json(arguments.report, report)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
