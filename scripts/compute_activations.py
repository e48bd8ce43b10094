"""Compute what the frozen blocks of one encoder make of some images, once for all runs that share them.

Writes an array (.npy) with every view that training can draw (flips and right angles: 8) of the training images, the
test images as they are, and with --masked the masked copies of both; and a JSON header beside it. Where the array would be larger than --budget-gb, both say so by being empty, and training
computes the same on the fly.
"""

import argparse
import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.data.packed_images import PackedImages, open_packed
from fewlabels.networks.blocks import ENCODER_KINDS
from fewlabels.networks.checkpoints import load_encoder
from fewlabels.networks.encoders import Encoder
from fewlabels.training import run_files as runs
from fewlabels.training.augmentation import apply_views, normalise, possible_views
from fewlabels.training.feature_cache import ActivationHeader, write_activations
from fewlabels.training.runtime import Runtime, add_compute_arguments, start

#: Pictures in a batch.
BATCH = {"cpu": 64, "cuda": 256}


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--encoder", choices=sorted(ENCODER_KINDS), required=True)
    parser.add_argument("--checkpoint", required=True, help="the encoder's weights")
    parser.add_argument("--last-block", required=True, help="the last frozen block")
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--images", required=True, help=".npy of pack_images")
    parser.add_argument("--ids", required=True, help="CSV of pack_images")
    parser.add_argument("--masked", help=".npy of apply_masks: masked copies, too")
    parser.add_argument("--masked-ids", help="CSV of apply_masks")
    parser.add_argument("--test", action="store_true", help="the test images")
    parser.add_argument("--train", action="store_true", help="all training images")
    parser.add_argument("--subset", help="CSV of draw_subsets: its training images")
    parser.add_argument("--flips", action="store_true", help="training flips images")
    parser.add_argument("--rotation", choices=["none", "right_angles"], default="none")
    parser.add_argument("--budget-gb", type=float, help="write no larger array than this")
    parser.add_argument("--activations", required=True, help=".npy to write; its .json is beside")
    parser.add_argument("--record", required=True, help="JSON to write: time, device, versions")
    add_compute_arguments(parser)
    return parser


def freeze_through(encoder: Encoder, last_block: str) -> None:
    """Open the blocks after the last frozen one.

    Raises:
        UserError: the encoder has no such block.
    """
    if last_block not in encoder.block_names:
        raise UserError(
            f"unknown block '{last_block}': use one of {', '.join(encoder.block_names)}"
        )
    encoder.open_blocks(encoder.block_names[encoder.block_names.index(last_block) + 1 :])


def choose_images(arguments: argparse.Namespace) -> list[tuple[str, bool]]:
    """Ids of the images, and whether each is trained on."""
    index = read_csv(arguments.index)
    chosen = []
    if arguments.train:
        chosen += [(row["id"], True) for row in index if row["split"] == "train"]
    if arguments.subset:
        chosen += [(row["id"], True) for row in read_csv(arguments.subset)]
    if arguments.test:
        chosen += [(row["id"], False) for row in index if row["split"] == "test"]
    return chosen


@torch.inference_mode()
def prefix_of(encoder: Encoder, pixels: Tensor, views: Tensor, runtime: Runtime) -> Tensor:
    """Activations on the CPU, (n, height, width, channels) or (n, features).

    Args:
        pixels: uint8 (n, size, size, 3).
        views: one per picture.
    """
    images = pixels.to(runtime.device).permute(0, 3, 1, 2)
    with runtime.meter.batch("activations", len(views)), runtime.autocast():
        found = encoder.prefix(normalise(apply_views(images, views).float() / 255))
    if found.dim() == 4:
        found = found.permute(0, 2, 3, 1)
    return found.to(runtime.precision).contiguous().cpu()


def compute(
    encoder: Encoder,
    sources: dict[str, PackedImages],
    rows: list[tuple[str, str, int]],
    runtime: Runtime,
) -> Iterator[Tensor]:
    """Activations of all rows (id, kind, view) in order, batch by batch."""
    size = BATCH[runtime.device.type]
    for first in tqdm(range(0, len(rows), size), desc="activations", mininterval=5):
        batch = rows[first : first + size]
        pixels = np.stack([sources[kind].rows([name])[0] for name, kind, _ in batch])
        views = torch.tensor([view for _, _, view in batch])
        yield prefix_of(encoder, torch.from_numpy(pixels), views, runtime)


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    sources = {"plain": open_packed(arguments.images, arguments.ids)}
    if arguments.masked:
        sources["masked"] = runs.open_masked(arguments.masked, arguments.masked_ids)
    encoder, _ = load_encoder(arguments.encoder, arguments.checkpoint)
    freeze_through(encoder, arguments.last_block)
    encoder.to(runtime.device, memory_format=torch.channels_last).train()
    drawn = possible_views(arguments.flips, arguments.rotation)
    header = ActivationHeader(
        encoder=arguments.encoder,
        last_block=arguments.last_block,
        dtype=str(runtime.precision).removeprefix("torch."),
        pictures=[
            (name, kind, drawn if trained else [0])
            for name, trained in choose_images(arguments)
            for kind, source in sources.items()
            if name in source
        ],
    )
    rows = [(name, kind, view) for name, kind, views in header.pictures for view in views]
    side = sources["plain"].array.shape[1]
    blank = torch.zeros((1, side, side, 3), dtype=torch.uint8)
    shape = prefix_of(encoder, blank, torch.zeros(1, dtype=torch.int64), runtime).shape[1:]
    batches = compute(encoder, sources, rows, runtime)
    budget = None if arguments.budget_gb is None else arguments.budget_gb * 1e9
    write_activations(arguments.activations, header, shape, batches, budget)
    runs.write_record(arguments.record, runtime, started)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
