"""Put the weights that pretraining starts from into one file.

--source imagenet   torchvision's IMAGENET1K_V1 weights: taken from --downloads if the file lies there, else
                    downloaded to it; the sha256 that is part of its name must fit.
--source random     drawn by --seed, as torchvision initialises the network.
--source PATH       a state dict of the same network, of your own.
The output is a state dict under torchvision's names.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError

import torch
from torchvision.models import ResNet18_Weights, VGG16_Weights, resnet18, vgg16

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import atomic_path, sha256_of_file
from fewlabels.networks.checkpoints import load_checkpoint

NETWORKS = {"resnet18": resnet18, "vgg16": vgg16}
IMAGENET = {"resnet18": ResNet18_Weights.IMAGENET1K_V1, "vgg16": VGG16_Weights.IMAGENET1K_V1}


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--network", choices=sorted(NETWORKS), required=True)
    parser.add_argument("--source", required=True, help="imagenet, random, or a path")
    parser.add_argument("--seed", type=int, default=0, help="of --source random")
    parser.add_argument("--downloads", default="resources/downloads", help="folder")
    parser.add_argument("--weights", required=True, help=".pth to write")
    return parser


def imagenet_file(url: str, downloads: Path) -> Path:
    """The file of a torchvision weights URL (``name-<first digits of its sha256>.pth``), checked.

    Raises:
        UserError: it can't be downloaded, or its sha256 does not begin with the digits in its name.
    """
    name = url.rsplit("/", 1)[1]
    digits = Path(name).stem.rsplit("-", 1)[1]
    path = downloads / name
    if not path.is_file():
        logging.info("downloading %s", url)
        try:
            with atomic_path(path) as temporary:
                torch.hub.download_url_to_file(url, str(temporary), progress=True)
        except (URLError, OSError) as error:
            raise UserError(
                f"{name} could not be downloaded ({error}): put the file of {url} "
                f"into {downloads}/ by hand, or set weights to a path or random"
            ) from error
    found = sha256_of_file(path)
    if not found.startswith(digits):
        raise UserError(
            f"{path} has the sha256 {found[:8]}..., expected {digits}...: delete it and run again"
        )
    return path


def run(arguments: argparse.Namespace) -> None:
    build = NETWORKS[arguments.network]
    if arguments.source == "random":
        torch.manual_seed(arguments.seed)
        state = build(weights=None).state_dict()
    else:
        path = (
            imagenet_file(IMAGENET[arguments.network].url, Path(arguments.downloads))
            if arguments.source == "imagenet"
            else Path(arguments.source)
        )
        state, _ = load_checkpoint(path)
        with torch.device("meta"):
            network = build(weights=None)
        wanted = {name: value.shape for name, value in network.state_dict().items()}
        # Files from before PyTorch 0.4 lack BatchNorm's counters, which nothing here reads.
        wanted_names = {name for name in wanted if not name.endswith("num_batches_tracked")}
        for name in sorted(wanted_names):
            if name not in state or state[name].shape != wanted[name]:
                raise UserError(
                    f"{path} is no state dict of torchvision's {arguments.network} ({name} is missing "
                    "or of another shape): give another file"
                )
        for name in set(wanted) - set(state):
            state[name] = torch.zeros((), dtype=torch.int64)
    with atomic_path(arguments.weights) as temporary:
        torch.save(state, temporary)
    logging.info("wrote %s", arguments.weights)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
