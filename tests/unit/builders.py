"""Tiny data sets in the real layout, and the scripts' command lines run in this process."""

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.run_sheet import Run, write_run_sheet
from fewlabels.statistics.predictions import Predictions

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path.stem for path in (REPOSITORY / "scripts").glob("*.py"))

CLASSES = ["Basophil", "Eosinophil", "Neutrophil"]
#: Mean colours far from each other: a network tells them after a few steps.
COLOURS = {"Basophil": (200, 30, 30), "Eosinophil": (30, 200, 30), "Neutrophil": (30, 30, 200)}
SIDE = 32

ON_CPU = {"device": "cpu", "precision": "float32", "threads": 1}

TRAINING = {
    "epochs": 2,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 0.001,
    "weight_decay": 0.01,
    "schedule": "cosine",
    "class_weights": "none",
    "flips": True,
    "rotation": "right_angles",
}
#: An autoencoder has no classes to weigh.
AUTOENCODER_TRAINING = {key: TRAINING[key] for key in TRAINING if key != "class_weights"}


def command_line(options: dict[str, object]) -> list[str]:
    """Turn ``size=32, classes=[...]`` into ``--size 32 --classes ...``; dicts become JSON."""
    words = []
    for name, value in options.items():
        words.append("--" + name.replace("_", "-"))
        if value is True:
            continue
        if isinstance(value, dict):
            words.append(json.dumps(value))
        elif isinstance(value, list):
            words.extend(map(str, value))
        else:
            words.append(str(value))
    return words


def call(script: str, **options: object) -> int:
    """Run a script's ``main`` and give its exit code."""
    return importlib.import_module(script).main(command_line(options))


def failure(capsys, script: str, **options: object) -> str:
    """Run a script that must fail; give the one line it says."""
    capsys.readouterr()
    assert call(script, **options) == 1
    text = capsys.readouterr().err
    assert "Traceback" not in text
    lines = text.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert errors == lines[-1:], text
    return errors[0]


def picture(
    colour: tuple[int, int, int], number: int, size: tuple[int, int] = (SIDE, SIDE)
) -> Image.Image:
    """A noisy square of one colour; every (colour, number) has other pixels."""
    generator = np.random.default_rng([*colour, number])
    noise = generator.integers(-25, 26, (size[1], size[0], 3))
    return Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8))


