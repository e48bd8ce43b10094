"""Why `compute.precision: auto` trains networks with depthwise convolutions in float32 on a CPU.

Training steps and evaluation of an EfficientNet-Lite0 (depthwise) and a ResNet-18 (none), from random weights, in
float32 and in bfloat16, channels last: medians of --repeats batches after two to warm up, in ms per image. What `auto`
chooses on this machine stands in the last column.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable

import torch
from ours import REPOSITORY
from torch import nn
from torch.nn import functional

NETWORKS = ("timm/tf_efficientnet_lite0", "torchvision/resnet18")
PRECISIONS = ("float32", "bfloat16")


def batch_seconds(
    network: nn.Module,
    images: torch.Tensor,
    precision: str,
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Median time of a batch, in the network's mode: a training step, or a forward pass."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.0003, fused=True)
    labels = torch.arange(len(images)) % 5
    lower = torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bfloat16")
    seconds = []
    for _ in range(2 + repeats):
        started = clock()
        with lower, torch.inference_mode(not network.training):
            logits = network(images)
        if network.training:
            optimizer.zero_grad()
            functional.cross_entropy(logits.float(), labels).backward()
            optimizer.step()
        seconds.append(clock() - started)
    return statistics.median(seconds[2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=128, help="pixels")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    sys.path.insert(0, str(REPOSITORY / "scripts"))
    from fewlabels.networks.library import build_model
    from fewlabels.training.runtime import start

    runtime = start("cpu", "auto", arguments.threads)
    print(
        f"{os.cpu_count()} cores, torch {torch.__version__}, {arguments.size} pixels, batches of"
        f" {arguments.batch}, {arguments.threads} threads\n\n"
        "| network | mode | float32 ms | bfloat16 ms | float32 / bfloat16 | auto |\n"
        "| --- | --- | ---: | ---: | ---: | --- |"
    )
    torch.manual_seed(0)
    images = torch.rand(arguments.batch, 3, arguments.size, arguments.size)
    images = images.contiguous(memory_format=torch.channels_last)
    for model in NETWORKS:
        network = build_model(model, arguments.size, 5).to(memory_format=torch.channels_last)
        for mode in ("training", "evaluation"):
            network.train(mode == "training")
            spent = [
                1000 * batch_seconds(network, images, precision, arguments.repeats) / len(images)
                for precision in PRECISIONS
            ]
            chosen = str(runtime.precision_of(network)).removeprefix("torch.")
            print(
                f"| {model} | {mode} | {spent[0]:.2f} | {spent[1]:.2f} | {spent[0] / spent[1]:.2f}"
                f" | {chosen} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
