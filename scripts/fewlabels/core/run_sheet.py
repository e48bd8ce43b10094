"""The run sheet: every classifier of the target that is trained, with its seeds and the paths of its files.

It is made once from the config. Rules and scripts take runs and their paths from here and never parse a path.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fewlabels.core.errors import UserError, did_you_mean
from fewlabels.core.files import read_csv, write_csv
from fewlabels.core.fractions import PATTERN

#: The network of masks of a subset, among the models of costs.csv; and the folder of its files.
PREDICTED_MASKS = "predicted_masks"
#: The target's own test images, among the test sets.
OWN_TEST_SET = "test"
#: Columns of a history without any epoch.
HISTORY_COLUMNS = ["epoch", "steps", "train_loss", "train_accuracy", "test_loss", "test_accuracy"]


def run_pattern(target: str) -> str:
    """A run's name below its folders, with Snakemake's wildcards."""
    return f"replicate{{replicate}}/{{arm}}_{target}_{{fraction}}"


def fraction_of(stem: str) -> str:
    """The fraction that the stem of a run's file tells; "" where it is none's.

    >>> fraction_of("resnet_wbc_0.5"), fraction_of("resnet_wbc_5perclass_on_TestA"), fraction_of("resnet_cam16")
    ('0.5', '5perclass', '')
    """
    found = re.search(rf"_({PATTERN})(?:_on_[A-Za-z0-9]+)?$", stem)
    return found[1] if found else ""


def seeds_label(subset_seed: int, initialisation_seed: int) -> str:
    """Label of the replicate with these two seeds.

    >>> seeds_label(1, 2), seeds_label(2, 2)
    ('1x2', '2')
    """
    if subset_seed == initialisation_seed:
        return str(subset_seed)
    return f"{subset_seed}x{initialisation_seed}"


@dataclass(frozen=True)
class Run:
    """One training of the target's classifier.

    Attributes:
        arm: its recipe.
        target: the data set that is classified.
        fraction: how many of the training labels, as text (:mod:`fewlabels.core.fractions`).
        subset_seed, initialisation_seed: of what it draws; equal but for crossed runs.
        split: ``given`` or ``grouped``.
        baseline: the arm that it is compared with; empty where it is the baseline itself or has none.
        tabled: whether it stands in the table of results.
        crossed: whether it is one of the runs that tell the two seeds' spreads apart.
    """

    arm: str
    target: str
    fraction: str
    subset_seed: int
    initialisation_seed: int
    split: str = "given"
    baseline: str = ""
    tabled: bool = True
    crossed: bool = False

    @property
    def replicate(self) -> str:
        """Label of the run's seeds, as in paths and tables."""
        return seeds_label(self.subset_seed, self.initialisation_seed)

    @property
    def name(self) -> str:
        """What the paths of its files share.

        >>> Run("resnet", "wbc", "10", 1, 2).name
        'replicate1x2/resnet_wbc_10'
        """
        return run_pattern(self.target).format(
            replicate=self.replicate, arm=self.arm, fraction=self.fraction
        )

    def path(self, folder: str, ending: str = "csv", test_set: str = OWN_TEST_SET) -> str:
        """Path of one of its files below the results folder.

        >>> Run("resnet", "wbc", "10", 1, 2).path("predictions", test_set="TestA")
        'predictions/replicate1x2/resnet_wbc_10_on_TestA.csv'
        """
        suffix = "" if test_set == OWN_TEST_SET else f"_on_{test_set}"
        return f"{folder}/{self.name}{suffix}.{ending}"

    def subset(self, given: str = "") -> str:
        """Path of the list of its training images below the results folder; the same for all arms of a split.

        Args:
            given: what the name of a given subset ends in.

        >>> Run("resnet", "wbc", "10", 1, 2).subset()
        'subsets/replicate1/wbc_10.csv'
        """
        grouped = "_grouped" if self.split == "grouped" else ""
        folder = f"subsets/replicate{self.subset_seed}"
        return f"{folder}/{self.target}_{self.fraction}{grouped}{given}.csv"


COLUMNS = [field.name for field in fields(Run)]


def write_run_sheet(path: Path | str, runs: Iterable[Run]) -> None:
    """Write runs as CSV, one row each; truth as 1 and 0."""
    rows = (asdict(run) | {"tabled": int(run.tabled), "crossed": int(run.crossed)} for run in runs)
    write_csv(path, COLUMNS, rows)


def read_run_sheet(path: Path | str) -> list[Run]:
    """Read what :func:`write_run_sheet` wrote.

    Raises:
        UserError: the file is missing or no run sheet.
    """
    rows = read_csv(path)
    if not rows or list(rows[0]) != COLUMNS:
        raise UserError(f"{path} is no run sheet: delete it and run again")
    return [_run_of(row) for row in rows]


def _run_of(row: Mapping[str, str]) -> Run:
    return Run(
        arm=row["arm"],
        target=row["target"],
        fraction=row["fraction"],
        subset_seed=int(row["subset_seed"]),
        initialisation_seed=int(row["initialisation_seed"]),
        split=row["split"],
        baseline=row["baseline"],
        tabled=row["tabled"] == "1",
        crossed=row["crossed"] == "1",
    )


def tabled(runs: Iterable[Run]) -> list[Run]:
    """The runs of the table of results."""
    return [run for run in runs if run.tabled]


def crossed(runs: Iterable[Run]) -> list[Run]:
    """The runs that cross subset and initialisation seeds."""
    return [run for run in runs if run.crossed]


def runs_of_arm(runs: Sequence[Run], arm: str) -> list[Run]:
    """The runs of one arm.

    Raises:
        UserError: there are none.
    """
    found = [run for run in runs if run.arm == arm]
    if not found:
        arms = in_order(run.arm for run in runs)
        raise UserError(f"--arm '{arm}' is not among the runs: {did_you_mean(arm, arms)}")
    return found


def in_order(values: Iterable[str]) -> list[str]:
    """Each value once, in the order of the runs."""
    return list(dict.fromkeys(values))


def cells(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    """(arm, fraction) -> its runs, in the sheet's order."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        found.setdefault((run.arm, run.fraction), []).append(run)
    return found
