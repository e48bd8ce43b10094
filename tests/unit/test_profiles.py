"""Profiles do not merge: each must say everything that it relies on."""

import re
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILES = {path.parent.name: path for path in (REPOSITORY / "profiles").glob("*/config.yaml")}


def read(name: str) -> dict:
    return yaml.safe_load(PROFILES[name].read_text(encoding="utf-8"))


def test_there_is_one_for_each_way_to_run():
    assert set(PROFILES) == {"default", "apptainer", "slurm"}


@pytest.mark.parametrize("name", ["default", "apptainer", "slurm"])
def test_every_profile_shows_failures_and_repeats_what_was_cut_off(name):
    profile = read(name)
    assert profile["show-failed-logs"] is True
    assert profile["rerun-incomplete"] is True


@pytest.mark.parametrize("name", ["apptainer", "slurm"])
def test_containers_always_get_the_gpu(name):
    profile = read(name)
    assert profile["software-deployment-method"] == ["apptainer"]
    assert "--nv" in profile["apptainer-args"]


def test_the_default_profile_leaves_the_deployment_to_the_command_line():
    assert "software-deployment-method" not in read("default")


def test_memory_and_time_grow_with_the_attempt_and_gpu_and_threads_never():
    defaults = read("slurm")["default-resources"]
    assert all("attempt" in str(value) for value in defaults.values())
    assert "gpu" not in defaults
    for path in sorted((REPOSITORY / "rules").glob("*.smk")):
        text = path.read_text(encoding="utf-8")
        for name in ("mem_mb", "runtime"):
            for value in re.findall(rf"^ +{name}=(.+),$", text, re.M):
                known = re.fullmatch(r"growing\(\d+\)|memory_to_decode", value)
                assert known, f"{path.name}: {name}={value}"
        # Clustering takes none.
        allowed = {"GPU", "GPU if entry.runs_network else 0"}
        assert set(re.findall(r"^ +gpu=(.+),$", text, re.M)) <= allowed


def test_every_rule_that_is_submitted_says_memory_and_time():
    local = {"fetch_weights", "build_container", "check_networks", "list_runs"}
    local |= {"check_images", "check_datasets", "check_leakage", "heed_verdict", "publish_images"}
    local |= {"report_data"}
    checked = []
    texts = [
        path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "rules").glob("*.smk"))
    ]
    for text in texts:
        # One rule, that of pretraining, stands in a loop and gets its names there.
        for part in re.split(r"(?m)^(?= *rule\b)", text)[1:]:
            name = re.match(r" *rule ?(\w*):", part)[1]
            if name not in local:
                assert "mem_mb=" in part and "runtime=" in part, name
                checked.append(name)
    assert len(checked) > 15
    assert checked.count("") == 1
    declared = {
        name
        for text in texts
        for block in re.findall(r"^localrules:\n((?:    \w+,\n)+)", text, re.M)
        for name in re.findall(r"\w+", block)
    }
    assert declared == local


def test_failed_jobs_are_tried_again_and_the_queue_is_asked_by_squeue():
    profile = read("slurm")
    assert profile["executor"] == "slurm"
    assert profile["retries"] >= 1
    assert profile["keep-going"] is True
    assert profile["slurm-requeue"] is True
    assert profile["slurm-status-command"] == "squeue"
    assert profile["latency-wait"] >= 30
    assert "results/logs" in profile["slurm-logdir"]
