"""Train a ResNet-18 classifier on the pRCC clusters: the cluster numbers are its classes.

A share of the images, stratified by cluster and drawn by the seed, is held out as its test set: accuracy there
is agreement with the clusters, not with true types.
"""

import argparse
import time
from collections.abc import Sequence

import torch
from sklearn.model_selection import train_test_split

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.data.packed_images import open_packed
from fewlabels.networks.checkpoints import load_encoder
from fewlabels.networks.encoders import Classifier
from fewlabels.training import run_files as runs
from fewlabels.training.loop import train_classifier
from fewlabels.training.runtime import add_compute_arguments, start

ENCODER = "imagenet_resnet18"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--images", required=True, help=".npy of pack_images")
    parser.add_argument("--ids", required=True, help="CSV of pack_images")
    parser.add_argument("--labels", required=True, help="CSV of prcc_clusters")
    parser.add_argument("--weights", required=True, help="state dict of ResNet-18")
    parser.add_argument("--trained", nargs="*", default=[], help="blocks open for updates")
    parser.add_argument("--test-share", type=float, required=True, help="of the images, held out")
    runs.add_training_arguments(parser, classes=False)
    runs.add_result_arguments(parser)
    add_compute_arguments(parser)
    return parser


def split_by_cluster(
    samples: list[runs.Sample], share: float, seed: int
) -> tuple[list[runs.Sample], list[runs.Sample]]:
    """Hold a share out, stratified by cluster.

    Raises:
        UserError: a cluster is too small to be split.
    """
    try:
        train, test = train_test_split(
            samples,
            test_size=share,
            random_state=seed,
            stratify=[sample.label for sample in samples],
        )
    except ValueError as error:
        raise UserError(
            f"the clusters can't be split into train and test ({error}): use more images, fewer "
            "clusters, or another pretraining.prcc_clustered.test_share"
        ) from error
    return train, test


def run(arguments: argparse.Namespace) -> None:
    started = time.perf_counter()
    runtime = start(arguments.device, arguments.precision, arguments.threads)
    samples = [runs.Sample(row["id"], row["cluster"], False) for row in read_csv(arguments.labels)]
    arguments.classes = sorted({sample.label for sample in samples}, key=int)
    images = open_packed(arguments.images, arguments.ids)
    train, test = split_by_cluster(samples, arguments.test_share, arguments.seed)
    sets = {
        name: runs.select(chosen, arguments.classes, images, None, "off", runtime)
        for name, chosen in (("train", train), ("test", test))
    }
    torch.manual_seed(arguments.seed)
    encoder, _ = load_encoder(ENCODER, arguments.weights)
    encoder.open_blocks(arguments.trained)
    model = Classifier({ENCODER: encoder}, len(arguments.classes))
    history = train_classifier(
        model,
        sets["train"],
        {"test": sets["test"]},
        arguments.training,
        runtime,
        arguments.seed,
    )
    recipe = [{"encoder": ENCODER, "trained": list(encoder.trained_blocks)}]
    size = images.array.shape[1]
    runs.save_classifier(
        arguments.checkpoint,
        model,
        runs.classifier_metadata(arguments, arguments.training, recipe, size),
    )
    runs.write_history(arguments.history, history)
    runs.write_predictions(
        arguments.predictions,
        [sample.id for sample in test],
        sets["test"],
        arguments.classes,
        model,
        runtime,
    )
    facts = {"training_images": len(train), "epochs": arguments.training.epochs}
    runs.write_record(arguments.record, runtime, started, **facts)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
