"""Predict new images with one trained classifier, or with several together.

  python scripts/predict.py --model results/models/replicate1/lite_cells_100.pt --images FOLDER --out predictions.csv

--images is a folder, of which every picture is predicted, in subfolders too, or a table (CSV; , or ; or tab) with a
column path, relative to the table, and, if wanted, label. Pictures are told, decoded, scaled and made square as those
that the classifier was trained on; of a classifier that sees images through predicted masks, its network of masks
predicts theirs. Several checkpoints, as the replicates of an arm, give the mean of their probabilities.

Written are
  OUT             CSV, one row per image: path, label (only of a table with labels), predicted, p_<class>, entropy (in
                  nats), abstain (1: not sure enough for an answer), calibrated (1: the probabilities were scaled by a
                  temperature), note (nearly black, the first of several pages, ...)
  OUT_left_out    CSV, one row per file without a prediction: path, reason. Their count is said at the end, too
  --page          HTML, one file: counts, and thumbnails of each predicted class: the least sure, and some at random

Probabilities are calibrated by a temperature (Guo et al. 2017). That of a run with validation images is fitted to its
predictions on these, which lie beside its checkpoint. --calibration fits one to labelled predictions in its place: a
file of predictions of the same models on images that they were not trained on, as this script writes it with
--uncalibrated for a table with labels. How well the models do on just those images says nothing any more. Without
either, probabilities are the network's own, mostly too sure, and this is said.

Whether to abstain is decided by --risk, a share of wrong answers that is kept, with probability --confidence, on images
of the same kind as those of --calibration (Geifman & El-Yaniv 2017), or plainly by --min-probability; else it is 0.

Files are decoded by --decoders threads while the network runs on --threads, by default a third of the cores and the
others; memory does not grow with the number of images.
"""

import argparse
import logging
import os
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import zip_longest
from pathlib import Path

from tqdm import tqdm

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import write_csv
from fewlabels.deployment.answers import CALIBRATED, Rule, decide, read_calibration
from fewlabels.deployment.ensemble import Ensemble
from fewlabels.deployment.new_images import (
    Decoding,
    Found,
    WhiteLevel,
    choose_intensities,
    decode,
    decode_ahead,
    find_images,
)
from fewlabels.deployment.prediction import Outcome, predicted_rows, usable
from fewlabels.deployment.predictions_page import write_page
from fewlabels.deployment.thumbnails import SIDE, ClassSample, per_class
from fewlabels.deployment.trained_model import TrainedModel, load
from fewlabels.training.runtime import add_compute_arguments, start

#: Batches of decoded images that wait for the network, at most.
BATCHES_AHEAD = 2
#: Of the cores, for decoding: a cell image of 360 pixels takes about half as long as a small network at 128 pixels.
DECODING_SHARE = 1 / 3


