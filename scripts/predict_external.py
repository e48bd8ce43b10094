"""Predict an external test set with one trained classifier.

The images were packed as the training images were; they have no masks, whatever the arm was trained with.
Writes one row per image: id, label, predicted, p_<class>.
"""

import argparse
from collections.abc import Sequence

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.data.pictures import open_pictures
from fewlabels.networks.checkpoints import load_classifier
from fewlabels.training import run_files
from fewlabels.training.runtime import add_compute_arguments, start


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--checkpoint", required=True, help=".pt of train_classifier")
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--images", required=True, help=".npy of pack_images")
    add_compute_arguments(parser)
    parser.add_argument("--predictions", required=True, help="CSV to write")
    return parser


def run(arguments: argparse.Namespace) -> None:
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    source = open_pictures([arguments.images])
    model, metadata = load_classifier(arguments.checkpoint)
    if metadata["image_size"] != source.size:
        raise UserError(
            f"{arguments.checkpoint} takes images of {metadata['image_size']} pixels, "
            f"{arguments.images} has {source.size}: run pack_images with the same images.size"
        )
    samples = run_files.split_samples(read_csv(arguments.index), "test")
    classes = metadata["classes"]
    test_set = None
    if metadata.get("state") != "diverged":
        test_set = run_files.select(samples, classes, source, "off", runtime)
    runtime.place(model)
    ids = [sample.id for sample in samples]
    run_files.write_predictions(arguments.predictions, ids, test_set, classes, model, runtime)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
