"""The whole workflow as SLURM jobs, each in its container."""

import re

import pytest
from machines import OVERLAY, checked, copy_repository, snakemake, tables

# Every GPU rule asks for one by --gpus; this one as on clusters that only know --gres.
GRES_RULE = "pretrain_prcc_feature"


@pytest.fixture(scope="module")
def folder(images, tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("slurm"))


@pytest.fixture(scope="module")
def jobs_before(slurm) -> int:
    """The id of the last job of other tests."""
    listed = checked("squeue", "--noheader", "--states=all", "--format=%i").split()
    return max(map(int, listed), default=0)


@pytest.fixture(scope="module")
def output(jobs_before, folder):
    """device: auto asks for a GPU where there may be one; without one the jobs compute on the CPU."""
    return snakemake(
        *(folder, "--profile", "profiles/slurm", "--configfile", OVERLAY),
        *("--config", "compute={device: auto, precision: float32, threads: 1}"),
        *("--set-resources", f"{GRES_RULE}:gpu=0", f"{GRES_RULE}:gres=gpu:1"),
        *("--slurm-init-seconds-before-status-checks", "3"),
    )


def finished_jobs(jobs_before: int) -> dict[str, dict[str, str]]:
    """What SLURM knows of the jobs that it ran: per comment (rule and wildcards) its request and end."""
    listed = checked(
        *("squeue", "--noheader", "--states=all"),
        *(
            "--Format",
            "JobID:10|,Comment:120|,State:20|,tres-per-job:30|,tres-per-node:30|,MinMemory:10|,TimeLimit:14|",
        ),
    )
    jobs = {}
    for line in listed.splitlines():
        job, comment, *facts = (field.strip() for field in line.split("|"))
        if comment.startswith("rule_") and int(job) > jobs_before:
            jobs[comment] = dict(
                zip(("state", "per_job", "per_node", "memory", "limit"), facts, strict=False)
            )
    return jobs


def test_the_workflow_ends_with_the_summary(output, folder):
    assert len(tables(folder / "results")) > 15
    assert "resnet" in (folder / "results/summary.md").read_text()


def test_jobs_run_with_their_resources_and_names_that_tell_the_run(output, jobs_before):
    jobs = finished_jobs(jobs_before)
    names = {re.sub("_wildcards.*", "", comment).removeprefix("rule_") for comment in jobs}
    assert {
        "train_classifier",
        "pretrain_resnet_cam16",
        GRES_RULE,
        "pack_images",
        "summarize",
    } <= names
    assert {job["state"] for job in jobs.values()} == {"COMPLETED"}
    run = next(job for name, job in jobs.items() if "train_classifier" in name)
    assert run["per_job"] in ("gres:gpu:1", "gpu:1")
    assert run["memory"] == "8000M" and run["limit"] == "8:00:00"
    assert any(
        all(word in name for word in ("train_classifier", "resnet", "10", "1")) for name in jobs
    )
    by_gres = next(job for name, job in jobs.items() if GRES_RULE in name)
    assert by_gres["per_job"] in ("N/A", "") and "gpu:1" in by_gres["per_node"]
    assert "gpu" not in next(job for name, job in jobs.items() if "summarize" in name)["per_job"]


def test_what_needs_the_network_stays_on_the_head_node(output, jobs_before):
    assert not [name for name in finished_jobs(jobs_before) if "fetch_weights" in name]
    assert "localrule fetch_weights" in output


def test_the_table_is_that_of_one_machine(output, folder):
    """In containers, too, so that no other software plays a part."""
    snakemake(
        *(folder, "--profile", "profiles/apptainer", "--cores", "2", "--configfile", OVERLAY),
        *("--config", "pathvars={results: results/one_machine}"),
    )
    here, there = tables(folder / "results/one_machine"), tables(folder / "results")
    assert here == there
