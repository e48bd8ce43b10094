"""How far a run is: read from logs and earlier benchmark files, told by lines, in files and terminals."""

import threading
from dataclasses import replace

import pytest

import watch
from fewlabels.workflow.progress import SILENT, Epoch, Snapshot, Step, progress_lines, read_epoch
from fewlabels.workflow.progress_reporter import Reporter

LOG = """\
06:51:30 device cpu, precision float32
06:51:33 epoch 3/20: train_loss 1.7880, train_accuracy 0.2333, test_loss 1.6102; 42 s left
06:51:34 epoch 4/20: train_loss 1.0984, train_accuracy 0.6000, test_loss 1.5812; 400 s left
"""


@pytest.fixture
def step(tmp_path):
    """Makes a training with a log and, if wanted, earlier ones' benchmark files."""

    def step(name: str = "replicate1/resnet_wbc_10", log: str | None = LOG) -> Step:
        path = tmp_path / f"logs/train_classifier/{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        if log is not None:
            path.write_text(log)
        benchmark = tmp_path / f"benchmarks/train_classifier/{name}.tsv"
        return Step("train_classifier", name, str(path), str(benchmark))

    return step


def took(tmp_path, name: str, seconds: float, rule: str = "train_classifier") -> None:
    path = tmp_path / f"benchmarks/{rule}/{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\tmax_rss\n{seconds}\t1\n")


def snapshot(running=(), waiting=(), **more) -> Snapshot:
    return Snapshot(1000.0, 400.0, 50, 8, list(running), list(waiting), **more)


def test_the_last_epoch_of_a_log_is_read(tmp_path, step):
    assert read_epoch(step().log) == Epoch(4, 20, "1.0984", 400.0)
    assert read_epoch(step(log="06:51 device cpu\n").log) is None
    assert read_epoch(tmp_path / "missing.log") is None
    assert read_epoch(step(log="epoch 1/2: loss nan; 3 s left").log) == Epoch(1, 2, "nan", 3.0)
    # Of masks' networks and others, that tell no loss.
    assert read_epoch(step(log="epoch 1/2: accuracy 0.5; 3 s left").log) == Epoch(1, 2, "", 3.0)
    # Of a long log, the end; a half line at its end does not count, nor do bytes that are no text.
    long = "x" * 9000 + LOG + "06:51:35 epoch 5/20: train_loss 0.9"
    assert read_epoch(step(log=long).log) == Epoch(4, 20, "1.0984", 400.0)
    (tmp_path / "bytes.log").write_bytes(b"\xff\x00epoch 1/2: train_loss 1.0; 7 s left\n\xff")
    assert read_epoch(tmp_path / "bytes.log") == Epoch(1, 2, "1.0", 7.0)


def test_each_running_training_has_a_line_and_the_whole_an_estimate(tmp_path, step):
    took(tmp_path, "replicate2/resnet_wbc_10", 100)
    took(tmp_path, "replicate2/resnet_wbc_50", 300)
    waiting = [step(f"replicate{seed}/resnet_wbc_50", None) for seed in (3, 4)]
    lines = progress_lines(snapshot([step()], waiting), 1000.0)
    assert lines == [
        "8 of 50 steps done in 10 min, 1 running, about 17 min left",
        "  train_classifier replicate1/resnet_wbc_10: epoch 4/20, loss 1.0984, 7 min left",
    ]
    # 400 s of the running one beside 300 s, then 300 s more.
    assert "about 10 min left" in progress_lines(snapshot([step()], waiting, at_once=2), 1000.0)[0]


def test_what_was_never_run_is_not_guessed(tmp_path, step):
    new = step("replicate1/x_wbc_1", None)
    line = progress_lines(snapshot([step(log="")], [new]), 1000.0)[0]
    assert line.endswith("1 running, time left not known yet")
    # What is known gives a lower bound, here what the log of the running one says.
    assert progress_lines(snapshot([step()], [new]), 1000.0)[0].endswith("more than 7 min left")
    took(tmp_path, "replicate2/x_wbc_1", 100)
    other = Step("pretrain_a", "a", "", str(tmp_path / "benchmarks/pretrain/a.tsv"))
    lines = progress_lines(snapshot([other], [new]), 1000.0)
    assert lines == [
        "8 of 50 steps done in 10 min, 1 running, more than 2 min left",
        "  pretrain a",
    ]
    took(tmp_path, "a", 60, "pretrain")
    lines = progress_lines(snapshot([other], [new]), 1000.0)
    assert lines[0].endswith("about 3 min left")
    assert progress_lines(snapshot(), 1000.0)[0].endswith("about 0 s left")


