"""How time and memory grow with the number of images: indexing, packing, training.

Packing: the same 100 pictures of 575 pixels under as many names as asked for (--images 1000 10000; 100000 needs 15 GB
of disk for the array), to 224 pixels. Training: feature cache and two epochs, at 64 pixels.
"""

import argparse
import os
import tempfile
from pathlib import Path

from fine_tuning import draw
from measured import Measured, measured
from ours import CLASSES, LAYOUT, fine_tune, pack, random_weights


def many(folder: Path, pictures: list[Path], count: int) -> Path:
    """A WBC folder of ``count`` names for a few pictures."""
    for number in range(count):
        target = folder / "train/data" / CLASSES[number % len(CLASSES)] / f"{number:06}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(pictures[number % len(pictures)], target)
    return folder


def packing(raw: Path, folder: Path, threads: int) -> list[Measured]:
    folder.mkdir()
    common = {"folder": raw, "index": folder / "index.csv", "reading": folder / "reading.json"}
    common["threads"] = threads
    return [
        measured(
            "index_images",
            **common,
            layout=LAYOUT | {"splits": {"train": "train"}},
            problems=folder / "problems.csv",
            left_out=folder / "left_out.csv",
        ),
        measured(
            "pack_images",
            **common,
            size=224,
            images=folder / "images.npy",
            masks=folder / "masks.npy",
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
            index, packed = packing(raw, scratch / str(count), arguments.threads)
            print(
                f"| {count} | {index.seconds:.1f} | {index.peak_mb:.0f} | {packed.seconds:.1f} |"
                f" {packed.peak_mb:.0f} | {1000 * packed.seconds / count:.2f} |",
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
