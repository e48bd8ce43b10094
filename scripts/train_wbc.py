"""Train one white blood cell classifier: one arm, one fraction, one replicate.

The arm's encoders are loaded from their checkpoints, their named blocks opened for updates, and a linear head is
trained on their concatenated features. Masked images are used as --mask-use says, of the subset's own masks only.
What frozen blocks make of the images is taken from --activations where those files hold it, else computed.
The checkpoint and the per-image predictions on the test images are those of the last epoch, or, where the subset
holds validation images, of the epoch that is best on these. A run whose loss is no longer finite ends well, but
as "diverged": with the epochs before in its history, and no predictions.
"""

import argparse
import logging
import time
from collections.abc import Sequence

import torch

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.networks.checkpoints import load_encoder
from fewlabels.networks.encoders import Classifier, Encoder
from fewlabels.training import run_files as runs
from fewlabels.training.augmentation import possible_views
from fewlabels.training.feature_cache import ActivationFile, activations_for, open_activations
from fewlabels.training.loop import DivergedError, ImageSet, image_set, train_classifier
from fewlabels.training.runtime import Runtime, add_compute_arguments, start
from fewlabels.training.stored_rows import StoredRows


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    runs.add_image_arguments(parser)
    parser.add_argument("--subset", required=True, help="CSV of draw_subsets")
    parser.add_argument(
        "--encoders",
        type=runs.parse_encoders,
        required=True,
        help='JSON: [{"encoder": name, "trained": [block, ...]}, ...]',
    )
    parser.add_argument(
        "--encoder-checkpoints", nargs="+", required=True, help="one file per encoder, in order"
    )
    parser.add_argument(
        "--activations", nargs="*", default=[], help=".npy files of compute_activations"
    )
    runs.add_training_arguments(parser)
    runs.add_result_arguments(parser)
    parser.add_argument("--validation", help="CSV to write: predictions on the validation images")
    add_compute_arguments(parser)
    return parser


def load_encoders(
    choices: list[dict], checkpoints: list[str], image_size: int
) -> tuple[dict[str, Encoder], dict]:
    """Load an arm's encoders, their blocks opened; also the autoencoder's metadata, if there is one.

    Raises:
        UserError: an autoencoder was trained on images of another size.
    """
    encoders: dict[str, Encoder] = {}
    autoencoder: dict = {}
    for choice, path in zip(choices, checkpoints, strict=True):
        encoder, metadata = load_encoder(choice["encoder"], path)
        encoder.open_blocks(choice["trained"])
        encoders[choice["encoder"]] = encoder
        if "latent_size" in metadata:
            autoencoder = {key: metadata[key] for key in ("channels", "latent_size", "image_size")}
            if metadata["image_size"] != image_size:
                raise UserError(
                    f"{path} takes images of {metadata['image_size']} pixels, these have {image_size}: "
                    "train it again with the same images.size"
                )
    return encoders, autoencoder


def known_activations(
    encoders: dict[str, Encoder],
    pictures: list[tuple[runs.Sample, str]],
    views: list[int] | None,
    files: list[ActivationFile],
    runtime: Runtime,
) -> dict[str, StoredRows]:
    """Per encoder, the activations of its frozen prefix, where the files hold those of every picture."""
    samples = [(sample.id, kind) for sample, kind in pictures]
    known = {}
    for name, encoder in encoders.items():
        frozen = encoder.frozen_prefix()
        if not frozen or views is None:
            continue
        last_block = encoder.block_names[frozen - 1]
        found = activations_for(samples, name, last_block, views, files, runtime.device)
        if found:
            known[name] = found
    return known


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    images, masked = runs.open_images(arguments)
    subset: dict[str, list[runs.Sample]] = {"train": [], "validation": []}
    for row in read_csv(arguments.subset):
        sample = runs.Sample(row["id"], row["label"], row["mask"] == "1")
        subset[row.get("part", "train")].append(sample)
    test = runs.split_samples(read_csv(arguments.index), "test")
    torch.manual_seed(arguments.seed)
    image_size = images.array.shape[1]
    encoders, autoencoder = load_encoders(
        arguments.encoders, arguments.encoder_checkpoints, image_size
    )
    model = Classifier(encoders, len(arguments.classes))
    files = [open_activations(path) for path in arguments.activations]
    settings = arguments.training
    drawn = possible_views(settings.flips, settings.rotation)

    def make_set(samples: list[runs.Sample], mask_use: str, views: list[int] | None) -> ImageSet:
        pictures = runs.picture_of(samples, masked, mask_use)
        known = known_activations(encoders, pictures, views, files, runtime)
        needed = len(known) < len(encoders)
        pixels = runs.pixels_of(pictures, images, masked, runtime) if needed else None
        return image_set(pixels, runs.labels_of(pictures, arguments.classes), runtime, known)

    train_set = make_set(subset["train"], arguments.mask_use, drawn)
    test_use = runs.test_mask_use(arguments.mask_use)
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
    recipe = [
        {"encoder": name, "trained": list(encoder.trained_blocks)}
        for name, encoder in encoders.items()
    ]
    metadata = runs.classifier_metadata(arguments, settings, recipe, image_size) | {"state": state}
    if autoencoder:
        metadata["autoencoder"] = autoencoder
    runs.save_classifier(arguments.checkpoint, model, metadata)
    runs.write_history(arguments.history, history)
    ids = {"test": test, "validation": subset["validation"]}
    for name, path in (("test", arguments.predictions), ("validation", arguments.validation)):
        if path:
            runs.write_predictions(
                path,
                [sample.id for sample in ids[name]],
                evaluated.get(name) if state == "complete" else None,
                arguments.classes,
                model,
                runtime,
            )
    facts = {"training_images": len(train_set), "epochs": settings.epochs, "state": state}
    runs.write_record(arguments.record, runtime, started, **facts)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
