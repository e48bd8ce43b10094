"""Compute what the frozen blocks of one encoder make of some images, once for all runs that share them.

Writes an array (.npy) with every view that training can draw (flips and right angles: 8) of the training images, the
test images as they are (--test-views all: in these views, too), with --masked the masked copies of the training images,
and with --masked-test those of the test images, too; and a JSON header beside it. Where the array would be larger than
--budget-gb, or the network can't be cut behind its frozen blocks, both say so by being empty, and training computes the
same on the fly.
"""

import argparse
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv
from fewlabels.data.pictures import Key, Pictures, open_pictures
from fewlabels.networks.checkpoints import load_encoder
from fewlabels.networks.checks import cut_block
from fewlabels.networks.encoder import Encoder
from fewlabels.training import run_files
from fewlabels.training.augmentation import apply_views, exact_views
from fewlabels.training.feature_cache import ActivationHeader, write_activations
from fewlabels.training.runtime import Runtime, add_compute_arguments, start

#: Pictures in a batch.
BATCH = {"cpu": 64, "cuda": 256}


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--encoder", required=True, help="its name")
    parser.add_argument("--checkpoint", required=True, help="the encoder's weights")
    parser.add_argument("--trained", nargs="*", default=[], help="blocks that the arm opens")
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--images", required=True, help=".npy of pack_images; its table is beside")
    parser.add_argument("--masked", help=".npy of apply_masks: masked copies, too")
    parser.add_argument("--test", action="store_true", help="the test images")
    parser.add_argument(
        "--masked-test", action="store_true", help="and their masked copies, out of --masked"
    )
    parser.add_argument(
        "--test-views",
        choices=["one", "all"],
        default="one",
        help="of the test images; all: as of the training images",
    )
    parser.add_argument("--train", action="store_true", help="all training images")
    parser.add_argument(
        "--subsets", nargs="*", default=[], help="CSVs of draw_subsets: their training images"
    )
    parser.add_argument("--flips", action="store_true", help="training flips images")
    parser.add_argument("--rotation", choices=["none", "right_angles"], default="none")
    parser.add_argument("--budget-gb", type=float, help="write no larger array than this")
    parser.add_argument("--features", required=True, help=".npy to write; its .json is beside")
    parser.add_argument("--record", required=True, help="JSON to write: time, device, versions")
    add_compute_arguments(parser)
    return parser


def choose_images(arguments: argparse.Namespace) -> list[tuple[str, bool]]:
    """Ids of the images, and whether each is trained on."""
    index = read_csv(arguments.index)
    chosen = []
    if arguments.train:
        chosen += [(row["id"], True) for row in index if row["split"] == "train"]
    drawn = dict.fromkeys(row["id"] for path in arguments.subsets for row in read_csv(path))
    chosen += [(name, True) for name in drawn]
    if arguments.test:
        chosen += [(row["id"], False) for row in index if row["split"] == "test"]
    return chosen


@torch.inference_mode()
def prefix_of(encoder: Encoder, pixels: Tensor, views: Tensor, runtime: Runtime) -> Tensor:
    """What the frozen blocks give, on the CPU: (n, height, width, channels) or (n, features).

    Args:
        pixels: uint8 (n, size, size, 3).
        views: one per picture.
    """
    images = pixels.to(runtime.device).permute(0, 3, 1, 2)
    inputs = encoder.normalise(apply_views(images, views).float() / 255)
    with runtime.meter.batch("features", len(views)), runtime.autocast(encoder):
        found = encoder.prefix(inputs)
    if found.dim() == 4:
        found = found.permute(0, 2, 3, 1)
    return found.to(runtime.precision).contiguous().cpu()


def compute(
    encoder: Encoder, source: Pictures, rows: list[tuple[Key, int]], runtime: Runtime
) -> Iterator[Tensor]:
    """What the frozen blocks give for all rows (picture, view) in order, batch by batch."""
    size = BATCH[runtime.device.type]
    for first in tqdm(range(0, len(rows), size), desc="features", mininterval=5):
        batch = rows[first : first + size]
        pixels = source.rows([picture for picture, _ in batch])
        views = torch.tensor([view for _, view in batch])
        yield prefix_of(encoder, torch.from_numpy(pixels), views, runtime)


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    source = open_pictures([arguments.images, *([arguments.masked] if arguments.masked else [])])
    encoder, _ = load_encoder(arguments.checkpoint, source.size)
    encoder.open_blocks(arguments.trained)
    runtime.place(encoder)
    encoder.train()
    block = cut_block(encoder)
    drawn = exact_views(arguments.flips, arguments.rotation)
    header = ActivationHeader(
        encoder=arguments.encoder,
        last_block=block or "",
        dtype=str(runtime.precision).removeprefix("torch."),
        pictures=[
            (name, kind, drawn if trained or arguments.test_views == "all" else [0])
            for name, trained in choose_images(arguments)
            for kind in ("plain", "masked")
            if kind == "plain" or trained or arguments.masked_test
            if (name, kind) in source and block is not None
        ],
    )
    rows = [((name, kind), view) for name, kind, views in header.pictures for view in views]
    blank = torch.zeros((1, source.size, source.size, 3), dtype=torch.uint8)
    shape = prefix_of(encoder, blank, torch.zeros(1, dtype=torch.int64), runtime).shape[1:]
    batches = compute(encoder, source, rows, runtime)
    budget = None if arguments.budget_gb is None else arguments.budget_gb * 1e9
    write_activations(arguments.features, header, shape, batches, budget)
    run_files.write_record(arguments.record, runtime, started)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
