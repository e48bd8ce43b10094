"""How time and memory grow with the number of images: indexing, packing, training.

Packing: the same 100 pictures of 575 pixels under as many names as asked for (--images 1000 10000; 100000 needs 15 GB
of disk for the array), to 224 pixels. Training: feature cache and two epochs, at 64 pixels.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fine_tuning import draw
from ours import CLASSES, LAYOUT, REPOSITORY, fine_tune, pack, random_weights

#: A process of its own: a child begins with the peak of what started it, here of one that imported torch.
STARTER = (
    "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stderr=subprocess.DEVNULL); \
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
)


def measured(name: str, *words: object) -> tuple[float, float]:
    """Run a script: wall time in seconds, peak memory in MB."""
    command = [sys.executable, str(REPOSITORY / "scripts" / f"{name}.py"), *map(str, words)]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", STARTER, *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    return time.perf_counter() - started, int(done.stdout.split()[-1]) / 1024


def many(folder: Path, pictures: list[Path], count: int) -> Path:
    """A WBC folder of ``count`` names for a few pictures."""
    for number in range(count):
        target = folder / "train/data" / CLASSES[number % len(CLASSES)] / f"{number:06}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(pictures[number % len(pictures)], target)
    return folder


def packing(raw: Path, folder: Path, threads: int) -> list[tuple[float, float]]:
    folder.mkdir()
    index, problems = folder / "index.csv", folder / "problems.csv"
    layout = json.dumps(LAYOUT | {"splits": {"train": "train"}})
    return [
        measured(
            *("index_images", "--folder", raw, "--layout", layout, "--threads", threads),
            *("--index", index, "--problems", problems),
        ),
        measured(
            *("pack_images", "--folder", raw, "--index", index, "--size", 224),
            *("--threads", threads, "--images", folder / "images.npy"),
            *("--masks", folder / "masks.npy"),
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--trained", type=int, nargs="+", default=[500, 1000, 2000])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        source = draw(scratch, 100, 5, 575)
        pictures = sorted(source.glob("train/data/*/*.jpg"))
        print("| images | index s | index peak MB | pack s | pack peak MB | pack ms per image |")
        print("|" + " ---: |" * 6)
        for count in arguments.images:
            raw = many(scratch / f"raw{count}", pictures, count)
            (index, index_mb), (packed, packed_mb) = packing(
                raw, scratch / str(count), arguments.threads
            )
            print(
                f"| {count} | {index:.1f} | {index_mb:.0f} | {packed:.1f} | {packed_mb:.0f} |"
                f" {1000 * packed / count:.2f} |",
                flush=True,
            )
            (scratch / str(count) / "images.npy").unlink()
        weights = random_weights(scratch, 64)
        print("\n| training images | feature cache s | training s |\n| ---: | ---: | ---: |")
        for count in arguments.trained:
            raw = many(scratch / f"trained{count}", pictures, count)
            os.renames(source / "val", raw / "val")
            ready = pack(raw, scratch / f"packed{count}", 64, arguments.threads)
            seconds, _ = fine_tune(ready, weights, ["layer4"], 2, threads=arguments.threads)
            steps = [f"{seconds[step]:.1f}" for step in ("cache_features", "train_classifier")]
            print(f"| {count} | {' | '.join(steps)} |", flush=True)
            os.renames(raw / "val", source / "val")


if __name__ == "__main__":
    main()
