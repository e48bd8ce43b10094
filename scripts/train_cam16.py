"""Train the CAM16 classifier normal / tumor: ResNet-18 from given weights, the named blocks open for updates.

Images are masked where --mask-use says so and a mask was applied. The checkpoint is that of the last epoch.
"""

import argparse
import time
from collections.abc import Sequence

import torch

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv
from fewlabels.networks.checkpoints import load_encoder
from fewlabels.networks.encoders import Classifier
from fewlabels.training import run_files as runs
from fewlabels.training.loop import train_classifier
from fewlabels.training.runtime import add_compute_arguments, start

ENCODER = "imagenet_resnet18"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    runs.add_image_arguments(parser)
    parser.add_argument("--weights", required=True, help="state dict of ResNet-18")
    parser.add_argument("--trained", nargs="*", default=[], help="blocks open for updates")
    runs.add_training_arguments(parser)
    runs.add_result_arguments(parser)
    add_compute_arguments(parser)
    return parser


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    index = read_csv(arguments.index)
    images, masked = runs.open_images(arguments)
    samples = {split: runs.split_samples(index, split) for split in ("train", "validation", "test")}
    samples = {split: chosen for split, chosen in samples.items() if chosen}
    sets = {}
    for split, chosen in samples.items():
        use = arguments.mask_use if split == "train" else runs.test_mask_use(arguments.mask_use)
        sets[split] = runs.select(chosen, arguments.classes, images, masked, use, runtime)
    torch.manual_seed(arguments.seed)
    encoder, _ = load_encoder(ENCODER, arguments.weights)
    encoder.open_blocks(arguments.trained)
    model = Classifier({ENCODER: encoder}, len(arguments.classes))
    evaluated = {split: images for split, images in sets.items() if split != "train"}
    history = train_classifier(
        model, sets["train"], evaluated, arguments.training, runtime, arguments.seed
    )
    recipe = [{"encoder": ENCODER, "trained": list(encoder.trained_blocks)}]
    size = images.array.shape[1]
    runs.save_classifier(
        arguments.checkpoint,
        model,
        runs.classifier_metadata(arguments, arguments.training, recipe, size),
    )
    runs.write_history(arguments.history, history)
    ids = [sample.id for sample in samples["test"]]
    runs.write_predictions(
        arguments.predictions, ids, sets["test"], arguments.classes, model, runtime
    )
    facts = {"training_images": len(sets["train"]), "epochs": arguments.training.epochs}
    runs.write_record(arguments.record, runtime, started, **facts)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
