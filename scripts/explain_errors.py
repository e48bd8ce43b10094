"""Draw the test images that find_errors chose, each beside a heat map of what spoke for the answer given.

The heat map is of one run, named in the table: orange parts speak for its answer, blue ones for the label (integrated
gradients of the difference of the two logits, Sundararajan et al. 2017). It is of the image as that run sees it, and
as it is, even where predictions are means over flips and turns.
Writes one JSON with all pictures inside (WebP), for the report. Images of external sets whose run sees them through
predicted masks have no heat map.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_json
from fewlabels.core.run_sheet import OWN_TEST_SET, Run, read_run_sheet
from fewlabels.data.pictures import Pictures, open_pictures
from fewlabels.data.predicted_masks import open_predicted_masks
from fewlabels.networks.checkpoints import load_classifier
from fewlabels.networks.heat_maps import heat_maps, open_for_gradients
from fewlabels.reporting.thumbnails import data_uri, overlay
from fewlabels.statistics.shown_errors import DOUBTFUL, HARD, MISTAKE
from fewlabels.training import run_files
from fewlabels.training.masked_pixels import MaskView
from fewlabels.training.runtime import Runtime, start

#: Images of one run whose heat maps are computed at a time.
BATCH = 8

#: A row of the table of find_errors.
Row = dict[str, str]
#: Arm, fraction and replicate of a run.
RunKey = tuple[str, str, str]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with models/")
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--errors", required=True, help="CSV of find_errors")
    parser.add_argument("--label-errors", required=True, help="CSV of find_errors: all test images")
    parser.add_argument("--images", required=True, help=".npy of pack_images, of the target")
    parser.add_argument("--masked", help=".npy of apply_masks, of the target")
    parser.add_argument(
        "--test-masks",
        choices=["off", "arm"],
        default="off",
        help="arm: test images were masked where the arm's training images are",
    )
    parser.add_argument(
        "--predicted-masks",
        action="append",
        nargs=4,
        default=[],
        metavar=("ARM", "FRACTION", "REPLICATE", "NPY"),
        help="masks of predict_masks that a run sees images through; once for each such run",
    )
    parser.add_argument("--external", nargs="*", default=[], help="names of external test sets")
    parser.add_argument("--external-images", nargs="*", default=[], help="their .npy, in order")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    parser.add_argument("--page-data", required=True, help="JSON to write")
    return parser


def explained(row: Row) -> RunKey:
    """The run whose answer is explained; empty texts where no run gives the answer."""
    return row["explained_arm"], row["explained_fraction"], row["explained_replicate"]


class Explainer:
    """Heat maps of shown images, run by run.

    Args:
        sources: test set -> its images.
        masked_copies: whether runs that were trained on masked images were tested on them.
        predicted: run -> file of the masks that it sees images through.
    """

    def __init__(
        self,
        results: Path,
        sources: dict[str, Pictures],
        masked_copies: bool,
        predicted: dict[RunKey, str],
        runtime: Runtime,
    ) -> None:
        self.results = results
        self.sources = sources
        self.masked_copies = masked_copies
        self.predicted = predicted
        self.runtime = runtime

    def of_run(self, run: Run, test_set: str, rows: Sequence[Row]) -> list[np.ndarray]:
        """Heat maps over what a run saw of the images of one test set, uint8 (size, size, 3) each; empty where
        that is not known."""
        path = self.results / run.path("models", "pt")
        model, metadata = load_classifier(path)
        source, classes = self.sources[test_set], metadata["classes"]
        if metadata["image_size"] != source.size:
            raise UserError(
                f"{path} takes images of {metadata['image_size']} pixels, those of {test_set} have {source.size}: "
                "run the workflow again with one images.size"
            )
        seen, view = metadata.get("predicted_masks"), None
        if seen:
            if test_set != OWN_TEST_SET:
                return []
            masks = open_predicted_masks(self.predicted[run.arm, run.fraction, run.replicate])
            view = MaskView(masks, seen["use"], seen["crop_margin"])
        used = metadata["mask_use"] if self.masked_copies and test_set == OWN_TEST_SET else "off"
        samples = [run_files.Sample(row["id"], row["label"], use_mask=True) for row in rows]
        pictures = run_files.pictures_used(samples, source, run_files.test_mask_use(used))
        pixels = run_files.pixels_of(pictures, source, self.runtime, view)
        open_for_gradients(model)
        self.runtime.place(model)
        answers, labels = (
            torch.tensor([classes.index(row[column]) for row in rows], device=self.runtime.device)
            for column in ("predicted", "label")
        )
        drawn = []
        for places in torch.arange(len(rows)).split(BATCH):
            stored = pixels.take(places)
            maps = heat_maps(model, stored.float() / 255, answers[places], labels[places])
            shown = stored[:, :3].permute(0, 2, 3, 1).cpu().numpy()
            drawn += [
                overlay(image, values)
                for image, values in zip(shown, maps.cpu().numpy(), strict=True)
            ]
        return drawn


def by_run(rows: Sequence[Row]) -> dict[tuple[RunKey, str], list[int]]:
    """(run, test set) -> places of the rows that it explains."""
    found: dict[tuple[RunKey, str], list[int]] = {}
    for place, row in enumerate(rows):
        if row["explained_arm"]:
            found.setdefault((explained(row), row["test_set"]), []).append(place)
    return found


def shot(row: Row, heat_map: str | None) -> dict[str, Any]:
    """One shown image, as the page takes it."""
    texts = {key: row[key] for key in ("id", "test_set", "label", "predicted")}
    numbers = {key: float(row[key]) for key in ("probability", "label_probability")}
    counts = {key: int(row[key]) for key in ("wrong", "runs")}
    return texts | numbers | counts | {"run": explained(row), "heat_map": heat_map}


def counts(ranked: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Test set -> its images, and how many of their labels are doubtful."""
    found: dict[str, dict[str, int]] = {}
    for row in ranked:
        of_set = found.setdefault(row["test_set"], {"images": 0, "doubtful": 0})
        of_set["images"] += 1
        of_set["doubtful"] += int(row["doubtful"])
    return found


