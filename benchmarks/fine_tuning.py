"""WBC fine-tuning at one fraction: the plain loop against this workflow, same images, same updates, same blocks.

The plain loop's time is the median of its epochs after the first, times --epochs; the workflow's is that of its steps
run in full (indexing, packing, activations, training; each a process of its own). Ratios are of one run. --full
runs the plain loop in full as well, so that accuracies can be compared.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
from ours import fine_tune, pack, random_weights, script
from plain_loop import train_plain

RECIPES = {
    "resnet": (["layer4.0", "layer4.1"], "layer3.1"),
    "resnetTwoStages": (["layer3", "layer4"], "layer2.1"),
}


def draw(folder: Path, train: int, test: int, size: int) -> Path:
    """Draw synthetic WBC images and give their folder."""
    script(
        "draw_synthetic_images",
        folder=folder / "images",
        truth=folder / "truth.csv",
        manifest=folder / "manifest.csv",
        wbc_train=train,
        wbc_val=test,
        wbc_size=size,
        balance=1.0,
        **{"cam16_train": 2, "cam16_val": 2, "cam16_test": 2, "prcc": 2},
        **{"cam16_size": 32, "prcc_size": 32},
        threads=2,
    )
    return folder / "images" / "WBC_100"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a WBC folder; without it synthetic images")
    parser.add_argument("--arms", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--size", type=int, default=224, help="pixels")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--plain-epochs", type=int, default=3, help="timed, after one to warm up")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--full", action="store_true", help="the plain loop in full, too")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, torch {torch.__version__}, {arguments.size} pixels")
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        raw = arguments.data or draw(scratch, 250, 50, 575)
        state = torch.load(random_weights(scratch), weights_only=True)
        for arm in arguments.arms:
            compare(arm, raw, state, scratch, arguments)


def compare(arm: str, raw: Path, state: dict, scratch: Path, arguments) -> None:
    trained, last_block = RECIPES[arm]
    ratios = []
    for repeat in range(1, arguments.repeats + 1):
        timed = arguments.epochs if arguments.full else 1 + arguments.plain_epochs
        started = time.perf_counter()
        plain = train_plain(
            raw,
            state,
            trained,
            timed,
            schedule_epochs=arguments.epochs,
            size=arguments.size,
            seed=repeat,
        )
        epoch = statistics.median(row["seconds"] for row in plain[1:])
        whole = (
            time.perf_counter() - started
            if arguments.full
            else plain[0]["seconds"] + epoch * (arguments.epochs - 1)
        )
        packed = pack(raw, scratch / arm, arguments.size, 2)
        steps, history = fine_tune(
            packed,
            scratch / "resnet18.pth",
            trained,
            last_block,
            arguments.epochs,
            seed=repeat,
        )
        steps = packed.seconds | steps
        ours = sum(steps.values())
        ratios.append(whole / ours)
        parts = ", ".join(f"{step} {seconds:.1f}" for step, seconds in steps.items())
        how = "measured" if arguments.full else f"{epoch:.1f} s an epoch"
        print(f"{arm} {repeat}: plain {whole:.1f} s ({how}), ours {ours:.1f} s ({parts})")
        last = f"test accuracy of the last epoch: ours {float(history[-1]['test_accuracy']):.3f}"
        if arguments.full:
            last += f", plain {plain[-1]['test_accuracy']:.3f}"
        print(f"  {last}", flush=True)
    print(f"{arm}: plain / ours: {statistics.median(ratios):.1f}", flush=True)


if __name__ == "__main__":
    main()
