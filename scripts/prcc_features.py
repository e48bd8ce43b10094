"""Extract VGG16 features of every pRCC image: 4096 numbers each, after ReLU.

Writes a CSV with one row per image: id, f0 ... f4095.
"""

import argparse
import time
from collections.abc import Sequence

import torch
from tqdm import tqdm

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import write_csv
from fewlabels.data.packed_images import open_packed
from fewlabels.networks.checkpoints import load_checkpoint
from fewlabels.networks.encoders import VGG16Features
from fewlabels.training.augmentation import normalise
from fewlabels.training.run_files import write_record
from fewlabels.training.runtime import add_compute_arguments, start
from fewlabels.training.stored_rows import stored_rows

BATCH = 32


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--images", required=True, help=".npy of pack_images")
    parser.add_argument("--ids", required=True, help="CSV of pack_images")
    parser.add_argument("--weights", required=True, help="state dict of VGG16")
    parser.add_argument("--layer", type=int, choices=[1, 2], default=2, help="of the 4096-d layers")
    parser.add_argument("--features", required=True, help="CSV to write")
    parser.add_argument("--record", required=True, help="JSON to write: time, device, versions")
    add_compute_arguments(parser)
    return parser


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    packed = open_packed(arguments.images, arguments.ids)
    images = stored_rows([packed.array], range(len(packed.array)), runtime.device)
    state, _ = load_checkpoint(arguments.weights)
    model = VGG16Features(state, arguments.layer)
    model.eval().to(runtime.device, memory_format=torch.channels_last)
    batches = []
    with torch.inference_mode():
        for rows in tqdm(torch.arange(len(images)).split(BATCH), desc="VGG16", mininterval=5):
            inputs = normalise(images.take(rows).float() / 255)
            with runtime.meter.batch("features", len(rows)), runtime.autocast():
                batches.append(model(inputs).float().cpu())
    features = torch.cat(batches).numpy()
    columns = [f"f{place}" for place in range(features.shape[1])]
    write_csv(
        arguments.features,
        ["id", *columns],
        (
            {"id": name, **dict(zip(columns, row.tolist(), strict=True))}
            for name, row in zip(packed.row_of, features, strict=True)
        ),
    )
    write_record(arguments.record, runtime, started)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
