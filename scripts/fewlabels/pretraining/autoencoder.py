"""Train a convolutional autoencoder to reconstruct a data set's images, by mean squared error.

Writes the checkpoint of the last epoch, the history (losses only) and a picture of test images beside their
reconstructions.
"""

import argparse
import time

import numpy as np
import torch

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.data.pictures import open_pictures
from fewlabels.networks.autoencoder import Autoencoder
from fewlabels.networks.checkpoints import description, save_checkpoint
from fewlabels.reporting.figures import contact_sheet
from fewlabels.training import run_files
from fewlabels.training.loop import ImageSet, image_set, reconstruct, train_autoencoder
from fewlabels.training.runtime import add_compute_arguments

SHOWN = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--index", required=True, help="CSV of index_images: its splits")
    parser.add_argument("--images", required=True, help=".npy of pack_images; its table is beside")
    parser.add_argument(
        "--channels", type=int, nargs="+", required=True, help="of the convolutions"
    )
    parser.add_argument("--latent-size", type=int, required=True)
    run_files.add_training_arguments(parser)
    run_files.add_result_arguments(parser, predictions=False)
    parser.add_argument("--reconstructions", required=True, help="PNG to write")
    add_compute_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = run_files.start_training(arguments)
    source = open_pictures([arguments.images])
    index = read_csv(arguments.index)

    def ids_of(split: str) -> list[str]:
        return [row["id"] for row in index if row["split"] == split]

    def make_set(ids: list[str]) -> ImageSet:
        pictures = [(name, "plain") for name in ids]
        pixels = run_files.pixels_of(pictures, source, runtime)
        return image_set(pixels, np.zeros(len(ids)), runtime, pictures=pictures)

    test_ids = ids_of("test")
    if not test_ids or not ids_of("train"):
        raise UserError(f"{arguments.index} has no train or no test images: mend splits or holdout")
    train, test = make_set(ids_of("train")), make_set(test_ids)
    torch.manual_seed(arguments.seed)
    model = Autoencoder(arguments.channels, arguments.latent_size, source.size)
    history = train_autoencoder(model, train, test, arguments.training, runtime, arguments.seed)
    metadata = {
        "model": run_files.name_of(arguments),
        **description(model.encoder),
        "image_size": source.size,
        "resize": arguments.resize,
        "training": arguments.training.plain(),
        "seed": arguments.seed,
    }
    save_checkpoint(arguments.checkpoint, model.state_dict(), metadata)
    run_files.write_history(arguments.history, history)
    shown = test_ids[:SHOWN]
    originals = source.rows([(name, "plain") for name in shown])
    outputs, _ = next(reconstruct(model, make_set(shown), runtime))
    pictures = (outputs * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    contact_sheet(
        arguments.reconstructions,
        [(name, [originals[place], pictures[place]]) for place, name in enumerate(shown)],
        ["held-out image", "reconstruction"],
        empty_text="no image was held out",
    )
    facts = {"training_images": len(train), "epochs": run_files.epochs_made(history)}
    run_files.write_record(arguments.record, runtime, started, **facts)
