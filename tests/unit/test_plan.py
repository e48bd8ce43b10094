from pathlib import Path

import pytest

from fewlabels.workflow.plan import History, Job, benchmark_folders, jobs_of, makespan, plan

DRY_RUN = """\
Building DAG of jobs...
rule train_classifier:
    input: scripts/train_classifier.py
    output: results/models/replicate1/resnet_wbc_10.pt
    benchmark: results/benchmarks/train_classifier/replicate1/resnet_wbc_10.tsv
    wildcards: replicate=1, arm=resnet, fraction=10
    resources: tmpdir=<TBD>, gpu=1, mem_mb=8000, runtime=480
[Mon Nov 23 06:18:21 2026]
localrule fetch_weights:
    output: resources/weights/vgg16_random.pth
    benchmark: results/benchmarks/fetch_weights/vgg16_random.tsv
    resources: tmpdir=/tmp
rule all:
    input: results/summary.csv
    resources: tmpdir=/tmp
Job stats:
"""


def write(folder: Path, name: str, seconds: float) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:10\t100\n")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, "train_classifier/replicate1/resnet_wbc_10.tsv", 100)
    write(tmp_path, "train_classifier/replicate2/resnet_wbc_10.tsv", 200)
    write(tmp_path, "train_classifier/replicate1/resnet_wbc_50.tsv", 900)
    write(tmp_path, "fetch_weights/vgg16_random.tsv", 5)
    write(tmp_path, "broken/x.tsv", 1)
    (tmp_path / "broken/x.tsv").write_text("half a file")
    return tmp_path


def test_the_jobs_of_a_dry_run_are_read():
    assert jobs_of(DRY_RUN) == [
        Job(
            "train_classifier",
            "results/benchmarks/train_classifier/replicate1/resnet_wbc_10.tsv",
            1,
        ),
        Job("fetch_weights", "results/benchmarks/fetch_weights/vgg16_random.tsv", 0),
    ]


def test_pretrainings_are_known_by_their_names_alone(tmp_path):
    """Each is a rule of its own, whose benchmark files lie in one folder."""
    write(tmp_path, "pretrain/resnet_cam16.tsv", 100)
    write(tmp_path, "pretrain/pRCC_autoencoder.tsv", 900)
    cam16 = Job("pretrain_resnet_cam16", f"{tmp_path}/pretrain/resnet_cam16.tsv", 1)
    assert benchmark_folders([cam16]) == [tmp_path]
    history = History(benchmark_folders([cam16]))
    assert history.expect(cam16) == 100
    assert history.expect(Job("pretrain_other", f"{tmp_path}/pretrain/other.tsv", 1)) is None


def test_another_replicates_pretraining_tells_how_long_one_takes(tmp_path):
    write(tmp_path, "pretrain/resnet_cam16_replicate1.tsv", 100)
    write(tmp_path, "pretrain/resnet_cam16_replicate2.tsv", 300)
    history = History([tmp_path])
    for replicate, seconds in ((1, 100), (2, 300), (3, 200)):
        name = f"resnet_cam16_replicate{replicate}"
        job = Job(f"pretrain_{name}", f"{tmp_path}/pretrain/{name}.tsv", 1)
        assert history.expect(job) == seconds
    assert history.expect(Job("pretrain_resnet_cam16", "b/pretrain/resnet_cam16.tsv", 1)) == 200
    assert history.expect(Job("pretrain_resnet", "b/pretrain/resnet_replicate1.tsv", 1)) is None


def test_similar_jobs_tell_how_long_one_takes(folder):
    history = History([folder])
    assert history.expect(Job("train_classifier", "b/replicate3/resnet_wbc_10.tsv", 1)) == 150
    assert history.expect(Job("train_classifier", "b/replicate3/other_wbc_50.tsv", 1)) == 900
    assert history.expect(Job("train_classifier", "b/replicate3/other_wbc_1.tsv", 1)) == 400
    # Of an external test set's predictions the fraction stands before its name.
    assert history.expect(Job("train_classifier", "b/other_wbc_50_on_LISC.tsv", 1)) == 900
    assert history.expect(Job("pretrain", "b/x.tsv", 1)) is None
    assert history.expect(Job("broken", "b/x.tsv", 1)) is None


def test_the_plan_counts_gpu_hours_and_says_what_it_does_not_know(folder):
    jobs = [Job("train_classifier", f"b/replicate{seed}/resnet_wbc_50.tsv", 1) for seed in range(8)]
    lines = plan([*jobs, Job("pretrain", "b/x.tsv", 1)], History([folder]), 4, 0)
    assert lines[1].split() == ["train_classifier", "8", "900.0", "2.00", "2.00"]
    assert "about 0.50 h" in lines[-2]
    assert "pretrain (1)" in lines[-1]
    assert plan([], History([]), 1, 0) == ["nothing to be done"]


def test_overhead_counts_for_every_job(folder):
    job = Job("fetch_weights", "b/vgg16_random.tsv", 0)
    assert "15.0" in plan([job], History([folder]), 1, 10)[1]


def test_places_are_filled_longest_first():
    assert makespan([4, 3, 3], 2) == 6
    assert makespan([], 3) == 0
