"""Images per second of training and of evaluation on a WBC folder, at 100 and 10 % of its labels, beside the plain loop.

  python benchmarks/throughput.py --data FOLDER/WBC_100

The plain loop times both parts of each epoch itself (channels last; the median of --epochs after a first one). Of the
workflow's runs, an epoch is what one of 1 + --epochs takes longer than one of 1, and the two fractions, which evaluate on
the same images, tell training and evaluation apart. The making of the activations, once for all runs, is a row of its own.
"""

import argparse
import csv
import os
import statistics
import tempfile
from pathlib import Path

import torch
from ours import compute_activations, draw_subset, pack, random_weights, train_wbc
from plain_loop import train_plain

TRAINED, LAST_BLOCK = ["layer4.0", "layer4.1"], "layer3.1"
FRACTIONS = ("100", "10")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def rates(epoch: dict[str, float], images: dict[str, int], test: int) -> tuple[float, float]:
    """Images per second of training and evaluation, from the seconds of an epoch at each fraction."""
    many, few = FRACTIONS
    train = (images[many] - images[few]) / (epoch[many] - epoch[few])
    return train, test / (epoch[few] - images[few] / train)


def show(way: str, train: float, evaluate: float, epoch: dict[str, float]) -> None:
    cells = [f"{epoch[fraction]:.1f}" for fraction in FRACTIONS]
    print(f"| {way} | {train:.0f} | {evaluate:.0f} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a WBC folder")
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--epochs", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        packed = pack(arguments.data, scratch, arguments.size, 2)
        weights = random_weights(scratch)
        state = torch.load(weights, weights_only=True)
        subsets = {fraction: draw_subset(packed, fraction) for fraction in FRACTIONS}
        chosen = {
            fraction: {row["id"] for row in rows_of(subsets[fraction])} for fraction in FRACTIONS
        }
        images = {fraction: len(ids) for fraction, ids in chosen.items()}
        index = rows_of(scratch / "index.csv")
        test = sum(row["split"] == "test" for row in index)
        path_of = {row["id"]: row["path"] for row in index}
        print(
            f"{os.cpu_count()} cores, torch {torch.__version__}, {arguments.size} pixels, {images['100']} and"
            f" {images['10']} + {test} images\n\n"
            "| | training images/s | evaluation images/s | epoch at 100 % s | epoch at 10 % s |\n"
            "| --- | ---: | ---: | ---: | ---: |"
        )
        histories = {
            fraction: train_plain(
                arguments.data,
                state,
                TRAINED,
                1 + arguments.epochs,
                schedule_epochs=1 + arguments.epochs,
                size=arguments.size,
                only={path_of[image] for image in chosen[fraction]},
            )[1:]
            for fraction in FRACTIONS
        }
        epochs = {f: statistics.median(e["seconds"] for e in histories[f]) for f in FRACTIONS}
        train = statistics.median(e["train_seconds"] for e in histories["100"])
        evaluate = statistics.median(e["seconds"] - e["train_seconds"] for e in histories["100"])
        show("plain loop", images["100"] / train, test / evaluate, epochs)
        made = compute_activations(packed, weights, LAST_BLOCK, subsets["100"])
        for way, use in (("ours, from activations", True), ("ours, activations off", False)):
            ours = {}
            for fraction in FRACTIONS:
                short, whole = (
                    train_wbc(packed, weights, TRAINED, subsets[fraction], count, activations=use)
                    for count in (1, 1 + arguments.epochs)
                )
                ours[fraction] = (whole - short) / arguments.epochs
            show(way, *rates(ours, images, test), ours)
        passes = 8 * images["100"] + test
        print(f"\nmaking the activations, once: {made:.0f} s, {passes / made:.0f} images/s")


if __name__ == "__main__":
    main()