def half_mask(size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """Foreground in the left half."""
    values = np.zeros((size[1], size[0]), np.uint8)
    values[:, : size[0] // 2] = 255
    return Image.fromarray(values)


def save(image: Image.Image, path: Path) -> Path:
    """Save an image, its folder made first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def write_labelled(folder: Path, counts: dict[str, int], masks: dict[str, int]) -> Path:
    """Write a labelled data set.

    Args:
        counts: split folder -> images of each class.
        masks: split folder -> masks of each class, for its first images.
    """
    for place, (split, count) in enumerate(counts.items()):
        for label, colour in COLOURS.items():
            for number in range(count):
                name = f"95-8-27-{place}_{number // 2}_{number}.png"
                image = picture(colour, 1000 * place + number)
                save(image, folder / split / "data" / label / name)
                if number < masks.get(split, 0):
                    save(half_mask(), folder / split / "mask" / label / name)
    return folder


@dataclass(frozen=True)
class Prepared:
    """One data set and what index_images, pack_images and apply_masks made of it."""

    raw: Path
    out: Path

    def file(self, name: str) -> Path:
        return self.out / name

    @property
    def index(self) -> list[dict[str, str]]:
        return read_csv(self.out / "index.csv")

    @property
    def packed(self) -> dict[str, Path]:
        """Options of a script that reads the packed images."""
        return {"images": self.out / "images.npy", "ids": self.out / "ids.csv"}

    @property
    def masked(self) -> dict[str, Path]:
        """Options of a script that reads the masked images as well."""
        return {"masked": self.out / "masked.npy", "masked_ids": self.out / "masked_ids.csv"}


def index(raw: Path, out: Path, splits: dict[str, str], **options: object) -> int:
    """Run index_images on a labelled data set."""
    options = {"classes": json.dumps(CLASSES), "splits": splits, **options}
    return call(
        "index_images",
        **{"folder": raw, "index": out / "index.csv", "problems": out / "problems.csv"},
        **options,
    )


def pack(raw: Path, out: Path, **options: object) -> int:
    """Run pack_images behind :func:`index`."""
    files = {
        "index": out / "index.csv",
        "images": out / "images.npy",
        "ids": out / "ids.csv",
        "masks": out / "masks.npy",
        "mask_ids": out / "mask_ids.csv",
    }
    return call("pack_images", **{"folder": raw, **files, "size": SIDE, **options})


def apply_masks(out: Path, **options: object) -> int:
    """Run apply_masks behind :func:`pack`."""
    files = {
        "index": out / "index.csv",
        "images": out / "images.npy",
        "ids": out / "ids.csv",
        "masks": out / "masks.npy",
        "mask_ids": out / "mask_ids.csv",
        "masked": out / "masked.npy",
        "masked_ids": out / "masked_ids.csv",
        "contact_sheet": out / "sheet.png",
    }
    return call("apply_masks", **{**files, **options})


def prepare(raw: Path, out: Path, splits: dict[str, str]) -> Prepared:
    """Index, pack and mask a labelled data set."""
    assert index(raw, out, splits) == 0
    assert pack(raw, out) == 0
    assert apply_masks(out) == 0
    return Prepared(raw, out)


def colours_in(path: Path) -> int:
    """How many colours a picture file has: a blank one has one."""
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        return len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0))


def predictions_of(labels: str, predicted: str) -> Predictions:
    """Predictions of classes with names of one letter, ids 000, 001, ..."""
    classes = tuple(sorted({*labels, *predicted}))
    codes = [np.array([classes.index(letter) for letter in text]) for text in (labels, predicted)]
    return Predictions(tuple(f"{n:03}" for n in range(len(labels))), *codes, None, classes)


def write_run(
    folder: Path,
    name: str,
    labels: str,
    predicted: str,
    accuracies: Sequence[float] = (),
    probability: float = 0.8,
    where: str = "predictions",
    classes: str = "",
) -> None:
    """Write a run's predictions (none when ``predicted`` is empty) and, with ``accuracies``, its history.

    ``classes``: those of the model, if the labels do not name all.
    """
    classes = sorted({*labels, *classes})
    rest = (1 - probability) / (len(classes) - 1)
    write_csv(
        folder / where / name,
        ["id", "label", "predicted", *(f"p_{letter}" for letter in classes)],
        (
            {"id": f"{place:03}", "label": label, "predicted": guess}
            | {f"p_{letter}": probability if letter == guess else rest for letter in classes}
            for place, (label, guess) in enumerate(zip(labels, predicted, strict=False))
        ),
    )
    if accuracies or not predicted:
        write_csv(
            folder / "history" / name,
            ["epoch", "test_accuracy"],
            ({"epoch": n, "test_accuracy": value} for n, value in enumerate(accuracies, start=1)),
        )


def write_index(path: Path, train: str, test: str, slides: Sequence[str] = ()) -> Path:
    """Write an index: training images with these labels, and test images 000, 001, ..."""
    rows = [{"id": f"t{n}", "split": "train", "label": label} for n, label in enumerate(train)]
    rows += [
        {"id": f"{n:03}", "split": "test", "label": label, "slide": slides[n] if slides else ""}
        for n, label in enumerate(test)
    ]
    for row in rows:
        row |= {"pixel_sha256": f"hash of {row['id']}", "mask_sha256": f"mask of {row['id']}"}
    write_csv(path, ["id", "split", "label", "slide", "pixel_sha256", "mask_sha256"], rows)
    return path


def write_sheet(
    path: Path,
    arms: Sequence[str],
    fractions: Sequence[str],
    seeds: Sequence[int],
    baselines: dict[str, str] | None = None,
    more: Sequence[Run] = (),
) -> Path:
    """Write a run sheet of a full grid of the target ``cells``, and ``more`` runs behind it.

    ``baselines``: arm -> the arm it is compared with.
    """
    grid = [
        Run(arm, "cells", fraction, seed, seed, baseline=(baselines or {}).get(arm, ""))
        for arm in arms
        for fraction in fractions
        for seed in seeds
    ]
    write_run_sheet(path, [*grid, *more])
    return path
