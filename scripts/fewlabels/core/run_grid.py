"""The grid that the run sheet is drawn up from: few words for many runs, as a command line has an end."""

from collections import Counter
from collections.abc import Iterator
from itertools import permutations

from pydantic import Field

from fewlabels.core.errors import UserError
from fewlabels.core.run_sheet import Run
from fewlabels.core.settings import Section, Seed


class GridArm(Section):
    """An arm of the grid, on one split."""

    name: str
    split: str = "given"
    baseline: str = Field("", description="the arm that it is compared with; '': none")


class RunGrid(Section):
    """Every arm with every fraction and seed; and, to tell their spreads apart, pairs of different seeds."""

    target: str
    arms: list[GridArm] = Field(min_length=1)
    fractions: list[str] = Field(min_length=1, description="see core/fractions.py")
    replicates: list[Seed] = Field(min_length=1)
    crossed_replicates: list[Seed] = Field([], description="among `replicates`")
    crossed_fractions: list[str] = Field([], description="among `fractions`")

    def runs(self) -> list[Run]:
        """The run sheet: the table's runs, then those that cross seeds and stand in no table.

        Raises:
            UserError: two runs would write the same files.
        """
        runs = [*self._tabled(), *self._crossed()]
        [(path, count)] = Counter(run.path("models", "pt") for run in runs).most_common(1)
        if count > 1:
            raise UserError(
                f"{count} runs would write {path}: list no arm, fraction or seed twice in the config"
            )
        return runs

    def _tabled(self) -> Iterator[Run]:
        for arm in self.arms:
            for fraction in self.fractions:
                for seed in self.replicates:
                    both = fraction in self.crossed_fractions and seed in self.crossed_replicates
                    yield self._run(arm, fraction, seed, seed, crossed=both)

    def _crossed(self) -> Iterator[Run]:
        for arm in self.arms:
            for fraction in self.crossed_fractions:
                for subset, initialisation in permutations(self.crossed_replicates, 2):
                    yield self._run(
                        arm, fraction, subset, initialisation, tabled=False, crossed=True
                    )

    def _run(
        self, arm: GridArm, fraction: str, subset: int, initialisation: int, **shown: bool
    ) -> Run:
        return Run(
            arm.name,
            self.target,
            fraction,
            subset,
            initialisation,
            split=arm.split,
            baseline=arm.baseline,
            **shown,
        )