def test_steps_without_epochs_come_last_and_are_counted_where_there_are_many(step):
    quiet = [step(f"replicate{n}/a", "started\n") for n in range(3)]
    queued = step("replicate1/b", None)
    running = [*quiet, queued, step()]
    lines = progress_lines(snapshot(running), 1000.0)
    assert lines[1].endswith("epoch 4/20, loss 1.0984, 7 min left")
    assert lines[2] == "  train_classifier replicate0/a"
    assert lines[-1] == "  train_classifier replicate1/b: not begun"
    assert progress_lines(snapshot(running), 1000.0, most=2)[2:] == [lines[2], "  and 3 more"]


def test_a_run_that_is_over_or_was_killed_says_so():
    for state, word in (("done", "finished"), ("failed", "stopped at a fault")):
        [line] = progress_lines(snapshot(state=state), 9999.0)
        assert line == f"The run {word} after 10 min: 8 of 50 steps done."
    [line] = progress_lines(snapshot(), 1000.0 + SILENT + 1)
    assert line == "No run is going on: the last one was cut off 4 min ago, 8 of 50 steps done."
    assert len(progress_lines(snapshot([]), 1000.0 + SILENT)) == 1


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"time": 1}', "{half", '{"running": [1], "waiting": []}']
)
def test_a_file_that_cannot_be_read_is_no_snapshot(tmp_path, text):
    (tmp_path / ".progress.json").write_text(text)
    assert Snapshot.read(tmp_path) is None


def test_a_snapshot_is_read_as_it_was_written(tmp_path, step):
    assert Snapshot.read(tmp_path) is None
    written = snapshot([step("odd\nname <b>")], [step()], at_once=3)
    written.write(tmp_path)
    assert Snapshot.read(tmp_path) == written


def test_a_reporter_tells_until_its_end(tmp_path, step, monkeypatch):
    monkeypatch.setattr("fewlabels.workflow.progress_reporter.WRITTEN_EVERY", 0.01)
    said, told = [], threading.Event()

    def say(text: str) -> None:
        said.append(text)
        told.set()

    reporter = Reporter(lambda: snapshot([step()]), tmp_path, say, every=0.0)
    reporter.start()
    assert told.wait(10)
    last = reporter.end("failed")
    # Its time is past, so that it reads as a run that was killed.
    assert said[0].startswith("No run is going on")
    assert last == replace(snapshot(), state="failed")
    assert Snapshot.read(tmp_path) == last
    count = len(said)
    assert not reporter._thread.is_alive() and len(said) == count


def test_a_reporter_without_a_place_to_write_says_so_once(tmp_path, monkeypatch):
    monkeypatch.setattr("fewlabels.workflow.progress_reporter.WRITTEN_EVERY", 0.01)
    (tmp_path / "results").write_text("a file")
    said: list[str] = []
    reporter = Reporter(snapshot, tmp_path / "results", said.append, every=0.0)
    reporter.start()
    reporter._thread.join(10)
    assert len(said) == 1 and said[0].startswith("warning: ")


def test_watch_prints_a_snapshot_and_ends_with_the_run(tmp_path, step, capsys, monkeypatch):
    assert watch.main(["--results", str(tmp_path)]) == 1
    assert "no run was started" in capsys.readouterr().err
    monkeypatch.setattr("time.time", lambda: 1000.0)
    snapshot([step("[red]odd[/]")]).write(tmp_path)
    assert watch.main(["--results", str(tmp_path), "--once"]) == 0
    assert "[red]odd[/]: epoch 4/20" in capsys.readouterr().out
    snapshots = [snapshot([step()]), snapshot(state="done")]
    monkeypatch.setattr(watch, "state_of", lambda results: snapshots.pop(0))
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    assert watch.main(["--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("The run finished")
    assert waited == [watch.ELSEWHERE]
