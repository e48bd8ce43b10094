"""Find the test images to look at: sure mistakes, labels that are likely wrong, and what most runs get wrong.

Writes two tables. The first names the images that the report shows: of each arm and fraction the mistakes that its
runs, taken together, are surest of; and, of the runs with the most labels of all arms, the likely label errors and
the other images that more than half of these runs get wrong. The second ranks all test images by how much these runs
believe their labels (confident learning, Northcutt et al. 2021): no run has trained on a test image, so that their
probabilities are out of sample. It is a list of images to look at; no result changes by it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import write_csv
from fewlabels.core.run_sheet import OWN_TEST_SET, Run, cells, read_run_sheet, tabled
from fewlabels.statistics.pooled_predictions import Pooled, pool
from fewlabels.statistics.predictions import read_predictions
from fewlabels.statistics.shown_errors import (
    COLUMNS,
    LABEL_COLUMNS,
    Row,
    doubtful_labels,
    hard_images,
    label_table,
    largest_fraction,
    share_of_cell,
    sure_mistakes,
)


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--results", required=True, help="folder with predictions/")
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--external", nargs="*", default=[], help="names of external test sets")
    parser.add_argument(
        "--mistakes", type=int, default=8, help="to show of each arm and fraction, at most"
    )
    parser.add_argument("--most", type=int, default=160, help="mistakes to show in all, about")
    parser.add_argument(
        "--others", type=int, default=24, help="doubtful labels, and hard images, to show of a set"
    )
    parser.add_argument("--errors", required=True, help="CSV to write: the images to show")
    parser.add_argument("--label-errors", required=True, help="CSV to write: all test images")
    return parser


def pooled(results: Path, runs: Sequence[Run], test_set: str) -> Pooled | None:
    """The predictions of runs on one test set; one file after the other is read."""
    return pool(
        read_predictions(results / run.path("predictions", test_set=test_set)) for run in runs
    )


def run(arguments: argparse.Namespace) -> None:
    results = Path(arguments.results)
    runs = tabled(read_run_sheet(arguments.runs))
    test_sets = [OWN_TEST_SET, *arguments.external]
    groups = cells(runs)
    each = share_of_cell(len(groups) * len(test_sets), arguments.most, arguments.mistakes)
    best = largest_fraction(runs)
    shown: list[Row] = []
    ranked: list[Row] = []
    for test_set in test_sets:
        for members in groups.values():
            found = pooled(results, members, test_set)
            shown += sure_mistakes(found, members, test_set, each) if found else []
        together = pooled(results, best, test_set)
        if not together:
            continue
        doubts = doubtful_labels(together, best, test_set, arguments.others)
        seen = [row["id"] for row in doubts]
        shown += doubts + hard_images(together, best, test_set, arguments.others, seen)
        ranked += label_table(together, test_set)
    write_csv(arguments.errors, COLUMNS, shown)
    write_csv(arguments.label_errors, LABEL_COLUMNS, ranked)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
