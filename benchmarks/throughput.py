"""Images per second of training and of evaluation on a WBC folder, at 100 and 10 % of its labels, beside a plain loop.

  python benchmarks/throughput.py --data FOLDER/WBC_100

Both ways time the two parts of each epoch themselves: the plain loop (channels last) as the median of --epochs after a
first one, the workflow over all of 1 + --epochs, as its record says. The making of the feature cache, once for all
runs, is a line of its own.
"""

import argparse
import csv
import json
import os
import statistics
import tempfile
from pathlib import Path

import torch
from ours import cache_features, draw_subset, pack, random_weights, train_classifier
from plain_loop import train_plain

TRAINED = ["layer4.0", "layer4.1"]
FRACTIONS = ("100", "10")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def show(way: str, fraction: str, train: float, evaluate: float) -> None:
    print(f"| {way} | {fraction} % | {train:.0f} | {evaluate:.0f} |", flush=True)


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
        weights = random_weights(scratch, arguments.size)
        state = torch.load(weights, weights_only=True)["state_dict"]
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
            "| | labels | training images/s | evaluation images/s |\n| --- | ---: | ---: | ---: |"
        )
        for fraction in FRACTIONS:
            history = train_plain(
                arguments.data,
                state,
                TRAINED,
                1 + arguments.epochs,
                schedule_epochs=1 + arguments.epochs,
                size=arguments.size,
                only={path_of[image] for image in chosen[fraction]},
            )[1:]
            train = statistics.median(epoch["train_seconds"] for epoch in history)
            evaluate = statistics.median(e["seconds"] - e["train_seconds"] for e in history)
            show("plain loop", fraction, images[fraction] / train, test / evaluate)
        made = cache_features(packed, weights, TRAINED, subsets["100"])
        epochs = 1 + arguments.epochs
        for way, use in (("ours, from the feature cache", True), ("ours, without", False)):
            for fraction in FRACTIONS:
                train_classifier(packed, weights, TRAINED, subsets[fraction], epochs, cached=use)
                record = json.loads((scratch / "record.json").read_text(encoding="utf-8"))
                rates = (record[f"{part}_images_per_second"] for part in ("training", "evaluation"))
                show(way, fraction, *rates)
        passes = 8 * images["100"] + test
        print(f"\nmaking the feature cache, once: {made:.0f} s, {passes / made:.0f} images/s")


if __name__ == "__main__":
    main()
