"""Train a classifier of a data set's labels, or of pseudo-labels: its encoder is what others start from.

Images are masked where --mask-use says so and a mask was applied. The checkpoint is that of the last epoch. With
--labels (CSV: id, cluster) the cluster numbers are the classes: accuracy is agreement with the clusters.
"""

import argparse
import json
import time

import torch

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.networks.classifier import Classifier
from fewlabels.training import run_files
from fewlabels.training.loop import train_classifier
from fewlabels.training.runtime import add_compute_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    run_files.add_image_arguments(parser)
    parser.add_argument("--start", required=True, help="checkpoint of the encoder to start from")
    parser.add_argument(
        "--encoder",
        type=json.loads,
        required=True,
        help='JSON: {"encoder": name, "trained": [block, ...] or "all", "batch_norm": "trained"}',
    )
    parser.add_argument(
        "--classes", type=json.loads, default=[], help="JSON: in the order of outputs"
    )
    parser.add_argument("--labels", help="CSV of pseudo-labels, in place of the index's")
    run_files.add_training_arguments(parser)
    run_files.add_result_arguments(parser)
    add_compute_arguments(parser)


def labelled_samples(arguments: argparse.Namespace) -> tuple[dict[str, list], list[str]]:
    """The samples of each split that has some, and the classes."""
    index = read_csv(arguments.index)
    classes = list(arguments.classes)
    if arguments.labels:
        label_of = {row["id"]: row["cluster"] for row in read_csv(arguments.labels)}
        index = [{**row, "label": label_of[row["id"]]} for row in index if row["id"] in label_of]
        classes = sorted(set(label_of.values()), key=int)
    splits = ("train", "validation", "test")
    samples = {split: run_files.split_samples(index, split) for split in splits}
    for split in ("train", "test"):
        if not samples[split]:
            raise UserError(f"{arguments.index} has no {split} images: mend splits or holdout")
    return {split: chosen for split, chosen in samples.items() if chosen}, classes


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = run_files.start_training(arguments)
    source = run_files.open_images(arguments)
    settings = arguments.training
    samples, classes = labelled_samples(arguments)
    sets = {}
    for split, chosen in samples.items():
        use = arguments.mask_use
        use = use if split == "train" else run_files.test_mask_use(use)
        sets[split] = run_files.select(chosen, classes, source, use, runtime, settings)
    torch.manual_seed(arguments.seed)
    encoders = run_files.load_encoders([arguments.encoder], [arguments.start], source.size)
    model = Classifier(encoders, len(classes))
    evaluated = {split: images for split, images in sets.items() if split != "train"}
    history, logits = train_classifier(
        model, sets["train"], evaluated, settings, runtime, arguments.seed
    )
    metadata = run_files.classifier_metadata(arguments, classes, model, source.size)
    run_files.save_classifier(arguments.checkpoint, model, metadata)
    run_files.write_history(arguments.history, history)
    ids = [sample.id for sample in samples["test"]]
    labels = sets["test"].labels
    run_files.write_predictions(arguments.predictions, ids, labels, logits["test"], classes)
    facts = {"training_images": len(sets["train"]), "epochs": run_files.epochs_made(history)}
    run_files.write_record(arguments.record, runtime, started, **facts)
