"""Tiny data sets in the real layout, and the scripts' command lines run in this process."""

import importlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.run_sheet import Run, write_run_sheet
from fewlabels.data import image_files
from fewlabels.data.datasets import scan_dataset
from fewlabels.data.found_images import FoundImage, Problem
from fewlabels.statistics.predictions import Predictions

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path.stem for path in (REPOSITORY / "scripts").glob("*.py"))

#: Not in alphabetical order, nor in its reverse: outputs stand in the order of the config.
CLASSES = ["Neutrophil", "Basophil", "Eosinophil"]
#: Mean colours far from each other: a network tells them after a few steps.
COLOURS = {"Neutrophil": (30, 30, 200), "Basophil": (200, 30, 30), "Eosinophil": (30, 200, 30)}
SIDE = 32
#: Where the images of :func:`write_labelled` lie, but for the splits.
PLACES = {"images": "{split}/data/{class}", "masks": "{split}/mask/{class}", "classes": CLASSES}

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

#: The script that trains one arm, and the files that it always writes.
TRAINER = "train_classifier"
OUTPUTS = ("checkpoint.pt", "history.csv", "predictions.csv", "record.json")
#: Sizes of the autoencoder of :func:`write_autoencoder`.
AUTOENCODER = {"channels": [4, 8], "latent_size": 6, "image_size": SIDE}


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


def call(script: str, *words: str, **options: object) -> int:
    """Run a script's ``main``, with these words before its options, and give its exit code."""
    return importlib.import_module(script).main([*words, *command_line(options)])


def failure(capsys, script: str, *words: str, **options: object) -> str:
    """Run a script that must fail; give the one line it says."""
    capsys.readouterr()
    assert call(script, *words, **options) == 1
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


