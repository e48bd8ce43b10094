"""How often verdicts and intervals err: simulated experiments with known truth, by the code that the workflow runs.

A row is a setting of simulated_runs.py; each of its tables is a whole experiment: subsets, initialisations and test
images are redrawn. All in per cent, but for points:

- false: tables with any false better or worse, where all arms are equal;
- Hillis: the same tables by the degrees of freedom of Hillis, Berbaum & Metz (2008) in place of Cochran & Cox's;
- before: these with MS_R at least MS_RG, as in version 0.1.0; by image: with images as units in place of slides;
- equivalent: tables with any false equivalence, where all arms truly are just the margin worse;
- means, differences: intervals of the level 95 % that hold the truth;
- points: root mean square of the detectable difference; found: first tests of Holm's that find a true difference of
  just that; found before: the same by the rule of version 0.1.0.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from simulated_runs import (
    SETTINGS,
    HillisEstimate,
    Setting,
    experiments,
    family,
    scored_runs,
)

from fewlabels.statistics import variance_components
from fewlabels.statistics.comparison import BETTER, WORSE, Comparison
from fewlabels.statistics.evaluation import Settings
from fewlabels.statistics.over_replicates import combined_interval
from fewlabels.statistics.predictions import Units, units_of

ALPHA = 0.05
#: Of equivalence, in points: wide enough to be shown in most settings.
MARGIN = 5.0
COLUMNS = (
    "false",
    "Hillis",
    "before",
    "by image",
    "equivalent",
    "means",
    "differences",
    "points",
    "found",
    "found before",
)
#: A difference of more points can't be simulated at every level.
LARGEST_DIFFERENCE = 40.0


@contextmanager
def by_hillis(floor: float | None = None) -> Iterator[None]:
    """Make ``two_way`` give estimates with Hillis' degrees of freedom; ``floor``: MS_R is at least so many MS_RG."""
    with ExitStack() as patches:
        patches.enter_context(patch.object(variance_components, "Estimate", HillisEstimate))
        if floor is not None:
            patches.enter_context(patch.object(variance_components, "FLOOR", floor))
        yield


def tables_of(
    setting: Setting, tables: int, seed: int, units: Units | None = None
) -> list[list[Comparison]]:
    """Decided comparisons of each table, with the setting's units or other ones."""
    # statsmodels collects garbage in every call of Holm's.
    with patch("gc.collect"):
        return [
            family(scored_runs(right, setting, units or setting.units), ALPHA, MARGIN)
            for right in experiments(setting, tables, seed)
        ]


def false_claims(found: list[list[Comparison]]) -> float:
    """Per cent of tables with any verdict better or worse."""
    return 100 * float(
        np.mean([any(item.row["verdict"] in (BETTER, WORSE) for item in table) for table in found])
    )


def false_equivalences(found: list[list[Comparison]]) -> float:
    """Per cent of tables with any difference that is called equivalent."""
    return 100 * float(
        np.mean([any(item.row.get("equivalent") == "true" for item in table) for table in found])
    )


def coverage(found: list[list[Comparison]], truth: float) -> float:
    """Per cent of the intervals of differences that hold the true one."""
    rows = [item.row for table in found for item in table]
    return 100 * float(np.mean([row["low"] <= truth <= row["high"] for row in rows]))


def coverage_of_means(setting: Setting, tables: int, seed: int) -> float:
    """Per cent of the intervals of the baseline's means that hold the expected accuracy."""
    held = []
    for right in experiments(setting, tables, seed):
        for runs in scored_runs(right[:1], setting, setting.units)[0]:
            row = combined_interval(list(runs), "accuracy", Settings(alpha=ALPHA))
            held.append(row["low"] <= setting.level <= row["high"])
    return 100 * float(np.mean(held))


def detectable(found: list[list[Comparison]]) -> float:
    """Root mean square, as squares of standard errors are what is estimated without bias."""
    rows = [item.row for table in found for item in table]
    return float(np.sqrt(np.mean([row["detectable"] ** 2 for row in rows if "detectable" in row])))


def share_found(found: list[list[Comparison]]) -> float:
    """Per cent of comparisons that Holm's first test calls different."""
    return 100 * float(
        np.mean(
            [item.row["p_difference"] < ALPHA / len(table) for table in found for item in table]
        )
    )


def measured(setting: Setting, tables: int, seed: int) -> dict[str, float]:
    """The cells of a setting's row; power and equivalence from half as many tables."""
    equal, half = replace(setting, difference=0.0), max(1, tables // 2)
    found = tables_of(equal, tables, seed)
    cells = {
        **{"false": false_claims(found), "differences": coverage(found, 0.0)},
        **{"means": coverage_of_means(equal, tables, seed), "points": detectable(found)},
    }
    with by_hillis():
        cells["Hillis"] = false_claims(tables_of(equal, tables, seed))
    with by_hillis(1.0):
        cells["before"] = false_claims(tables_of(equal, tables, seed))
    if setting.slides:
        images = units_of(setting.ids, {})
        cells["by image"] = false_claims(tables_of(equal, tables, seed, images))
    worse = replace(setting, difference=-MARGIN)
    cells["equivalent"] = false_equivalences(tables_of(worse, half, seed + 1))
    if cells["points"] < LARGEST_DIFFERENCE:
        # Half above, half below the level, so that the variance is about the same.
        above = min(setting.level + cells["points"] / 2, 99.9)
        shifted = replace(setting, level=above, near=setting.level, difference=-cells["points"])
        cells["found"] = share_found(tables_of(shifted, half, seed + 2))
        with by_hillis(1.0):
            cells["found before"] = share_found(tables_of(shifted, half, seed + 2))
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", type=int, default=1000, help="experiments of each setting")
    parser.add_argument("--quick", action="store_true", help="a tenth of them")
    parser.add_argument("--settings", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    tables = arguments.tables // 10 if arguments.quick else arguments.tables
    print("| setting |", " | ".join(COLUMNS), "|")
    print("|---|" + "---:|" * len(COLUMNS))
    places = {name: place for place, name in enumerate(SETTINGS)}
    jobs = [
        (SETTINGS[name], tables, 1000 * arguments.seed + 10 * places[name])
        for name in arguments.settings
    ]
    with Pool(arguments.workers) as pool:
        for name, cells in zip(
            arguments.settings, pool.imap(_measured, jobs, chunksize=1), strict=True
        ):
            shown = [f"{cells[key]:.1f}" if key in cells else "–" for key in COLUMNS]
            print(f"| {name} |", " | ".join(shown), "|", flush=True)


def _measured(job: tuple[Setting, int, int]) -> dict[str, float]:
    return measured(*job)


if __name__ == "__main__":
    main()