def page_data(rows: Sequence[Row], maps: dict[int, str], sources: dict[str, Pictures]) -> dict:
    """What the page shows of errors; ``maps``: place of a row -> its heat map as a data URI."""
    shots = [shot(row, maps.get(place)) for place, row in enumerate(rows)]
    mistakes: dict[tuple[str, str, str], list[dict]] = {}
    for row, made in zip(rows, shots, strict=True):
        if row["reason"] == MISTAKE:
            cell = row["arm"], row["fraction"], row["test_set"]
            mistakes.setdefault(cell, []).append(made)
    pictures: dict[str, dict[str, str]] = {}
    for row in rows:
        of_set = pictures.setdefault(row["test_set"], {})
        if row["id"] not in of_set:
            pixels = sources[row["test_set"]].rows([(row["id"], "plain")])[0]
            of_set[row["id"]] = data_uri(pixels)
    return {
        "mistakes": [
            {"arm": arm, "fraction": fraction, "test_set": test_set, "images": images}
            for (arm, fraction, test_set), images in mistakes.items()
        ],
        **{
            reason: [made for row, made in zip(rows, shots, strict=True) if row["reason"] == reason]
            for reason in (DOUBTFUL, HARD)
        },
        "pictures": pictures,
    }


def run(arguments: argparse.Namespace) -> None:
    # In bfloat16 the small differences along the way would be lost.
    runtime = start(arguments.device, "float32", arguments.threads)
    own = [arguments.images, *([arguments.masked] if arguments.masked else [])]
    sources = {OWN_TEST_SET: open_pictures(own)} | {
        name: open_pictures([path])
        for name, path in zip(arguments.external, arguments.external_images, strict=True)
    }
    rows = read_csv(arguments.errors)
    run_of = {(r.arm, r.fraction, r.replicate): r for r in read_run_sheet(arguments.runs)}
    predicted = {
        (arm, fraction, replicate): path
        for arm, fraction, replicate, path in arguments.predicted_masks
    }
    explainer = Explainer(
        Path(arguments.results), sources, arguments.test_masks == "arm", predicted, runtime
    )
    maps: dict[int, str] = {}
    for (key, test_set), places in by_run(rows).items():
        logging.info("%s: %d images of %s", " ".join(key), len(places), test_set)
        drawn = explainer.of_run(run_of[key], test_set, [rows[place] for place in places])
        maps |= dict(zip(places, map(data_uri, drawn), strict=False))
    data = page_data(rows, maps, sources) | {"counts": counts(read_csv(arguments.label_errors))}
    write_json(arguments.page_data, data)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