def spotted_mask(number: int) -> Image.Image:
    """Foreground in some squares of a grid: another mask for every number, none of them empty or full."""
    spots = np.random.default_rng(number).integers(0, 2, (4, 4))
    spots[0, :2] = 0, 1
    return Image.fromarray(np.kron(spots * 255, np.ones((SIDE // 4, SIDE // 4))).astype(np.uint8))


def save(image: Image.Image, path: Path) -> Path:
    """Save an image, its folder made first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def write_labelled(folder: Path, counts: dict[str, int], masks: dict[str, int]) -> Path:
    """Write a labelled data set; no two of its images, and no two of its masks, are the same.

    Args:
        counts: split folder -> images of each class.
        masks: split folder -> masks of each class, for its first images.
    """
    for place, (split, count) in enumerate(counts.items()):
        for kind, (label, colour) in enumerate(COLOURS.items()):
            for number in range(count):
                name = f"95-8-27-{place}_{number // 2}_{number}.png"
                image = picture(colour, 1000 * place + number)
                save(image, folder / split / "data" / label / name)
                if number < masks.get(split, 0):
                    mask = spotted_mask(1000 * place + 100 * kind + number)
                    save(mask, folder / split / "mask" / label / name)
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
        return {"images": self.out / "images.npy"}

    @property
    def masked(self) -> dict[str, Path]:
        """Options of a script that reads the masked images as well."""
        return {"masked": self.out / "masked.npy"}

    def rows(self, split: str) -> list[dict[str, str]]:
        """The index's rows of one split."""
        return [row for row in self.index if row["split"] == split]

    def pictures(self, names: Sequence[str], masked: bool = False) -> np.ndarray:
        """Images read from their files: uint8 (n, SIDE, SIDE, 3); ``masked``: black outside their masks."""
        row_of = {row["id"]: row for row in self.index}
        found = []
        for name in names:
            pixels = np.asarray(Image.open(self.raw / row_of[name]["path"]))
            if masked:
                inside = np.asarray(Image.open(self.raw / row_of[name]["mask"])) >= 128
                pixels = pixels * inside[..., None]
            found.append(pixels)
        return np.stack(found)


def count_reads(monkeypatch) -> Counter:
    """How often each picture file is read from now on, by its path."""
    read: Counter = Counter()
    really = image_files._content

    def count(path):
        read[str(path)] += 1
        return really(path)

    monkeypatch.setattr(image_files, "_content", count)
    return read


def scanned(*arguments: object, **options: object) -> tuple[list[FoundImage], list[Problem]]:
    """The images and the problems that scan_dataset finds."""
    scan = scan_dataset(*arguments, **options)
    return scan.images, scan.problems


def index_files(out: Path) -> dict[str, Path]:
    """The options of index_images that name what it writes."""
    return {
        "index": out / "index.csv",
        "problems": out / "problems.csv",
        "left_out": out / "left_out.csv",
        "reading": out / "reading.json",
    }


def index(
    raw: Path,
    out: Path,
    splits: dict[str, str],
    group_pattern: str | None = None,
    **options: object,
) -> int:
    """Run index_images on a labelled data set."""
    layout = {**PLACES, "splits": splits, "group_pattern": group_pattern}
    files = {"folder": raw, **index_files(out)}
    return call("index_images", **{**files, "layout": layout, **options})


def pack(raw: Path, out: Path, **options: object) -> int:
    """Run pack_images behind :func:`index`."""
    files = {
        "index": out / "index.csv",
        "reading": out / "reading.json",
        "images": out / "images.npy",
        "masks": out / "masks.npy",
    }
    return call("pack_images", **{"folder": raw, **files, "size": SIDE, **options})


def apply_masks(out: Path, **options: object) -> int:
    """Run apply_masks behind :func:`pack`."""
    files = {
        "index": out / "index.csv",
        "images": out / "images.npy",
        "masks": out / "masks.npy",
        "masked": out / "masked.npy",
        "contact_sheet": out / "sheet.png",
    }
    return call("apply_masks", **{**files, **options})


def prepare(raw: Path, out: Path, splits: dict[str, str]) -> Prepared:
    """Index, pack and mask a labelled data set."""
    assert index(raw, out, splits) == 0
    assert pack(raw, out) == 0
    assert apply_masks(out) == 0
    return Prepared(raw, out)


def write_subset(
    path: Path, rows: Sequence[dict[str, str]], parts: Sequence[str] | None = None
) -> Path:
    """Write a subset of an index's rows: each with its mask, where it has one; ``parts``: train, validation."""
    subset = [
        {"id": row["id"], "label": row["label"], "mask": int(row["mask"] not in ("", "0"))}
        for row in rows
    ]
    for row, part in zip(subset, parts or (), strict=bool(parts)):
        row["part"] = part
    write_csv(path, list(subset[0]), subset)
    return path


def draw_subset(data: Prepared, path: Path, fraction: str, seed: int, **options: object) -> Path:
    """Run draw_subsets on a data set."""
    given = {"index": data.file("index.csv"), "fraction": fraction, "seed": seed, "subset": path}
    assert call("draw_subsets", **given, **options) == 0
    return path


def write_autoencoder(path: Path, seed: int = 1, **changes: object) -> Path:
    """Write a checkpoint of an untrained autoencoder of the sizes AUTOENCODER."""
    import torch

    from fewlabels.networks.autoencoder import Autoencoder
    from fewlabels.networks.checkpoints import description, save_checkpoint

    torch.manual_seed(seed)
    model = Autoencoder(**{**AUTOENCODER, **changes})
    save_checkpoint(path, model.state_dict(), description(model.encoder))
    return path


def training_options(
    data: Prepared,
    out: Path,
    subset: Path,
    encoders: dict[str, tuple[Path, list[str]]],
    *,
    training: dict[str, object] = TRAINING,
    seed: int = 1,
    mask_use: str = "off",
    features: Sequence[Path] = (),
    validation: bool = False,
    **changes: object,
) -> dict[str, object]:
    """Every option of TRAINER, in the one place that knows their names; it writes OUTPUTS into ``out``.

    Args:
        encoders: name -> checkpoint, blocks open for updates.
        validation: write ``validation.csv`` as well.
        changes: options that replace these or join them.
    """
    options = {
        "index": data.file("index.csv"),
        **data.packed,
        **({} if mask_use == "off" else data.masked),
        "mask_use": mask_use,
        "subset": subset,
        "encoders": json.dumps(
            [
                {"encoder": name, "trained": trained, "batch_norm": "trained"}
                for name, (_, trained) in encoders.items()
            ]
        ),
        "encoder_checkpoints": [path for path, _ in encoders.values()],
        **({"features": list(features)} if features else {}),
        "classes": json.dumps(CLASSES),
        "training": training,
        "seed": seed,
        "resize": "stretch",
        **ON_CPU,
        **{name.split(".")[0]: out / name for name in OUTPUTS},
        **({"validation": out / "validation.csv"} if validation else {}),
    }
    return options | changes


def train(*given: object, **options: object) -> Path:
    """Run TRAINER with :func:`training_options`; gives the folder of its files."""
    chosen = training_options(*given, **options)
    out = Path(chosen["history"]).parent
    out.mkdir(parents=True, exist_ok=True)
    assert call(TRAINER, **chosen) == 0
    return out


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
