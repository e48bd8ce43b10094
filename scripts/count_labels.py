"""Count what each run of the table learnt from: labelled images, and optimiser steps.

Reads the lists of training images and the histories of the runs. Writes a CSV with one row per run:
  arm, fraction, replicate, labels, smallest_class, smallest_class_labels, steps, subset, state
labels: training images with their label, without those held out for validation; masked copies are no further labels.
smallest_class: the class with the fewest of them (of several the first by name), and their number.
steps: optimiser steps up to the last evaluated epoch; 0 with a state where a run diverged or failed before the first.
subset: names the set of training images; runs with equal ones were trained on the same images.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.fingerprints import sha256_of_text
from fewlabels.core.run_sheet import read_run_sheet, tabled

COLUMNS = [
    *("arm", "fraction", "replicate", "labels", "smallest_class", "smallest_class_labels"),
    *("steps", "subset", "state"),
]
NOT_EVALUATED = "diverged or failed before the first evaluation"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with subsets/ and history/")
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument(
        "--given",
        type=json.loads,
        default={},
        help="JSON: fraction -> what the names of its given subsets end in",
    )
    parser.add_argument("--labels", required=True, help="CSV to write")
    return parser


def labels_of(path: Path) -> dict[str, object]:
    """The columns that tell of a list of training images.

    Raises:
        UserError: it holds no image.
    """
    train = [row for row in read_csv(path) if row["part"] == "train"]
    if not train:
        raise UserError(f"{path} holds no training image: delete it and run again")
    counts = Counter(row["label"] for row in train)
    smallest = min(counts, key=lambda label: (counts[label], label))
    return {
        "labels": len(train),
        "smallest_class": smallest,
        "smallest_class_labels": counts[smallest],
        "subset": sha256_of_text("\n".join(sorted(row["id"] for row in train)))[:12],
    }


def steps_of(path: Path) -> dict[str, object]:
    """The columns that tell of a history."""
    history = read_csv(path)
    return {"steps": int(history[-1]["steps"])} if history else {"steps": 0, "state": NOT_EVALUATED}


def run(arguments: argparse.Namespace) -> None:
    results = Path(arguments.results)
    runs = tabled(read_run_sheet(arguments.runs))
    subset_of = {run: run.subset(arguments.given.get(run.fraction, "")) for run in runs}
    # Arms of a split share them.
    labels = {name: labels_of(results / name) for name in dict.fromkeys(subset_of.values())}
    rows = (
        {"arm": run.arm, "fraction": run.fraction, "replicate": run.replicate}
        | labels[subset_of[run]]
        | steps_of(results / run.path("history"))
        for run in runs
    )
    write_csv(arguments.labels, COLUMNS, rows)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
