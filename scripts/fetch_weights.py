"""Put the weights that a backbone starts from into one checkpoint that says which network it is of.

--weights default    the library's own. torchvision: IMAGENET1K_V1 where there is one, taken from --downloads if the
                     file lies there, else downloaded to it; the sha256 that is part of its name must fit. timm: fetched
                     by timm, and kept in --downloads.
--weights packaged   those of an installed package: nothing is downloaded.
--weights random     drawn by --seed, as the library initialises the network.
--weights PATH       a state dict or checkpoint of the same network, of your own; its last layer may have any
                     number of classes, or be absent.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.networks.checkpoints import save_checkpoint
from fewlabels.networks.weights import start_weights


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--backbone", required=True, help="its name in the config, for the record")
    parser.add_argument("--model", required=True, help="torchvision/<name> or timm/<name>")
    parser.add_argument("--weights", required=True, help="default, packaged, random, or a path")
    parser.add_argument("--sha256", help="of the file at a path: refuse any other")
    parser.add_argument("--seed", type=int, default=0, help="of --weights random")
    parser.add_argument("--image-size", type=int, default=224, help="pixels of the images to come")
    parser.add_argument("--downloads", default="resources/downloads", help="folder")
    parser.add_argument("--output", required=True, help=".pth to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    try:
        start = start_weights(
            arguments.model,
            arguments.weights,
            arguments.image_size,
            arguments.seed,
            Path(arguments.downloads),
            arguments.sha256,
        )
    except UserError as error:
        raise UserError(f"key 'backbones.{arguments.backbone}': {error}") from error
    metadata = {
        "backbone": arguments.backbone,
        "architecture": {"model": arguments.model, "image_size": arguments.image_size},
        "normalisation": start.normalisation.plain(),
        "weights": arguments.weights,
    }
    if arguments.weights == "random":
        metadata["seed"] = arguments.seed
    save_checkpoint(arguments.output, start.state, metadata)
    logging.info("wrote %s: %s, weights %s", arguments.output, arguments.model, arguments.weights)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
