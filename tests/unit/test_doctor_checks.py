"""Each check of the machine, given what it would find there."""

import types

import pytest
from builders import REPOSITORY

from fewlabels.workflow.cluster_checks import (
    Answer,
    check_apptainer,
    check_slurm,
    check_subordinate_ids,
    check_user_namespaces,
)
from fewlabels.workflow.findings import exit_status, fault, ok, told, warning
from fewlabels.workflow.machine_checks import (
    GB,
    Gpus,
    available_memory,
    check_device,
    check_disk,
    check_gpu,
    check_memory,
)
from fewlabels.workflow.python_checks import (
    SUPPORTED,
    check_packages,
    check_python,
    installed_packages,
    locked_packages,
)

MEMINFO = "MemTotal:       16000000 kB\nMemFree:  100 kB\nMemAvailable:    8000000 kB\n"
LOCK = """\
# comment==1
numpy==2.3.1 \\
    --hash=sha256:00
    # via pandas==9
Ruamel.yaml==0.18 ; python_version >= "3.11" \\
    --hash=sha256:11
torch==2.15.0
"""
NOT_THERE = Answer(None)
SINFO = Answer(0, "gpu* up 4\ncpu down 2\n")


def levels(findings) -> list[str]:
    return [one.level for one in findings]


def test_every_finding_is_one_line_with_its_remedy_and_the_faults_are_counted():
    findings = [
        ok("Python", "3.11"),
        warning("disk", "full", "free some"),
        fault("GPU", "a\nb\x1b[2Jc", "mend\tit"),
    ]
    lines = told(findings)
    assert lines[1] == "warning  disk              full: free some"
    assert lines[2] == "fault    GPU               a b [2Jc: mend it"
    assert lines[-1] == "1 fault and 1 warning: a run would stop at the faults."
    assert told(findings[:2])[-1] == "1 warning: runs go on nevertheless."
    assert told(findings[:1])[-1] == "All is there."
    assert [exit_status(findings[:n]) for n in (1, 2, 3)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 10, 9), "fault"), ((3, 11, 0), "ok"), ((3, 13, 9), "ok"), ((3, 14, 0), "fault")],
)
def test_python_is_one_that_the_packages_are_there_for(version, level):
    assert check_python(version, "/usr/bin/python3").level == level


def test_the_versions_are_those_that_make_environment_takes():
    script = (REPOSITORY / "envs/check_python.sh").read_text()
    first, last = SUPPORTED
    assert f"{first} <= sys.version_info[:2] <= {last}" in script


def test_packages_are_compared_with_the_lock():
    locked = locked_packages(LOCK)
    assert locked == {"numpy": "2.3.1", "ruamel-yaml": "0.18", "torch": "2.15.0"}
    there = {"numpy": "2.3.1", "ruamel-yaml": "0.18", "torch": "2.15.0+cpu", "more": "1"}
    assert check_packages(locked, there, True).level == "ok"
    found = check_packages(locked, there | {"torch": "2.15.0.post1"}, True)
    assert (found.level, "torch 2.15.0.post1 in place of 2.15.0" in found.text) == ("fault", True)
    found = check_packages(locked, {}, False)
    assert found.text == ("there is no .venv yet, 3 of 3 are missing (numpy, ruamel-yaml, torch)")
    many = {f"p{n}": "1" for n in range(9)}
    assert "(p0, p1, p2 and 6 more)" in check_packages(many, {}, True).text


def test_of_two_installed_versions_the_imported_one_counts():
    def distribution(name, version):
        return types.SimpleNamespace(metadata={"Name": name}, version=version)

    found = [distribution("A_b", "2"), distribution("a-b", "1"), distribution(None, "3")]
    assert installed_packages(found) == {"a-b": "2"}


@pytest.mark.parametrize(
    ("free", "level"), [(0.4, "fault"), (1, "warning"), (2.3, "warning"), (2.5, "ok")]
)
def test_the_disk_has_room_for_what_is_needed(free, level):
    found = check_disk("disk", "/a", int(free * GB), 2 * GB, "results")
    assert found.level == level
    assert found.text == f"{free:.1f} GB free at /a, about 2.0 GB needed for results"


def test_memory_is_that_of_the_machine_or_of_its_limit():
    assert available_memory(MEMINFO, {}) == (16000000 * 1024, 8000000 * 1024)
    assert available_memory(MEMINFO, {"max": "max\n"}) == (16000000 * 1024, 8000000 * 1024)
    limited = {"max": "4000000000\n", "current": "1000000000\n"}
    assert available_memory(MEMINFO, limited) == (4e9, 3e9)
    assert available_memory("", {}) is None


@pytest.mark.parametrize(
    ("available", "at_once", "level"),
    [(1.4, 1, "fault"), (1.6, 1, "ok"), (1.6, 2, "warning"), (3.1, 2, "ok")],
)
def test_memory_is_enough_for_the_trainings_at_a_time(available, at_once, level):
    found = check_memory((8 * GB, available * GB), at_once)
    assert found.level == level
    assert ("--cores 1 " in found.remedy) == (level == "warning")
    assert check_memory(None, 1).level == "ok"


