"""The workflow's own steps as commands, timed: what a run of Snakemake would start, one after another."""

import csv
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
#: What stands in the config beside the layout of its files is left out.
LAYOUT = {key: value for key, value in CONFIG["datasets"]["wbc"].items() if key != "title"}
CLASSES = LAYOUT["classes"]


def script(name: str, **options: object) -> float:
    """Run one of the workflow's scripts and give its wall time in seconds."""
    words = [sys.executable, str(REPOSITORY / "scripts" / f"{name}.py")]
    for key, value in options.items():
        words.append("--" + key.replace("_", "-"))
        if isinstance(value, (list, tuple)):
            words += map(str, value)
        elif value is not True:
            words.append(json.dumps(value) if isinstance(value, dict) else str(value))
    started = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    return time.perf_counter() - started


def random_weights(folder: Path, size: int) -> Path:
    """Random weights of ResNet-18, as a run starts from them, for images of some size."""
    path = folder / "resnet18.pth"
    if not path.exists():
        script(
            "fetch_weights",
            backbone="imagenet_resnet18",
            model="torchvision/resnet18",
            weights="random",
            image_size=size,
            downloads=folder,
            output=path,
        )
    return path


@dataclass(frozen=True)
class Packed:
    """A WBC folder, indexed and packed, and what that took."""

    folder: Path
    seconds: dict[str, float]

    def images(self) -> dict[str, Path]:
        names = {"index": "index.csv", "images": "images.npy"}
        return {key: self.folder / name for key, name in names.items()}


def pack(raw: Path, folder: Path, size: int, threads: int) -> Packed:
    """Index and pack a WBC folder."""
    folder.mkdir(parents=True, exist_ok=True)
    seconds = {
        "index_images": script(
            "index_images",
            folder=raw,
            layout=LAYOUT,
            threads=threads,
            index=folder / "index.csv",
            problems=folder / "problems.csv",
            left_out=folder / "left_out.csv",
            reading=folder / "reading.json",
        ),
        "pack_images": script(
            "pack_images",
            folder=raw,
            index=folder / "index.csv",
            reading=folder / "reading.json",
            size=size,
            threads=threads,
            images=folder / "images.npy",
            masks=folder / "masks.npy",
        ),
    }
    return Packed(folder, seconds)


def draw_subset(packed: Packed, fraction: str, seed: int = 1) -> Path:
    """The list of images that a fraction trains on."""
    subset = packed.folder / f"subset_{fraction}.csv"
    index = packed.folder / "index.csv"
    script("draw_subsets", index=index, fraction=fraction, seed=seed, subset=subset)
    return subset


def cache_features(
    packed: Packed, weights: Path, trained: list[str], subset: Path, threads: int = 2
) -> float:
    """What the frozen blocks make of a subset's and the test images, into the packed folder; seconds."""
    return script(
        "cache_features",
        encoder="imagenet_resnet18",
        checkpoint=weights,
        trained=trained,
        **packed.images(),
        test=True,
        subsets=[subset],
        flips=True,
        rotation="right_angles",
        features=packed.folder / "features.npy",
        record=packed.folder / "features_record.json",
        **compute(threads),
    )


def train_classifier(
    packed: Packed,
    weights: Path,
    trained: list[str],
    subset: Path,
    epochs: int,
    *,
    cached: bool = True,
    threads: int = 2,
    seed: int = 1,
) -> float:
    """Train a classifier, from the packed folder's feature cache or without; seconds."""
    folder = packed.folder
    layers = CONFIG["training"]
    training = layers["defaults"] | layers["classification"] | {"epochs": epochs}
    choice = {"encoder": "imagenet_resnet18", "trained": trained, "batch_norm": "trained"}
    return script(
        "train_classifier",
        **packed.images(),
        subset=subset,
        encoders=json.dumps([choice]),
        encoder_checkpoints=[weights],
        features=[folder / "features.npy"] if cached else [],
        classes=json.dumps(CLASSES),
        training=training,
        seed=seed,
        resize="stretch",
        **compute(threads),
        checkpoint=folder / "model.pt",
        history=folder / "history.csv",
        predictions=folder / "predictions.csv",
        record=folder / "record.json",
    )


def compute(threads: int) -> dict[str, object]:
    return {"device": "cpu", "precision": "auto", "threads": threads}


def fine_tune(
    packed: Packed,
    weights: Path,
    trained: list[str],
    epochs: int,
    *,
    threads: int = 2,
    seed: int = 1,
) -> tuple[dict[str, float], list[dict[str, str]]]:
    """One run on all images from the packed ones on, its feature cache made for it alone: seconds by step, history."""
    subset = draw_subset(packed, "100", seed)
    seconds = {
        "cache_features": cache_features(packed, weights, trained, subset, threads),
        "train_classifier": train_classifier(
            packed, weights, trained, subset, epochs, threads=threads, seed=seed
        ),
    }
    with (packed.folder / "history.csv").open(encoding="utf-8", newline="") as handle:
        return seconds, list(csv.DictReader(handle))
