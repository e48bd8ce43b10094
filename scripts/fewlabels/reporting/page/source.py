"""What the page is made from: the tables, histories, predictions and indexes of a results folder."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv
from fewlabels.core.run_sheet import OWN_TEST_SET, Run, cells, in_order, read_run_sheet, tabled
from fewlabels.reporting.data_report import DataSet
from fewlabels.reporting.summary_data import PretrainedTable, SummarySettings, Tables
from fewlabels.reporting.tables import Row
from fewlabels.statistics.predictions import Predictions, read_predictions


@dataclass(frozen=True)
class Source:
    """A results folder, and what the page takes from the config.

    Attributes:
        folder: the results.
        settings: as of the summary.
        pretrained: name, title, quality (the table of the clusters that are its labels, or None) of each pretrained
            classifier, in the order of their tables.
        recipes: arm -> its entry of the config, its training with all settings.
        target: the data set that is classified.
        datasets: all that are used, the target first, external test sets last.
        masked: those of which apply_masks looked at masks.
        external: the external test sets.
        mask_scores: paths of tables of predict_masks.
    """

    folder: Path
    settings: SummarySettings
    pretrained: Sequence[Mapping[str, str | None]]
    recipes: Mapping[str, Mapping[str, Any]]
    target: str
    datasets: Sequence[str]
    masked: Sequence[str]
    external: Sequence[str]
    mask_scores: Sequence[str]

    def rows(self, name: str) -> list[Row]:
        """A table below the results folder."""
        return read_csv(self.folder / name)

    def json(self, name: str) -> Any:
        """A JSON file below it.

        Raises:
            UserError: it does not exist.
        """
        path = self.folder / name
        if not path.is_file():
            raise UserError(f"{path} does not exist: run the rule that writes it first")
        return json.loads(path.read_text(encoding="utf-8"))

    @cached_property
    def tables(self) -> Tables:
        """The tables of the summary."""
        return Tables(
            self.rows("metrics/evaluate.csv"),
            self.rows("comparisons.csv"),
            self.rows("label_efficiency.csv"),
            self.rows("labels.csv"),
            self.rows("spread.csv"),
            self.rows("costs.csv"),
            [self._pretrained(entry) for entry in self.pretrained],
            self.rows("leakage/check_leakage.csv"),
            self.settings.primary,
            [row for path in self.mask_scores for row in read_csv(path)],
        )

    def _pretrained(self, entry: Mapping[str, str | None]) -> PretrainedTable:
        quality = read_csv(entry["quality"]) if entry["quality"] else []
        return PretrainedTable(str(entry["name"]), str(entry["title"]), quality)

    @cached_property
    def runs(self) -> list[Run]:
        """Those of the table of results."""
        return tabled(read_run_sheet(self.folder / "runs.csv"))

    @cached_property
    def cells(self) -> dict[tuple[str, str], list[Run]]:
        """(arm, fraction) -> its runs."""
        return cells(self.runs)

    @property
    def arms(self) -> list[str]:
        return in_order(run.arm for run in self.runs)

    def title_of(self, arm: str) -> str:
        """What an arm is, in words; its name where it has no title."""
        return self.settings.titles.get(arm, arm)

    @cached_property
    def confusion(self) -> list[Row]:
        return self.rows("metrics/confusion.csv")

    def histories(self, runs: Iterable[Run]) -> list[list[Row]]:
        """The epochs of each run."""
        return [self.rows(run.path("history")) for run in runs]

    def predictions(self, runs: Iterable[Run]) -> list[Predictions]:
        """Of each run on the target's own test images, but for those that diverged."""
        found = [read_predictions(self.folder / run.path("predictions")) for run in runs]
        return [one for one in found if not one.diverged]

    def record(self, run: Run) -> dict[str, Any]:
        """What a training wrote down about itself."""
        return self.json(run.path("records", "json"))

    @cached_property
    def data_sets(self) -> list[DataSet]:
        """What was read of each data set."""
        return [
            DataSet(
                name,
                self.rows(f"images/{name}_index.csv"),
                self.rows(f"images/{name}_problems.csv"),
                self.rows(f"images/{name}_left_out.csv"),
                self.json(f"images/{name}_reading.json"),
                self.rows(f"masked/{name}.csv") if name in self.masked else None,
            )
            for name in self.datasets
        ]

    @cached_property
    def test_images(self) -> int:
        """How many test images the target has."""
        target = next(data for data in self.data_sets if data.name == self.target)
        return target.images[OWN_TEST_SET]
