"""WBC fine-tuning at one fraction: the plain loop against this workflow, same images, same updates, same blocks.

The plain loop runs --plain-epochs after a first one, and the median of these stands for the rest; the workflow's steps
run in full (indexing, packing, feature cache, training; each a process of its own). The plain loop is timed in
PyTorch's default memory format, as most write it, and in channels last; the last line is against the faster. --full
runs it in full, so that accuracies can be compared.
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

RECIPES = {"resnet": ["layer4.0", "layer4.1"], "resnetTwoStages": ["layer3", "layer4"]}


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
        weights = random_weights(scratch, arguments.size)
        for arm in arguments.arms:
            compare(arm, raw, weights, scratch, arguments)


def plain_seconds(
    raw: Path, state: dict, trained: list[str], seed: int, memory_format, arguments
) -> tuple[float, float, list[dict[str, float]]]:
    """The plain loop's whole time, its median epoch, its history."""
    timed = arguments.epochs if arguments.full else 1 + arguments.plain_epochs
    started = time.perf_counter()
    history = train_plain(
        raw,
        state,
        trained,
        timed,
        schedule_epochs=arguments.epochs,
        size=arguments.size,
        seed=seed,
        memory_format=memory_format,
    )
    elapsed = time.perf_counter() - started
    epoch = statistics.median(row["seconds"] for row in history[1:])
    whole = elapsed + epoch * (arguments.epochs - timed)
    return whole, epoch, history


def compare(arm: str, raw: Path, weights: Path, scratch: Path, arguments) -> None:
    """Time both ways, in turn, and print their times and ratios."""
    trained = RECIPES[arm]
    state = torch.load(weights, weights_only=True)["state_dict"]
    ratios: dict[str, list[float]] = {"default memory format": [], "channels last": []}
    formats = dict(zip(ratios, (torch.contiguous_format, torch.channels_last), strict=True))
    for repeat in range(1, arguments.repeats + 1):
        packed = pack(raw, scratch / arm, arguments.size, 2)
        steps, history = fine_tune(packed, weights, trained, arguments.epochs, seed=repeat)
        steps = packed.seconds | steps
        ours = sum(steps.values())
        parts = ", ".join(f"{step} {seconds:.1f}" for step, seconds in steps.items())
        accuracy = float(history[-1]["test_accuracy"])
        print(f"{arm} {repeat}: ours {ours:.1f} s ({parts}); last test accuracy {accuracy:.3f}")
        for name, memory_format in formats.items():
            whole, epoch, plain = plain_seconds(
                raw, state, trained, repeat, memory_format, arguments
            )
            ratios[name].append(whole / ours)
            last = (
                f"; last test accuracy {plain[-1]['test_accuracy']:.3f}" if arguments.full else ""
            )
            print(f"  plain, {name}: {whole:.1f} s, {epoch:.1f} s an epoch{last}", flush=True)
    print(f"{arm}, medians of {arguments.repeats}:")
    for name, values in ratios.items():
        print(f"{name}:")
        print(f"plain / ours: {statistics.median(values):.1f}", flush=True)


if __name__ == "__main__":
    main()
