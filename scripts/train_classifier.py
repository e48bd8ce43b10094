"""Train one classifier of the target: one arm, one fraction, one replicate.

The arm's encoders are loaded from their checkpoints, their named blocks opened for updates, and a linear head is
trained on their concatenated features; with another --classifier than a network, that is fitted to the features of
frozen encoders. Masked images are used as --mask-use says, of the subset's own masks only;
test and validation images are plain, unless --test-masks says that they are as the training images. With
--predicted-masks all images are seen through these, in training and tests alike.
What frozen blocks make of the images is taken from --features where those files hold it, else computed.
The checkpoint and the per-image predictions on the test images are those of the last epoch, or, where the subset
holds validation images, of the epoch that is best on these. A run whose loss is no longer finite ends well, but
as "diverged": with the epochs before in its history, and no predictions; a file beside the checkpoint says in which
step and with which images, and replay_batch shows these.
"""

import argparse
import json
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import beside, read_csv
from fewlabels.core.settings import Unlabelled
from fewlabels.data.intensities import read_intensities
from fewlabels.data.pictures import Key, Pictures
from fewlabels.networks.checks import cut_block
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Encoder
from fewlabels.networks.heads import LIGHT
from fewlabels.training import run_files
from fewlabels.training.augmentation import exact_views, possible_views, predicted_views
from fewlabels.training.divergence import DivergedError
from fewlabels.training.feature_cache import ActivationFile, activations_for, open_activations
from fewlabels.training.loop import ImageSet, image_set, train_classifier
from fewlabels.training.masked_pixels import MaskView
from fewlabels.training.runtime import Runtime, add_compute_arguments
from fewlabels.training.stored_rows import StoredRows


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    run_files.add_image_arguments(parser)
    parser.add_argument(
        "--test-masks",
        choices=["off", "arm"],
        default="off",
        help="of test and validation images; arm: masked where --mask-use is replace",
    )
    parser.add_argument("--subset", required=True, help="CSV of draw_subsets")
    parser.add_argument(
        "--encoders",
        type=json.loads,
        required=True,
        help='JSON: [{"encoder": name, "trained": [block, ...] or "all", "batch_norm": "trained"}, ...]',
    )
    parser.add_argument(
        "--encoder-checkpoints", nargs="+", required=True, help="one file per encoder, in order"
    )
    parser.add_argument("--features", nargs="*", default=[], help=".npy files of cache_features")
    parser.add_argument(
        "--classes", type=json.loads, required=True, help="JSON: in the order of outputs"
    )
    parser.add_argument(
        "--classifier",
        choices=["network", *LIGHT],
        default="network",
        help="network: a linear head, trained with the open blocks; others take frozen encoders",
    )
    parser.add_argument(
        "--unlabelled",
        type=Unlabelled.from_json,
        default=Unlabelled(),
        help="JSON with the keys of arms.<arm>.unlabelled: training images outside the subset are used, without labels",
    )
    run_files.add_predicted_mask_arguments(parser)
    parser.add_argument(
        "--run",
        type=json.loads,
        default={},
        help="JSON: arm, target, fraction, replicate, kept in the checkpoint",
    )
    parser.add_argument(
        "--reading", help="JSON of index_images: its intensities are kept in the checkpoint"
    )
    run_files.add_training_arguments(parser)
    run_files.add_result_arguments(parser)
    parser.add_argument("--validation", help="CSV to write: predictions on the validation images")
    add_compute_arguments(parser)
    return parser


def known_features(
    encoders: dict[str, Encoder],
    pictures: list[Key],
    views: list[int] | None,
    files: list[ActivationFile],
    runtime: Runtime,
) -> dict[str, StoredRows]:
    """Per encoder, what its frozen prefix gives, where the files hold that of every picture."""
    known = {}
    for name, encoder in encoders.items():
        block = cut_block(encoder)
        if block is None or views is None:
            continue
        found = activations_for(pictures, name, block, views, files, runtime.device)
        if found:
            known[name] = found
    return known


def others_without_labels(
    arguments: argparse.Namespace,
    subset: dict[str, list[run_files.Sample]],
    source: Pictures,
    runtime: Runtime,
    view: MaskView | None,
) -> tuple[StoredRows, Unlabelled] | None:
    """The training images outside the subset, and how they are used; None where they are not, or there are none.

    Raises:
        UserError: there is no mean of the weights to teach.
    """
    if arguments.unlabelled.method == "off":
        return None
    if arguments.training.averaging != "ema":
        raise UserError(
            "unlabelled images need a teacher: set averaging: ema in the arm's training"
        )
    known = {sample.id for samples in subset.values() for sample in samples}
    samples = run_files.split_samples(read_csv(arguments.index), "train")
    pictures = [(sample.id, "plain") for sample in samples if sample.id not in known]
    logging.info("%d training images are used without their labels", len(pictures))
    if not pictures:
        return None
    return run_files.pixels_of(pictures, source, runtime, view), arguments.unlabelled