WORKS = {"version": "2.15", "cuda": "13.2", "available": True}
FAILS = {"version": "2.15", "cuda": "13.2", "available": False, "error": "driver too old"}


@pytest.mark.parametrize(
    ("device", "visible", "torch", "level", "part"),
    [
        ("cpu", ["0"], FAILS, "ok", "not asked for"),
        ("auto", [], WORKS, "ok", "on the CPU"),
        ("cuda", [], WORKS, "fault", "no GPU is here (compute.device: cuda): set"),
        (
            "auto",
            ["0"],
            WORKS,
            "ok",
            "NVIDIA H100, 80 GiB, driver 570.1, torch 2.15 with CUDA 13.2",
        ),
        ("auto", ["0"], FAILS, "warning", "can't use it (driver too old)"),
        ("cuda", ["0"], FAILS, "fault", "can't use it"),
        ("cuda", ["0"], None, "ok", "torch is not installed yet"),
    ],
)
def test_a_gpu_is_one_that_torch_can_use(device, visible, torch, level, part):
    listed = ["NVIDIA H100, 80 GiB"] if visible else []
    found = check_gpu(Gpus(visible, "570.1", listed, torch), device)
    assert (found.level, part in found.message) == (level, True)


def test_before_a_run_a_gpu_is_looked_for_where_it_is_asked_for():
    assert check_device("cuda", []).level == "fault"
    assert check_device("cuda", ["0"]).level == check_device("auto", []).level == "ok"


def test_apptainer_is_missed_where_it_is_needed():
    assert check_apptainer(NOT_THERE, False).level == "ok"
    assert check_apptainer(NOT_THERE, True).level == "fault"
    assert (
        check_apptainer(Answer(0, "apptainer version 1.4\n"), True).text == "apptainer version 1.4"
    )
    assert check_apptainer(Answer(127, "\nlibseccomp: missing\n"), False).level == "fault"


@pytest.mark.parametrize(
    ("settings", "tried", "root", "level"),
    [
        ({}, Answer(1, "denied"), True, "ok"),
        ({"user/max_user_namespaces": "0"}, Answer(0), False, "ok"),
        ({}, NOT_THERE, False, "ok"),
        ({"user/max_user_namespaces": "0\n"}, NOT_THERE, False, "fault"),
        ({"kernel/apparmor_restrict_unprivileged_userns": "1\n"}, Answer(1), False, "fault"),
        ({}, Answer(1, "unshare: denied"), False, "fault"),
    ],
)
def test_an_ordinary_user_may_make_namespaces(settings, tried, root, level):
    found = check_user_namespaces(settings, tried, root, wanted=True)
    assert found.level == level
    less = "warning" if level == "fault" else "ok"
    assert check_user_namespaces(settings, tried, root, wanted=False).level == less
    for key, value in settings.items():
        if level == "fault":
            assert f"{key.replace('/', '.')} is {value.strip()}" in found.text


@pytest.mark.parametrize(
    ("subuid", "subgid", "lacking"),
    [
        ("ann:100000:65536\n", "1000:100000:65536\n", []),
        ("anna:100000:65536\n", "ann:1:1\n", ["/etc/subuid"]),
        (None, None, ["/etc/subuid", "/etc/subgid"]),
    ],
)
def test_building_images_takes_subordinate_ids(subuid, subgid, lacking):
    texts = {"/etc/subuid": subuid, "/etc/subgid": subgid}
    files = {name: text for name, text in texts.items() if text is not None}
    found = check_subordinate_ids(files, "ann", 1000, root=False)
    assert found.level == ("warning" if lacking else "ok")
    assert all(name in found.text for name in lacking)
    assert check_subordinate_ids(files, "root", 0, root=True).level == "ok"


@pytest.mark.parametrize(
    ("partitions", "level"),
    [
        (NOT_THERE, "fault"),
        (Answer(1, "sinfo: error: no controller"), "fault"),
        (Answer(0, "cpu down 2\n"), "fault"),
        (Answer(0, ""), "fault"),
        (SINFO, "ok"),
    ],
)
def test_slurm_has_partitions_that_are_up(partitions, level):
    found = check_slurm(partitions, Answer(0), NOT_THERE, wanted=True)
    assert found[0].level == level
    not_wanted = check_slurm(partitions, Answer(0), NOT_THERE, wanted=False)[0].level
    assert not_wanted == ("ok" if partitions in (NOT_THERE, SINFO) else "warning")


def test_slurm_tells_of_accounting_defaults_and_ages():
    accounting = Answer(1, "Slurm accounting storage is disabled\n")
    age = Answer(0, "MessageTimeout = 10 sec\nMinJobAge               = 2 sec\n")
    found = check_slurm(Answer(0, "gpu up 4\n"), accounting, age, wanted=True)
    assert levels(found) == ["ok", "warning", "ok", "warning"]
    assert "gpu (4 nodes)" in found[0].text
    assert "slurm_partition" in found[1].remedy
    assert "Slurm accounting storage is disabled" in found[2].text
    assert "2 s only" in found[3].text
    good = Answer(0, "MinJobAge               = 300 sec\n")
    assert levels(check_slurm(SINFO, Answer(0), good, wanted=True)) == ["ok", "ok"]
