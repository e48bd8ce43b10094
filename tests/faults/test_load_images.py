"""A data set of 100,000 small files: time and memory of each step grow no faster than the number of files.

``LOAD_FILES=100000 make test-faults``: how many files; each step is compared with a quarter of them, by its CPU time,
so that what else runs on the machine does not count.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from measured import Measured, measured
from PIL import Image

FILES = int(os.environ.get("LOAD_FILES") or 100_000)
CLASSES = ("Basophil", "Eosinophil", "Lymphocyte", "Monocyte")
LAYOUT = {
    "images": "{split}/{class}",
    "classes": list(CLASSES),
    "splits": {"train": "train", "test": "test"},
}
SIDE = 32
#: Every so manieth picture is another file of one before, or that one flipped; of ``linked``, all are of so many.
COPIED, FLIPPED, DRAWN = 100, 101, 200
#: Four times the files may take so many times the seconds and memory.
MOST = 4 * 1.4


def picture(number: int) -> Image.Image:
    """A picture of its own, smooth as photographs are."""
    noise = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def place_of(folder: Path, number: int) -> Path:
    """Where a picture lies: a fifth are test images, and classes take turns."""
    split = "test" if number % 5 == 4 else "train"
    return folder / split / CLASSES[number // 5 % len(CLASSES)] / f"{number:06}.png"


def distinct(folder: Path, count: int) -> None:
    """Pictures of their own, but for 2 % that are copies of one 25 before: of another split for some, of one class."""
    for number in range(count):
        path = place_of(folder, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        before = number - 5 * len(CLASSES) - 5 * (number % 5 == 4)
        if number > COPIED and number % COPIED == 0:
            os.link(place_of(folder, before), path)
        elif number > FLIPPED and number % FLIPPED == 0:
            picture(before).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
        else:
            picture(number).save(path)


def linked(folder: Path, count: int) -> None:
    """As many names, but few pictures: each of one class."""
    step = 5 * len(CLASSES)
    for number in range(count):
        path = place_of(folder, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        if number < DRAWN:
            picture(number).save(path)
        else:
            # Of the same class, and of the other split for some.
            first = number % step // 5 * 5 + number // step % (DRAWN // step) * step
            os.link(place_of(folder, first + number % 4), path)


def steps(raw: Path, folder: Path) -> dict[str, Measured]:
    """Index, pack and audit a data set."""
    index, reading = folder / "index.csv", folder / "reading.json"
    images = folder / "images.npy"
    found = {
        "index": measured(
            "index_images",
            folder=raw,
            layout=LAYOUT,
            threads=2,
            index=index,
            problems=folder / "problems.csv",
            left_out=folder / "left_out.csv",
            reading=reading,
        ),
        "pack": measured(
            "pack_images",
            folder=raw,
            index=index,
            reading=reading,
            size=SIDE,
            threads=2,
            images=images,
            masks=folder / "masks.npy",
        ),
        "audit": measured(
            "audit_leakage",
            target="cells",
            datasets=["cells"],
            indexes=[index],
            images=[images],
            distance=6,
            correlation=0.96,
            pairs=folder / "pairs.csv",
            compared=folder / "compared.csv",
            report=folder / "leakage.md",
            thumbnails=folder / "thumbnails.png",
        ),
    }
    return found


@pytest.mark.parametrize("fill", [distinct, linked])
def test_time_and_memory_are_linear_in_the_number_of_files(tmp_path, fill: Callable):
    took = {}
    for count in (FILES // 4, FILES):
        raw, folder = tmp_path / f"raw{count}", tmp_path / f"results{count}"
        folder.mkdir()
        fill(raw, count)
        took[count] = steps(raw, folder)
        for step, what in took[count].items():
            print(f"{fill.__name__}, {count:,} files, {step}: {what}", flush=True)
        assert len((folder / "index.csv").read_text().splitlines()) == 1 + count
    for step, most in took[FILES].items():
        fewer = took[FILES // 4][step]
        assert most.cpu_seconds < MOST * fewer.cpu_seconds, step
        assert most.peak_mb < MOST * fewer.peak_mb, step
