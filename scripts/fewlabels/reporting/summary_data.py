"""What the summary is made from: rows of the workflow's tables, and what is asked of them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from fewlabels.core.fractions import by_size
from fewlabels.core.run_sheet import OWN_TEST_SET, in_order
from fewlabels.reporting.tables import Row, missing_row
from fewlabels.statistics.evaluation import UNTESTED
from fewlabels.statistics.over_replicates import SUMMARIES

MEAN = "mean"
#: What stands in the column of seeds for all replicates together.
OVER_REPLICATES = (MEAN, *SUMMARIES)
#: The selection of the published protocol: the best epoch on the test images.
PUBLISHED = "best_test"


@dataclass(frozen=True)
class PretrainedTable:
    """The table of one pretrained classifier.

    Attributes:
        title: behind the table's number.
        quality: rows metric, value, images of the clusters that are its labels; none without clusters.
    """

    name: str
    title: str
    quality: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class SummarySettings:
    """What the summary takes from the config.

    Attributes:
        target_title: what the target's images show, for a heading.
        reported: arm -> published number, or fraction -> published number; per cent.
        titles: arm -> title.
        decimals: of the readable tables.
        alpha, margin, primary, training_pool: as of the comparisons.
        subsets: ``drawn`` or ``given``.
        pretraining_seeds: ``declared``: each pretraining was made once; ``per_replicate``: anew for each.
        test_masks: whether test images are masked: ``off``, or as the ``arm``'s training images.
        predicted_mask_arms: arms that see images through predicted masks.
        starts: backbone -> source of its weights.
        licences: backbone -> licence of its weights, where it is declared.
        transductive: arms whose encoders come from a network that saw test images.
        synthetic: whether the images are drawings.
    """

    target_title: str
    reported: Mapping
    titles: Mapping[str, str]
    decimals: int
    alpha: float
    margin: float
    primary: str
    training_pool: str
    subsets: str
    pretraining_seeds: str
    test_masks: str
    predicted_mask_arms: Collection[str]
    starts: Mapping[str, str]
    licences: Mapping[str, str]
    transductive: Collection[str]
    synthetic: bool

    def marked(self, arm: str) -> str:
        """An arm's name for a table, with what its numbers must not be quoted without."""
        return f"`{arm}` (transductive)" if arm in self.transductive else f"`{arm}`"


@dataclass(frozen=True)
class Tables:
    """What the summary is made from: rows of CSVs, all cells text.

    Attributes:
        metrics: of evaluate.
        comparisons: of compare.
        efficiency: of label_efficiency.
        labels: of count_labels.
        spread: of spread.
        costs: of collect_costs.
        pretrained: the pretrained classifiers, in the order of their tables.
        leakage: of check_leakage.
        primary: the metric of verdicts.
        mask_scores: of predict_masks, of all subsets whose masks are used.
    """

    metrics: list[Row]
    comparisons: list[Row]
    efficiency: list[Row]
    labels: list[Row]
    spread: list[Row]
    costs: list[Row]
    pretrained: list[PretrainedTable]
    leakage: list[Row]
    primary: str
    mask_scores: list[Row] = field(default_factory=list)

    @cached_property
    def runs(self) -> list[Row]:
        """Rows of Table 1 but for baselines, on the target's own test images."""
        return [row for row in self.metrics if row["fraction"] and row["test_set"] == OWN_TEST_SET]

    @cached_property
    def single_runs(self) -> list[Row]:
        """Those of single runs."""
        return [row for row in self.runs if row["replicate"] not in OVER_REPLICATES]

    @property
    def arms(self) -> list[str]:
        """The arms of Table 1, in its order."""
        return in_order(row["arm"] for row in self.runs)

    @property
    def fractions(self) -> list[str]:
        """The fractions of Table 1, in its order."""
        return by_size(row["fraction"] for row in self.runs)

    @property
    def table_of(self) -> dict[str, int]:
        """Pretrained classifier -> number of its table."""
        return {table.name: number for number, table in enumerate(self.pretrained, start=2)}

    @property
    def untested(self) -> list[str]:
        """Classes without test images among the target's own."""
        recalls = (row for row in self.runs if row["metric"].startswith("recall_"))
        return in_order(
            row["metric"].removeprefix("recall_") for row in recalls if row["state"] == UNTESTED
        )

    @property
    def own_comparisons(self) -> list[Row]:
        """Mean comparisons on the target's own test images."""
        wanted = (MEAN, OWN_TEST_SET)
        return [row for row in self.comparisons if (row["replicate"], row["test_set"]) == wanted]

    @property
    def pooled_efficiency(self) -> list[Row]:
        """The rows of label_efficiency.csv of whole curves, on the target's own test images."""
        rows = (row for row in self.efficiency if row["test_set"] == OWN_TEST_SET)
        return [row for row in rows if not row["fraction"]]

    def fractions_by(self, selection: str) -> list[str]:
        """The fractions of which some run's predictions are of the epoch chosen so, the largest first."""
        return by_size(row["fraction"] for row in self.single_runs if row["selection"] == selection)

    @cached_property
    def replicates(self) -> list[str]:
        """The seeds, in their order."""
        return sorted({row["replicate"] for row in self.single_runs}, key=int)

    @cached_property
    def _run_rows(self) -> dict[tuple[str, ...], Row]:
        keys = ("arm", "fraction", "metric", "replicate")
        found: dict[tuple[str, ...], Row] = {}
        for row in self.runs:
            found.setdefault((*(row[key] for key in keys), _protocol(row)), row)
        return found

    @cached_property
    def _comparison_rows(self) -> dict[tuple[str, ...], Row]:
        keys = ("arm", "fraction", "test_set", "metric")
        means = (row for row in self.comparisons if row["replicate"] == MEAN)
        return {tuple(row[key] for key in keys): row for row in means}

    def over_replicates(self, arm: str, fraction: str, metric: str, how: str) -> Row | None:
        """The row of the predictions' metric that stands for all replicates in one of ``OVER_REPLICATES``."""
        return self._run_rows.get((arm, fraction, metric, how, ""))

    def shown(self, arm: str, fraction: str, metric: str, published: bool = False) -> Row:
        """The mean over replicates; of a single one, its own row, whose interval needs no replicates.

        Raises:
            UserError: there is none.
        """
        only = self.replicates[0] if len(self.replicates) == 1 else MEAN
        row = self._run_rows.get((arm, fraction, metric, only, PUBLISHED if published else ""))
        if row is None:
            raise missing_row(arm=arm, fraction=fraction, replicate=only, metric=metric)
        return row

    def comparison(self, row: Row) -> Row | None:
        """The mean comparison of the same arm, fraction, test set and metric."""
        keys = ("arm", "fraction", "test_set", "metric")
        return self._comparison_rows.get(tuple(row[key] for key in keys))

    def counted(self, arm: str, fraction: str, column: str) -> float | None:
        """Mean over replicates of a number of labels.csv; None where it is not known."""
        rows = (row for row in self.labels if (row["arm"], row["fraction"]) == (arm, fraction))
        return mean_of(row[column] for row in rows)


def _protocol(row: Row) -> str:
    return PUBLISHED if row["selection"] == PUBLISHED else ""


def mean_of(cells: Iterable[str]) -> float | None:
    """The mean of the cells that hold a number.

    >>> mean_of(["1", "", "4"]), mean_of([""])
    (2.5, None)
    """
    values = [float(cell) for cell in cells if cell]
    return sum(values) / len(values) if values else None
