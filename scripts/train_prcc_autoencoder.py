"""Train the convolutional autoencoder to reconstruct pRCC images, by mean squared error.

Writes the checkpoint of the last epoch, the history (losses only) and a picture of held-out images beside their
reconstructions.
"""

import argparse
import time
from collections.abc import Sequence

import torch
from sklearn.model_selection import train_test_split

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.data.packed_images import open_packed
from fewlabels.networks.checkpoints import MEAN, STD, save_checkpoint
from fewlabels.networks.encoders import Autoencoder
from fewlabels.reporting.figures import contact_sheet
from fewlabels.training import run_files as runs
from fewlabels.training.loop import (
    ImageSet,
    image_set,
    reconstruct,
    settings_metadata,
    train_autoencoder,
)
from fewlabels.training.runtime import add_compute_arguments, start
from fewlabels.training.stored_rows import stored_rows

SHOWN = 8


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--images", required=True, help=".npy of pack_images")
    parser.add_argument("--ids", required=True, help="CSV of pack_images")
    parser.add_argument(
        "--channels", type=int, nargs="+", required=True, help="of the convolutions"
    )
    parser.add_argument("--latent-size", type=int, required=True)
    parser.add_argument("--test-share", type=float, required=True, help="of the images, held out")
    runs.add_training_arguments(parser, classes=False)
    runs.add_result_arguments(parser, predictions=False)
    parser.add_argument("--reconstructions", required=True, help="PNG to write")
    add_compute_arguments(parser)
    return parser


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    packed = open_packed(arguments.images, arguments.ids)
    try:
        train_ids, test_ids = train_test_split(
            list(packed.row_of), test_size=arguments.test_share, random_state=arguments.seed
        )
    except ValueError as error:
        raise UserError(
            f"the images of {arguments.ids} can't be split into train and test ({error}): use more "
            "images, or another pretraining.prcc_autoencoder.test_share"
        ) from error

    def make_set(ids: list[str]) -> ImageSet:
        rows = [packed.row_of[name] for name in ids]
        return image_set(stored_rows([packed.array], rows, runtime.device), None, runtime)

    train, test = make_set(train_ids), make_set(test_ids)
    size = packed.array.shape[1]
    torch.manual_seed(arguments.seed)
    model = Autoencoder(arguments.channels, arguments.latent_size, size)
    history = train_autoencoder(model, train, test, arguments.training, runtime, arguments.seed)
    metadata = {
        "model": "pRCC_autoencoder",
        "channels": arguments.channels,
        "latent_size": arguments.latent_size,
        "image_size": size,
        "resize": arguments.resize,
        "normalisation": {"mean": list(MEAN), "std": list(STD)},
        "training": settings_metadata(arguments.training),
        "seed": arguments.seed,
    }
    save_checkpoint(arguments.checkpoint, model.state_dict(), metadata)
    runs.write_history(arguments.history, history)
    shown = test_ids[:SHOWN]
    originals = packed.rows(shown)
    outputs, _ = next(reconstruct(model, make_set(shown), runtime))
    pictures = (outputs * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    contact_sheet(
        arguments.reconstructions,
        [(name, [originals[place], pictures[place]]) for place, name in enumerate(shown)],
        ["held-out image", "reconstruction"],
        empty_text="no image was held out",
    )
    facts = {"training_images": len(train), "epochs": arguments.training.epochs}
    runs.write_record(arguments.record, runtime, started, **facts)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
