"""Train one classifier of the target: one arm, one fraction, one replicate.

The arm's encoders are loaded from their checkpoints, their named blocks opened for updates, and a linear head is
trained on their concatenated features. Masked images are used as --mask-use says, of the subset's own masks only;
test and validation images are plain, unless --test-masks says that they are as the training images.
What frozen blocks make of the images is taken from --features where those files hold it, else computed.
The checkpoint and the per-image predictions on the test images are those of the last epoch, or, where the subset
holds validation images, of the epoch that is best on these. A run whose loss is no longer finite ends well, but
as "diverged": with the epochs before in its history, and no predictions.
"""

import argparse
import json
import logging
import time
from collections.abc import Sequence

import torch

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv
from fewlabels.data.pictures import Key
from fewlabels.networks.checks import cut_block
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Encoder
from fewlabels.training import run_files
from fewlabels.training.augmentation import possible_views
from fewlabels.training.feature_cache import ActivationFile, activations_for, open_activations
from fewlabels.training.loop import DivergedError, ImageSet, image_set, train_classifier
from fewlabels.training.runtime import Runtime, add_compute_arguments, start
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


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    source = run_files.open_images(arguments)
    subset: dict[str, list[run_files.Sample]] = {"train": [], "validation": []}
    for row in read_csv(arguments.subset):
        sample = run_files.Sample(row["id"], row["label"], row["mask"] == "1")
        subset[row.get("part", "train")].append(sample)
    test = run_files.split_samples(read_csv(arguments.index), "test")
    torch.manual_seed(arguments.seed)
    encoders = run_files.load_encoders(
        arguments.encoders, arguments.encoder_checkpoints, source.size
    )
    model = Classifier(encoders, len(arguments.classes))
    files = [open_activations(path) for path in arguments.features]
    settings = arguments.training
    drawn = possible_views(settings.flips, settings.rotation)

    def make_set(
        samples: list[run_files.Sample], mask_use: str, views: list[int] | None
    ) -> ImageSet:
        pictures = run_files.pictures_used(samples, source, mask_use)
        known = known_features(encoders, pictures, views, files, runtime)
        needed = len(known) < len(encoders)
        pixels = run_files.pixels_of(pictures, source, runtime) if needed else None
        labels = run_files.labels_of(pictures, samples, arguments.classes)
        return image_set(pixels, labels, runtime, known)

    train_set = make_set(subset["train"], arguments.mask_use, drawn)
    in_training = run_files.test_mask_use(arguments.mask_use)
    test_use = in_training if arguments.test_masks == "arm" else "off"
    evaluated = {"test": make_set(test, test_use, [0])}
    if subset["validation"]:
        evaluated["validation"] = make_set(subset["validation"], test_use, [0])
    selected_on = "validation" if subset["validation"] else None
    state = "complete"
    try:
        history = train_classifier(
            model, train_set, evaluated, settings, runtime, arguments.seed, selected_on
        )
    except DivergedError as error:
        logging.warning("%s", error)
        state, history = "diverged", error.history
    metadata = run_files.classifier_metadata(arguments, arguments.classes, model, source.size)
    run_files.save_classifier(arguments.checkpoint, model, metadata | {"state": state})
    run_files.write_history(arguments.history, history)
    ids = {"test": test, "validation": subset["validation"]}
    for name, path in (("test", arguments.predictions), ("validation", arguments.validation)):
        if path:
            run_files.write_predictions(
                path,
                [sample.id for sample in ids[name]],
                evaluated.get(name) if state == "complete" else None,
                arguments.classes,
                model,
                runtime,
            )
    facts = {
        "training_images": len(train_set),
        "epochs": run_files.epochs_made(history),
        "state": state,
    }
    run_files.write_record(arguments.record, runtime, started, **facts)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
