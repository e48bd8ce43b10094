"""A training that failed is a state in every table, and takes neither the table nor other runs with it."""

import json
from types import SimpleNamespace

import pytest
import torch
from builders import predictions_of

from fewlabels.core.errors import UnwritableError, UserError
from fewlabels.core.failed_runs import (
    LONGEST_REASON,
    FailedRunError,
    Failure,
    failure_of,
    is_failed,
    read_log,
    reason_of,
    was_asked_to_leave,
)
from fewlabels.core.files import read_csv
from fewlabels.core.run_sheet import Run
from fewlabels.networks.checkpoints import load_checkpoint, save_checkpoint
from fewlabels.statistics.comparison import obstacle, rows_beside_lost
from fewlabels.statistics.evaluation import score
from fewlabels.statistics.predictions import read_predictions
from fewlabels.workflow import failed_runs, patched_versions
from fewlabels.workflow.failed_runs import FailedRuns, is_given_up, tolerate, try_again

REASON = "error: own.pth is no checkpoint: give another one"
FAILURE = Failure(REASON, ("a", "b"), 3)
LOST = f"failed: {REASON}"


def log(path, *lines: str):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_why_a_training_failed_is_the_last_line_of_its_log(tmp_path):
    path = log(tmp_path / "x.log", "12:00:01 on the CPU", REASON, "", "  ")
    assert reason_of(read_log(path)) == REASON


def test_of_a_traceback_it_is_the_error_though_its_message_has_more_lines(tmp_path):
    lines = ["12:00:01 on the CPU", "Traceback (most recent call last):", '  File "x.py", line 3']
    lines += ["    train()", "torch.OutOfMemoryError: CUDA out of memory.", "See the manual"]
    path = log(tmp_path / "x.log", *lines)
    assert reason_of(read_log(path)) == "torch.OutOfMemoryError: CUDA out of memory."


def test_what_stumbles_behind_the_error_is_no_reason(tmp_path):
    lines = [
        REASON,
        "Exception ignored in atexit callback: <function f>",
        "Traceback (most recent call last):",
    ]
    path = log(tmp_path / "x.log", "12:00:01 on the CPU", *lines, "MemoryError: ")
    assert reason_of(read_log(path)) == REASON
    # Not every such line ends a training.
    path = log(tmp_path / "x.log", "epoch 1", *lines[1:], "MemoryError: ", "epoch 2", REASON)
    assert reason_of(read_log(path)) == REASON


def test_of_one_that_was_killed_it_is_how_far_it_came(tmp_path):
    path = log(tmp_path / "x.log", "12:00:01 error: no", "12:00:02 epoch 3 of 7")
    killed = "ended without an error, as if killed, after: "
    # Without the time, which differs from run to run.
    assert reason_of(read_log(path)) == f"{killed}epoch 3 of 7"
    assert reason_of(read_log(tmp_path / "none.log")) == f"{killed}nothing in its log"


def test_a_long_line_is_cut():
    found = reason_of([f"error: {'x' * 999}"])
    assert len(found) == LONGEST_REASON
    assert found.endswith("x…")


@pytest.mark.parametrize(
    ("last", "asked"),
    [
        ("stopped by SIGTERM: run again to go on", True),
        ("KeyboardInterrupt", True),
        (REASON, False),
    ],
)
def test_one_that_was_asked_to_leave_has_not_failed(last, asked):
    assert was_asked_to_leave(["epoch 1", last]) is asked


def test_files_of_a_failed_run_say_so(tmp_path):
    for kind in ("checkpoint", "record", "predictions"):
        getattr(FAILURE, f"write_{kind}")(tmp_path / kind)
    assert failure_of(tmp_path / "checkpoint") == FAILURE
    assert is_failed(tmp_path / "record")
    assert json.loads((tmp_path / "record").read_text())["attempts"] == 3
    found = read_predictions(tmp_path / "predictions")
    assert (found.lost, found.classes, found.ids) == (LOST, ("a", "b"), ())
    assert not found.diverged


def test_its_checkpoint_is_refused_with_the_reason(tmp_path):
    FAILURE.write_checkpoint(tmp_path / "x.pt")
    with pytest.raises(
        FailedRunError, match=r"x.pt is of a run that failed \(error: own.pth"
    ) as caught:
        load_checkpoint(tmp_path / "x.pt")
    assert caught.value.failure == FAILURE


@pytest.mark.parametrize("content", ["{", "{}", '{"state": "complete"}', "no JSON"])
def test_other_files_are_none_of_a_failed_run(tmp_path, content):
    path = tmp_path / "x.pt"
    path.write_text(content)
    assert failure_of(path) is None
    assert not is_failed(path)
    with pytest.raises(UserError, match="no readable checkpoint"):
        load_checkpoint(path)


