import multiprocessing
import os
from pathlib import Path

from fewlabels.core.gpus import driver_version, take_free_gpu, visible_gpus


def make_driver(folder: Path) -> Path:
    for name in ("0000:41:00.0", "0000:01:00.0"):
        (folder / "gpus" / name).mkdir(parents=True)
    (folder / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27\nGCC version: gcc 12\n"
    )
    return folder


def test_gpus_of_the_driver_are_counted_unless_cuda_is_told_otherwise(tmp_path):
    driver = make_driver(tmp_path)
    assert visible_gpus({}, driver) == ["0000:01:00.0", "0000:41:00.0"]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "1"}, driver) == ["1"]
    for none in ("", "-1", "NoDevFiles"):
        assert visible_gpus({"CUDA_VISIBLE_DEVICES": none}, driver) == []
    assert visible_gpus({}, tmp_path / "absent") == []


def test_the_driver_names_its_version(tmp_path):
    assert driver_version(make_driver(tmp_path)) == "580.65.06"
    assert driver_version(tmp_path / "absent") == "none"


def hold(folder, names, positions, end):
    positions.put(take_free_gpu(names, folder))
    end.wait(30)


def test_jobs_at_the_same_time_take_different_gpus_and_give_them_back(tmp_path):
    names = ["GPU-a", "GPU-b"]
    context = multiprocessing.get_context("fork")
    positions, end = context.Queue(), context.Event()
    jobs = [context.Process(target=hold, args=(tmp_path, names, positions, end)) for _ in names]
    for job in jobs:
        job.start()
    assert sorted(positions.get(timeout=30) for _ in names) == [0, 1]
    third = context.Process(target=hold, args=(tmp_path, names, positions, end))
    third.start()
    assert positions.get(timeout=30) == 0, "all are taken: the first is shared"
    end.set()
    for job in (*jobs, third):
        job.join()
    last = context.Process(target=hold, args=(tmp_path, names, positions, end))
    last.start()
    assert positions.get(timeout=30) == 0
    last.join()


def test_a_lock_is_open_to_every_user_and_one_that_is_not_is_left_alone(tmp_path, monkeypatch):
    before = os.umask(0o077)
    try:
        assert take_free_gpu(["GPU-a"], tmp_path) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "wbc-gpu-GPU-a.lock").stat().st_mode & 0o777 == 0o666
    opened = os.open

    def refused(path, *arguments):
        if "GPU-b" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", refused)
    assert take_free_gpu(["GPU-b", "GPU-c"], tmp_path) == 1
