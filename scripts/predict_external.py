"""Predict an external test set with one trained classifier.

The images were packed as the training images were; they have no masks, whatever the arm was trained with. Of a
classifier that sees images through predicted masks, the network of its subset (--mask-network) predicts theirs, too.
Writes one row per image: id, label, predicted, p_<class>. Of a classifier whose training failed, no image, but why.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.failed_runs import FailedRunError
from fewlabels.core.files import read_csv
from fewlabels.core.settings import TrainingSettings
from fewlabels.data.pictures import Pictures, open_pictures
from fewlabels.networks.checkpoints import load_classifier
from fewlabels.training import run_files
from fewlabels.training.loop import predict
from fewlabels.training.masked_pixels import MaskView, held_in_memory
from fewlabels.training.runtime import Runtime, add_compute_arguments, start
from fewlabels.training.segmentation import load_unet, predict_masks


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--checkpoint", required=True, help=".pt of train_classifier")
    parser.add_argument("--index", required=True, help="CSV of index_images")
    parser.add_argument("--images", required=True, help=".npy of pack_images")
    parser.add_argument("--mask-network", help=".pt of predict_masks, if predicted masks are used")
    add_compute_arguments(parser)
    parser.add_argument("--predictions", required=True, help="CSV to write")
    return parser


def external_view(
    arguments: argparse.Namespace,
    metadata: Mapping[str, Any],
    ids: Sequence[str],
    source: Pictures,
    runtime: Runtime,
) -> MaskView | None:
    """How the classifier sees images through predicted masks; None where it does not.

    Raises:
        UserError: it does, and the network of masks was not given, or the other way round.
    """
    seen = metadata.get("predicted_masks")
    if bool(seen) != bool(arguments.mask_network):
        raise UserError(
            f"{arguments.checkpoint} {'needs' if seen else 'takes no'} --mask-network: its arm sees images "
            f"{'through predicted masks' if seen else 'plain'}"
        )
    if not seen:
        return None
    network, settings = load_unet(arguments.mask_network)
    runtime.place(network)
    pixels = source.rows([(name, "plain") for name in ids])
    masks = held_in_memory(ids, predict_masks(network, pixels, settings.size, runtime))
    return MaskView(masks, seen["use"], seen["crop_margin"])


def run(arguments: argparse.Namespace) -> None:
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    source = open_pictures([arguments.images])
    try:
        model, metadata = load_classifier(arguments.checkpoint)
    except FailedRunError as error:
        error.failure.write_predictions(arguments.predictions)
        return
    if metadata["image_size"] != source.size:
        raise UserError(
            f"{arguments.checkpoint} takes images of {metadata['image_size']} pixels, "
            f"{arguments.images} has {source.size}: run pack_images with the same images.size"
        )
    samples = run_files.split_samples(read_csv(arguments.index), "test")
    classes = metadata["classes"]
    ids = [sample.id for sample in samples]
    labels = logits = None
    if metadata.get("state") != "diverged":
        settings = TrainingSettings(**metadata["training"])
        view = external_view(arguments, metadata, ids, source, runtime)
        test_set = run_files.select(samples, classes, source, "off", runtime, settings, view)
        runtime.place(model)
        labels, logits = test_set.labels, predict(model, test_set, runtime)
    run_files.write_predictions(arguments.predictions, ids, labels, logits, classes)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