def facts_for_use(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is kept in the checkpoint for the prediction of new images, files beside it by their paths from there."""
    intensities = read_intensities(arguments.reading) if arguments.reading else None
    validation = arguments.validation and beside(arguments.validation, arguments.checkpoint)
    return {
        "run": arguments.run,
        "intensities": intensities.plain() if intensities else None,
        "test_masks": arguments.test_masks,
        "validation": validation,
    }


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = run_files.start_training(arguments)
    source = run_files.open_images(arguments)
    subset: dict[str, list[run_files.Sample]] = {"train": [], "validation": []}
    for row in read_csv(arguments.subset):
        sample = run_files.Sample(row["id"], row["label"], row["mask"] == "1")
        subset[row.get("part", "train")].append(sample)
    test = run_files.split_samples(read_csv(arguments.index), "test")
    torch.manual_seed(arguments.seed)
    view = run_files.mask_view(arguments)
    encoders = run_files.load_encoders(
        arguments.encoders,
        arguments.encoder_checkpoints,
        source.size,
        arguments.predicted_mask_use == "channel",
    )
    model = Classifier(encoders, len(arguments.classes))
    files = [open_activations(path) for path in arguments.features]
    settings = arguments.training
    drawn = possible_views(settings)
    tested = predicted_views(settings)

    def make_set(
        samples: list[run_files.Sample],
        mask_use: str,
        views: list[int] | None,
        predicted: Sequence[int] = (0,),
    ) -> ImageSet:
        pictures = run_files.pictures_used(samples, source, mask_use)
        known = known_features(encoders, pictures, views, files, runtime)
        needed = len(known) < len(encoders)
        pixels = run_files.pixels_of(pictures, source, runtime, view) if needed else None
        labels = run_files.labels_of(pictures, samples, arguments.classes)
        return image_set(pixels, labels, runtime, known, predicted, pictures)

    train_set = make_set(subset["train"], arguments.mask_use, drawn)
    in_training = run_files.test_mask_use(arguments.mask_use)
    test_use = in_training if arguments.test_masks == "arm" else "off"
    evaluated = {"test": make_set(test, test_use, tested, tested)}
    if subset["validation"]:
        evaluated["validation"] = make_set(subset["validation"], test_use, tested, tested)
    selected_on = "validation" if subset["validation"] else None
    others = others_without_labels(arguments, subset, source, runtime, view)
    state, light = "complete", None
    logits: Mapping[str, Tensor] = {}
    if arguments.classifier == "network":
        try:
            history, logits = train_classifier(
                model,
                train_set,
                evaluated,
                settings,
                runtime,
                arguments.seed,
                selected_on,
                others,
            )
        except DivergedError as error:
            logging.warning("%s", error)
            state, history = "diverged", error.history
    else:
        # It imports scikit-learn, which a network needs not wait for.
        from fewlabels.training.light_classifiers import train_light_classifier

        pictures = run_files.pictures_used(subset["train"], source, arguments.mask_use)
        light = train_light_classifier(
            arguments.classifier,
            encoders,
            len(arguments.classes),
            train_set,
            [name for name, _ in pictures],
            evaluated,
            exact_views(settings.flips, settings.rotation),
            runtime,
            arguments.seed,
        )
        model, history, logits = light.model, light.history, light.logits
    chosen = {"classifier": light.facts} if light else {}
    metadata = run_files.classifier_metadata(arguments, arguments.classes, model, source.size)
    metadata |= {"state": state, **chosen, **facts_for_use(arguments)}
    run_files.save_classifier(arguments.checkpoint, model, metadata)
    run_files.write_history(arguments.history, history)
    paths = {"test": arguments.predictions, "validation": arguments.validation}
    for name, samples in (("test", test), ("validation", subset["validation"])):
        if paths[name]:
            run_files.write_predictions(
                paths[name],
                [sample.id for sample in samples],
                evaluated[name].labels if name in evaluated else None,
                # None of a training that diverged, and where no images were held out.
                logits.get(name),
                arguments.classes,
            )
    facts = {
        "training_images": len(train_set),
        "epochs": run_files.epochs_made(history),
        "state": state,
        **chosen,
    }
    run_files.write_record(arguments.record, runtime, started, **facts)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