def test_a_checkpoint_is_none_of_a_failed_run(tmp_path):
    save_checkpoint(tmp_path / "x.pt", {"a": torch.zeros(1)}, {"state": "complete"})
    assert failure_of(tmp_path / "x.pt") is None
    assert not is_failed(tmp_path / "none.json")


def test_pairs_beside_a_failed_run_are_told_one_by_one():
    one, other = (score(predictions_of("aabb", answers), {}) for answers in ("aabb", "aaba"))
    assert obstacle([one, LOST, "diverged"], [one] * 3) == "1 of 3 diverged, 1 of 3 failed"
    assert obstacle([one, one], [LOST, one]) == "1 of 2 failed of the baseline"
    rows = rows_beside_lost([one, LOST, one], [other, one, "diverged"], ["1", "2", "3"], "accuracy")
    assert [(row["replicate"], row.get("difference"), row.get("state")) for row in rows] == [
        *(("1", 25.0, None), ("2", None, LOST), ("3", None, "baseline diverged"))
    ]


RUNS = [Run("resnet", "wbc", "10", seed, seed) for seed in (1, 2, 3)]
NAMES = ("checkpoint", "history", "predictions", "validation", "record")


@pytest.fixture
def outputs(tmp_path):
    """The outputs of a run, by their names."""

    def of(run: Run) -> dict[str, str]:
        kinds = {"checkpoint": ("models", "pt"), "record": ("records", "json")}
        found = {name: run.path(*kinds.get(name, (name,))) for name in NAMES}
        found |= {"benchmark": run.path("benchmarks", "tsv")}
        return {name: str(tmp_path / path) for name, path in found.items()}

    return of


def test_so_many_runs_may_fail_and_no_more(outputs, tmp_path):
    found = FailedRuns(tmp_path, RUNS, 2, ["a", "b"])
    path = log(tmp_path / "x.log", REASON)
    told = [found.accept(outputs(run), path, 1) for run in RUNS]
    assert [accepted for accepted, _ in told] == [True, True, False]
    assert told[1][1].startswith(
        f"warning: the training resnet_wbc_10 (replicate2) failed: {REASON}"
    )
    assert told[1][1].endswith("2 of 2 that may")
    assert told[2][1].startswith("error: the training resnet_wbc_10 (replicate3) failed")
    assert told[2][1].endswith("replicate1/resnet_wbc_10, replicate2/resnet_wbc_10")
    assert list(found.found()) == RUNS[:2]
    assert not (tmp_path / RUNS[2].path("predictions")).exists()
    for name in ("predictions", "validation"):
        assert read_predictions(outputs(RUNS[0])[name]).lost == LOST
    assert read_csv(outputs(RUNS[0])["history"]) == []
    assert failure_of(outputs(RUNS[0])["checkpoint"]).reason == REASON
    assert (tmp_path / RUNS[0].path("benchmarks", "tsv")).read_text().splitlines() == ["s\tmax_rss"]


def test_where_its_files_cannot_be_written_the_run_ends_in_order(outputs, tmp_path, monkeypatch):
    """Raised in Snakemake's scheduler, the error would cancel all other trainings."""

    def full(_, path):
        raise UnwritableError(f"{path} can't be written: the disk is full")

    monkeypatch.setattr(Failure, "write_checkpoint", full)
    found = FailedRuns(tmp_path, RUNS, 2, ["a", "b"])
    accepted, line = found.accept(outputs(RUNS[0]), log(tmp_path / "x.log", REASON), 1)
    assert not accepted
    assert line.startswith("error: the training resnet_wbc_10 (replicate1) failed")
    assert line.endswith("the disk is full")
    assert found.found() == {}


def test_a_run_without_validation_images_has_no_such_file(outputs, tmp_path):
    files = outputs(RUNS[0])
    path = files.pop("validation")
    assert FailedRuns(tmp_path, RUNS, 1, ["a"]).accept(files, tmp_path / "no.log", 1)[0]
    assert not (tmp_path / path).exists()


def test_a_run_that_was_asked_to_leave_leaves_no_files(outputs, tmp_path):
    path = log(tmp_path / "x.log", "stopped by SIGTERM: run again to go on")
    found = FailedRuns(tmp_path, RUNS, 1, ["a"])
    assert found.accept(outputs(RUNS[0]), path, 1) == (False, "")
    assert found.found() == {}


def test_where_fewer_may_fail_all_failed_ones_are_tried_again(outputs, tmp_path):
    for run in RUNS[:2]:
        FailedRuns(tmp_path, RUNS, 2, ["a"]).accept(outputs(run), tmp_path / "no.log", 1)
    assert FailedRuns(tmp_path, RUNS, 2, ["a"]).to_try_again() == []
    again = [outputs(run)["record"] for run in RUNS[:2]]
    assert FailedRuns(tmp_path, RUNS, 1, ["a"]).to_try_again() == again
    # Those of runs that the config no longer has are nobody's.
    assert FailedRuns(tmp_path, RUNS[2:], 0, ["a"]).to_try_again() == []