def share(text: str) -> float:
    """A number between 0 and 1."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def white_level(text: str) -> WhiteLevel:
    """``model``, ``auto`` or a number above 0."""
    if text in ("model", "auto"):
        return "model" if text == "model" else "auto"
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def count(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--model", nargs="+", required=True, metavar="CHECKPOINT", help=".pt of train_classifier"
    )
    parser.add_argument(
        "--mask-network",
        nargs="+",
        default=[],
        metavar="CHECKPOINT",
        help=".pt of predict_masks, one for each model, in order; else looked for beside the models that need one",
    )
    parser.add_argument("--images", required=True, metavar="FOLDER|TABLE", help="what to predict")
    parser.add_argument("--out", required=True, help="CSV to write")
    parser.add_argument("--page", help="HTML to write")
    parser.add_argument("--left-out", help="CSV to write, if not beside OUT as OUT_left_out.csv")
    parser.add_argument(
        "--thumbnails", type=int, default=12, help="of each class and kind, on the page"
    )
    probabilities = parser.add_argument_group("probabilities and abstention")
    one = probabilities.add_mutually_exclusive_group()
    one.add_argument("--calibration", metavar="CSV", help="labelled predictions")
    one.add_argument(
        "--uncalibrated", action="store_true", help="leave out the models' own temperatures"
    )
    rule = probabilities.add_mutually_exclusive_group()
    rule.add_argument("--risk", type=share, help="share of wrong answers, such as 0.05")
    rule.add_argument("--min-probability", type=share, help="of the predicted class")
    probabilities.add_argument(
        "--confidence", type=share, default=0.95, help="with which the risk is kept"
    )
    files = parser.add_argument_group("reading files")
    files.add_argument(
        "--white-level",
        type=white_level,
        default="model",
        help="of files of more than 8 bits: model (as the training images), auto (by all of these) or its value",
    )
    files.add_argument("--max-megapixels", type=float, default=50, help="larger ones are left out")
    files.add_argument(
        "--decoders", type=count, help="files decoded at a time, if not by a third of the cores"
    )
    parser.add_argument("--batch-size", type=count, default=64, help="images in one pass")
    add_compute_arguments(parser)
    # Left open: see run.
    parser.set_defaults(threads=None)
    return parser


def load_models(arguments: argparse.Namespace) -> list[TrainedModel]:
    """The models, each with its network of masks.

    Raises:
        UserError: as of :func:`load`, or there are networks of masks, but not one for each model.
    """
    paths, networks = arguments.model, arguments.mask_network
    if networks and len(networks) != len(paths):
        raise UserError(f"--mask-network names {len(networks)} files for {len(paths)} models")
    return [load(path, network) for path, network in zip_longest(paths, networks)]


def own_calibration(ensemble: Ensemble) -> str:
    """What is said of the probabilities without --calibration."""
    if not ensemble.calibrated:
        return "not calibrated, as asked for"
    if ensemble.has_temperatures:
        found = ", ".join(f"{model.temperature:.3g}" for model in ensemble.models)
        return f"temperature {found}, {ensemble.models[0].calibration}"
    reasons = dict.fromkeys(m.calibration for m in ensemble.models if m.temperature is None)
    return f"not calibrated: {'; '.join(reasons)}"


def facts_of(ensemble: Ensemble, rule: Rule, outcome: Outcome, found: Found) -> dict[str, str]:
    """What is said above the page, and in the log."""
    names = "; ".join(model.title for model in ensemble.models)
    facts = {"Model" if len(ensemble.models) == 1 else "Models, averaged": names}
    facts["Probabilities"] = rule.calibration
    if rule.temperature:
        facts["Probabilities"] = f"temperature {rule.temperature:.3g}, {rule.calibration}"
    if rule.least is not None:
        facts["Abstains"] = (
            f"below a probability of {rule.least:.4g} ({rule.why}): {outcome.abstained} of {outcome.images} images"
        )
    if outcome.labelled:
        accuracy = 100 * outcome.right / outcome.labelled
        facts["Accuracy"] = f"{accuracy:.1f} % of {outcome.labelled} images with a label"
    if outcome.unknown:
        facts["Labels of no class"] = ", ".join(sorted(outcome.unknown))
    if outcome.noted:
        facts["Images with a note"] = str(outcome.noted)
    bad = sum(not one.harmless for one in outcome.left_out)
    if outcome.left_out:
        others = len(outcome.left_out) - bad
        facts["Without a prediction"] = f"{bad} files, and {others} that are no pictures"
    return facts


def warn_of(ensemble: Ensemble) -> None:
    """Say in what new images differ from those that the models were tested on."""
    if any(model.masked_tests for model in ensemble.models):
        logging.warning(
            "a model was tested on images with their masks applied (experiment.test_masks: arm), and sees these plain: "
            "expect more errors"
        )


def run(arguments: argparse.Namespace) -> None:
    cores = len(os.sched_getaffinity(0))
    decoders = arguments.decoders or max(1, round(DECODING_SHARE * cores))
    network_threads = arguments.threads or max(1, cores - decoders)
    runtime = start(arguments.device, arguments.precision, network_threads)
    models = load_models(arguments)
    own = not (arguments.uncalibrated or arguments.calibration)
    ensemble = Ensemble(models, runtime, calibrated=own)
    warn_of(ensemble)
    calibration = None
    if arguments.calibration:
        calibration = read_calibration(Path(arguments.calibration), ensemble.classes)
    rule = decide(arguments, calibration, own_calibration(ensemble))
    found = find_images(Path(arguments.images))
    first = models[0]
    how = Decoding(
        first.size,
        first.resize,
        arguments.max_megapixels,
        choose_intensities(
            found.images,
            arguments.white_level,
            first.intensities,
            arguments.max_megapixels,
            cores,
        ),
    )
    wanted = per_class(arguments.thumbnails if arguments.page else 0, len(first.classes))
    outcome = Outcome({name: ClassSample(wanted) for name in first.classes}, list(found.left_out))
    columns = ["path", *(["label"] if found.labelled else []), "predicted"]
    columns += [f"p_{name}" for name in first.classes]
    columns += ["entropy", "abstain", CALIBRATED, "note"]
    ahead = BATCHES_AHEAD * arguments.batch_size
    decoded = decode_ahead(found.images, partial(decode, how=how), decoders, ahead)
    with (
        closing(decoded),
        tqdm(total=len(found.images), unit=" images", desc="predict", mininterval=1) as progress,
    ):
        some = usable(decoded, outcome, progress.update)
        rows = predicted_rows(some, ensemble, rule, arguments.batch_size, outcome)
        write_csv(arguments.out, columns, ({key: row[key] for key in columns} for row in rows))
    out = Path(arguments.out)
    left_out = arguments.left_out or out.with_name(f"{out.stem}_left_out.csv")
    outcome.left_out.sort(key=lambda one: one.path)
    reasons = ({"path": one.path, "reason": one.reason} for one in outcome.left_out)
    write_csv(left_out, ["path", "reason"], reasons)
    if not outcome.images:
        raise UserError(
            f"--images: no picture of {arguments.images} can be read: {left_out} says why"
        )
    facts = facts_of(ensemble, rule, outcome, found)
    if arguments.page:
        write_page(arguments.page, facts, outcome.samples, outcome.left_out, SIDE)
    for name, value in facts.items():
        logging.info("%s: %s", name, value)
    if outcome.left_out:
        logging.warning("%d files have no prediction: %s says why", len(outcome.left_out), left_out)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
