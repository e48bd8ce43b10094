"""Draw one arm's confusion matrices, one panel per fraction and test set, summed over replicates.

Each cell holds the number of images and is shaded by the share of its row: of the images of a class, how many were
called what. Diverged replicates have no predictions and are left out, as the panel's title then says.
"""

import argparse
from collections.abc import Sequence

import numpy as np

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv
from fewlabels.core.fractions import of_labels
from fewlabels.core.run_sheet import OWN_TEST_SET, cells, read_run_sheet, runs_of_arm, tabled
from fewlabels.reporting.confusion_figure import ConfusionPanel, confusion_matrices


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--confusion", required=True, help="CSV of evaluate")
    parser.add_argument("--runs", required=True, help="CSV of list_runs")
    parser.add_argument("--arm", required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--external", nargs="*", default=[], help="names of external test sets")
    parser.add_argument("--figure", required=True, help="PNG to write")
    return parser


def panel(rows: list[dict[str, str]], title: str, replicates: int) -> ConfusionPanel:
    """Sum the rows of one arm, fraction and test set over replicates."""
    classes = list(dict.fromkeys(row["predicted"] for row in rows))
    place = {name: number for number, name in enumerate(classes)}
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for row in rows:
        matrix[place[row["label"]], place[row["predicted"]]] += int(row["images"])
    found = len({row["replicate"] for row in rows})
    if found < replicates:
        title += f" ({found} of {replicates} replicates)"
    return ConfusionPanel(title, classes, matrix)


def run(arguments: argparse.Namespace) -> None:
    runs = runs_of_arm(tabled(read_run_sheet(arguments.runs)), arguments.arm)
    rows = [row for row in read_csv(arguments.confusion) if row["arm"] == arguments.arm]
    grid = []
    for test_set in (OWN_TEST_SET, *arguments.external):
        line = []
        for (_, fraction), members in cells(runs).items():
            chosen = [r for r in rows if (r["test_set"], r["fraction"]) == (test_set, fraction)]
            title = of_labels(fraction) + ("" if test_set == OWN_TEST_SET else f", {test_set}")
            line.append(panel(chosen, title, len(members)))
        grid.append(line)
    confusion_matrices(arguments.figure, arguments.title, grid)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
