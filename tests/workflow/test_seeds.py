"""The seeds of every run, as the commands of a dry run give them: what is drawn by which of a run's two seeds."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Workflow, copy_repository
from printed_commands import Job, read_jobs

import draw_subsets
from fewlabels.core.run_sheet import Run, read_run_sheet

#: Of one arm that needs the target alone; three seeds, two of which are crossed at 10 per cent.
ONE_ARM = """
experiment: {arms: [resnet], replicates: [1, 2, 5], crossed: {replicates: [1, 2], fractions: [10]},
  selection: validation}
"""
DRAWN = ["--config", "subsets={fractions: [100, 10]}"]
GIVEN = ["--config", "subsets={fractions: [100, 10], source: given, given: {'10': WBC_10}}"]
#: (fraction, replicate) -> seed of the subset, seed of the initialisation.
TABLED = {(fraction, str(seed)): (seed, seed) for fraction in ("100", "10") for seed in (1, 2, 5)}
CROSSED = {("10", "1x2"): (1, 2), ("10", "2x1"): (2, 1)}


class Plan:
    """The jobs of a dry run, and the run sheet that its command makes."""

    def __init__(self, workflow: Workflow, options: list[str]) -> None:
        (workflow.folder / "one_arm.yaml").write_text(ONE_ARM)
        (workflow.folder / "resources/synthetic/images/WBC_10").mkdir(parents=True)
        overlays = ("--configfile", "tests/tiny.yaml", "one_arm.yaml")
        done = workflow.snakemake("--dry-run", "--printshellcmds", *overlays, *options)
        assert done.returncode == 0, done.stdout[-6000:]
        self.jobs = read_jobs(done.stdout)
        (sheet,) = self.of("list_runs")
        (workflow.folder / "results").mkdir()
        subprocess.run([sys.executable, *sheet.words], cwd=workflow.folder, check=True)
        self.sheet = read_run_sheet(workflow.folder / "results/runs.csv")

    def of(self, rule: str) -> list[Job]:
        return [job for job in self.jobs if job.rule == rule]

    def trainings(self) -> dict[tuple[str, str], Job]:
        """(fraction, replicate) -> its training."""
        jobs = self.of("train_classifier")
        found = {(job.pairs["fraction"], job.pairs["replicate"]): job for job in jobs}
        assert len(found) == len(jobs)
        return found

    def subset_of(self, training: Job) -> Job:
        """The job that draws the subset of a training."""
        path = training.value("subset")
        (job,) = [job for job in self.of("draw_subsets") if job.value("subset") == path]
        return job


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Plan:
    return Plan(copy_repository(tmp_path_factory.mktemp("drawn")), DRAWN)


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Plan:
    return Plan(copy_repository(tmp_path_factory.mktemp("given")), GIVEN)


def seeds_of(plan: Plan) -> dict[tuple[str, str], tuple[int, int]]:
    """(fraction, replicate) -> seed that draws its subset and validation images, seed of its initialisation."""
    return {
        place: (plan.subset_of(job).value("seed"), job.value("seed"))
        for place, job in plan.trainings().items()
    }


def sheet_of(plan: Plan) -> dict[tuple[str, str], tuple[int, int]]:
    return {
        (run.fraction, run.replicate): (run.subset_seed, run.initialisation_seed)
        for run in plan.sheet
    }


def test_each_replicate_draws_by_its_own_seed(drawn):
    seeds = seeds_of(drawn)
    assert {place: seeds[place] for place in TABLED} == TABLED


def test_a_crossed_run_takes_the_subset_of_the_first_seed_and_starts_from_the_second(drawn):
    assert seeds_of(drawn) == TABLED | CROSSED


def test_the_run_sheet_says_the_same(drawn):
    assert sheet_of(drawn) == seeds_of(drawn)
    crossed = {(run.fraction, run.replicate) for run in drawn.sheet if run.crossed}
    assert crossed == {*CROSSED, ("10", "1"), ("10", "2")}
    assert {(run.fraction, run.replicate) for run in drawn.sheet if run.tabled} == set(TABLED)


def test_a_crossed_run_shares_its_subset_with_the_replicate_of_that_seed(drawn):
    trainings = drawn.trainings()
    for replicate, whose in (("1x2", "1"), ("2x1", "2")):
        subset = trainings["10", replicate].value("subset")
        assert subset == trainings["10", whose].value("subset")
    subsets = {job.value("subset") for job in drawn.of("draw_subsets")}
    assert subsets == {
        f"results/subsets/replicate{seed}/wbc_{fraction}.csv"
        for fraction in ("100", "10")
        for seed in (1, 2, 5)
    }


def test_runs_write_files_of_their_own(drawn):
    """Named by both seeds in the sheet's order, so that 1x2 and 2x1 are not exchanged on the way."""
    for (fraction, replicate), job in drawn.trainings().items():
        subset, initialisation = (TABLED | CROSSED)[fraction, replicate]
        run = Run("resnet", "wbc", fraction, subset, initialisation)
        assert job.value("predictions") == f"results/{run.path('predictions')}"
        assert job.value("checkpoint") == f"results/{run.path('models', 'pt')}"
        assert job.value("validation") == f"results/{run.path('validation')}"


def test_at_100_per_cent_too_validation_images_are_drawn_by_the_seed_of_the_replicate(drawn):
    seeds = {
        (job.pairs["fraction"], job.pairs["replicate"]): (
            job.value("seed"),
            job.value("validation_share"),
        )
        for job in drawn.of("draw_subsets")
    }
    assert seeds == {(f, str(s)): (s, 0.2) for f in ("100", "10") for s in (1, 2, 5)}


def test_a_given_subset_is_the_same_for_all_replicates_and_their_starts_differ(given):
    """At 100 per cent nothing is given: each replicate draws its validation images."""
    assert seeds_of(given) == {
        **{("100", str(seed)): (seed, seed) for seed in (1, 2, 5)},
        **{("10", str(seed)): (0, seed) for seed in (1, 2, 5)},
    }


def test_given_subsets_leave_nothing_to_cross(given):
    assert set(given.trainings()) == set(TABLED)
    assert [run for run in given.sheet if run.crossed] == []


def draw(job: Job) -> list[dict[str, str]]:
    """Run a job's command here; its rows."""
    path = Path(job.value("subset"))
    path.parent.mkdir(parents=True)
    assert draw_subsets.main(job.words[1:]) == 0
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("fraction", ["100", "10"])
def test_the_drawings_themselves_differ_between_seeds(tmp_path, monkeypatch, drawn, fraction):
    """The commands of the dry run, on an index of 100 cells: subsets, and validation images within them."""
    monkeypatch.chdir(tmp_path)
    Path("results/images").mkdir(parents=True)
    rows = [f"{n:03},{n}.png,train,{'AB'[n % 2]},,,\n" for n in range(100)]
    header = "id,path,split,label,mask,mask_foreground,slide\n"
    Path("results/images/wbc_index.csv").write_text(header + "".join(rows))
    Path("results/masked").mkdir()
    Path("results/masked/wbc.csv").write_text("id,state\n")
    jobs = [job for job in drawn.of("draw_subsets") if job.pairs["fraction"] == fraction]
    subsets = [draw(job) for job in jobs]
    assert [len(subset) for subset in subsets] == [int(fraction)] * 3
    chosen = {tuple(row["id"] for row in subset) for subset in subsets}
    assert len(chosen) == (1 if fraction == "100" else 3)
    held_out = {
        tuple(row["id"] for row in subset if row["part"] == "validation") for subset in subsets
    }
    assert [len(part) for part in held_out] == [int(fraction) // 5] * 3