def job_of(files: dict[str, str], path, **more):
    output = SimpleNamespace(items=lambda: [(key, files[key]) for key in NAMES])
    job = {"output": output, "benchmark": files["benchmark"], "log": [path], "attempt": 2}
    job |= {"restart_times": 1, "rule": SimpleNamespace(name="train_classifier")}
    job |= {"is_group": lambda: False, "postprocess": lambda error: "removed"} | more
    return SimpleNamespace(**job)


class Scheduler:
    """What the patch needs of Snakemake's, and what it is told."""

    def __init__(self):
        self.workflow = SimpleNamespace(async_run=lambda done: self.seen.append(done))
        self._tofinish, self._user_kill, self.seen = [], None, []
        self._open_jobs = SimpleNamespace(release=lambda: self.seen.append("next"))

    def _handle_error(self, job, postprocess_job=True):
        self.seen.append(("failed", postprocess_job))


@pytest.fixture
def scheduler(monkeypatch):
    patched = type("JobScheduler", (Scheduler,), {})
    module = SimpleNamespace(JobScheduler=patched)
    monkeypatch.setattr(failed_runs.importlib, "import_module", {failed_runs.SCHEDULER: module}.get)
    return patched


def test_the_scheduler_goes_on_behind_a_run_that_may_fail(scheduler, outputs, tmp_path):
    said = []
    tolerate(FailedRuns(tmp_path, RUNS, 1, ["a"]), said.append)
    mine = scheduler()
    path = log(tmp_path / "x.log", REASON)
    first, second = (job_of(outputs(run), path) for run in RUNS[:2])
    mine._handle_error(first)
    assert mine._tofinish == [first]
    assert mine.seen == ["removed", "next"]
    mine._handle_error(second)
    assert mine._tofinish == [first]
    assert mine.seen[2:] == ["removed", ("failed", False)]
    assert [line.split(":")[0] for line in said] == ["warning", "error"]


@pytest.mark.parametrize(
    "other",
    [
        {"restart_times": 2},
        {"rule": SimpleNamespace(name="pretrain_x")},
        {"is_group": lambda: True},
    ],
)
def test_other_failures_are_as_they_were(scheduler, outputs, tmp_path, other):
    tolerate(FailedRuns(tmp_path, RUNS, 9, ["a"]), pytest.fail)
    mine = scheduler()
    mine._handle_error(job_of(outputs(RUNS[0]), tmp_path / "x.log", **other))
    assert mine.seen == [("failed", True)]
    assert not (tmp_path / RUNS[0].path("predictions")).exists()


def test_nothing_fails_where_the_user_stops_the_workflow(scheduler, outputs, tmp_path):
    mine = scheduler()
    job = job_of(outputs(RUNS[0]), tmp_path / "x.log")
    assert is_given_up(mine, job)
    mine._user_kill = "graceful"
    assert not is_given_up(mine, job)


def test_without_the_key_or_with_another_snakemake_it_is_left_as_it_is(
    scheduler, tmp_path, monkeypatch, caplog
):
    handle = scheduler._handle_error
    tolerate(FailedRuns(tmp_path, RUNS, 0, ["a"]), print)
    assert scheduler._handle_error is handle
    monkeypatch.setattr(patched_versions, "version", {"snakemake": "9.28.0"}.get)
    tolerate(FailedRuns(tmp_path, RUNS, 1, ["a"]), print)
    assert scheduler._handle_error is handle
    assert "takes the table with it" in caplog.text


class Planner:
    def __init__(self, targets):
        self.targets, self.forcefiles = targets, {"a"}


def test_more_failed_runs_than_may_are_planned(outputs, tmp_path, monkeypatch):
    planner = type("DAG", (Planner,), {})
    module = SimpleNamespace(DAG=planner)
    monkeypatch.setattr(failed_runs.importlib, "import_module", {failed_runs.PLANNER: module}.get)
    FailedRuns(tmp_path, RUNS, 1, ["a"]).accept(outputs(RUNS[0]), tmp_path / "no.log", 1)
    try_again(FailedRuns(tmp_path, RUNS, 1, ["a"]))
    assert planner("x").forcefiles == {"a"}
    try_again(FailedRuns(tmp_path, RUNS, 0, ["a"]))
    assert planner("x").forcefiles == {"a", outputs(RUNS[0])["record"]}


def test_the_patch_fits_the_installed_snakemake():
    scheduler = pytest.importorskip(failed_runs.SCHEDULER).JobScheduler
    names = {"_tofinish", "_open_jobs", "_user_kill", "_handle_error", "workflow"}
    code = (scheduler.__init__.__code__, scheduler._error_jobs.__code__)
    assert names <= {name for one in code for name in (*one.co_names, *one.co_varnames)}
