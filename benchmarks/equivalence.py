"""When can equivalence be shown? By accuracy, spread of replicates and test images, where arms are truly equal.

Each table is a whole experiment of simulated_runs.py (a tenth of what makes images hard is one arm's own), decided by
the code that the workflow runs. Printed is the share of comparisons called equivalent within --margin points and, in
brackets, the standard error of the difference; --comparisons are adjusted together, by Holm. As a rule of thumb a
chance of 80 % takes a standard error of at most margin / (critical + 1.28).
"""

import argparse
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from simulated_runs import Setting, experiments, family, scored_runs

ACCURACIES, SPREADS, IMAGES = (98.0, 95.0, 90.0, 80.0), (0.3, 1.0, 2.0), (1000, 2000)
ALPHA = 0.05


def shown(setting: Setting, tables: int, margin: float, seed: int = 0) -> tuple[float, float]:
    """The share of comparisons shown to be equivalent, and the root mean square of their standard errors, in points."""
    rows = []
    # statsmodels collects garbage in every call of Holm's.
    with patch("gc.collect"):
        for right in experiments(setting, tables, seed):
            runs = scored_runs(right, setting, setting.units)
            rows += [found.row for found in family(runs, ALPHA, margin)]
    equivalent = np.mean([row["equivalent"] == "true" for row in rows])
    return float(equivalent), float(np.sqrt(np.mean([row["error"] ** 2 for row in rows])))


def lines(replicates: int, comparisons: int, tables: int, margin: float) -> list[str]:
    """The table in Markdown."""
    header = ["accuracy", "sd of replicates", *(f"{images:,} images" for images in IMAGES)]
    found = ["| " + " | ".join(header) + " |", "|" + " ---: |" * len(header)]
    for accuracy in ACCURACIES:
        for spread in SPREADS:
            cells = [f"{accuracy:g} %", f"{spread:g}"]
            for images in IMAGES:
                sizes = {"replicates": replicates, "images": images, "fractions": comparisons}
                spreads = {"level": accuracy, "replicate": spread, "subset": spread}
                share, error = shown(Setting(**sizes, **spreads), tables, margin)
                cells.append(f"{100 * share:.0f} % ({error:.2f})")
            found.append("| " + " | ".join(cells) + " |")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--margin", type=float, default=1.0, help="in points")
    parser.add_argument("--comparisons", type=int, default=1, help="adjusted together")
    parser.add_argument("--replicates", type=int, default=5)
    parser.add_argument("--tables", type=int, default=500)
    given = parser.parse_args()
    print("\n".join(lines(given.replicates, given.comparisons, given.tables, given.margin)))


if __name__ == "__main__":
    main()
