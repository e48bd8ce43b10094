"""Where a process computes, and that it asks for nothing that is not there."""

import argparse
import json
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from fewlabels.core import gpus
from fewlabels.core.errors import UserError
from fewlabels.training import runtime as module


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_a_gpu_that_is_not_there_is_one_line(no_gpu):
    with pytest.raises(UserError, match="torch sees no GPU: set it to auto or cpu"):
        module.start("cuda", "auto", 1)


def test_auto_without_a_gpu_is_the_cpu(no_gpu):
    assert module.start("auto", "float32", 1).device == torch.device("cpu")


def test_auto_with_a_gpu_is_the_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    runtime = module.start("auto", "auto", 1)
    assert runtime.device.type == "cuda"
    assert runtime.precision is torch.bfloat16
    assert runtime.record()["device"] == "a GPU"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert module.start("cuda", "auto", 1).precision is torch.float32
    # Asked for the CPU, it stays there.
    assert module.start("cpu", "float32", 1).device.type == "cpu"


def test_of_several_gpus_each_job_takes_a_free_one(monkeypatch, tmp_path):
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=f"unit-{index}")
    )
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(tmp_path))
    # One process opens each lock anew, so its own locks keep it away from what it has.
    chosen = [module.start("cuda", "float32", 1) for _ in range(2)]
    assert [runtime.device for runtime in chosen] == taken
    assert [runtime.record()["device"] for runtime in chosen] == ["GPU 0", "GPU 1"]


@pytest.mark.parametrize(
    ("asked", "hardware", "precision"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("float32", True, torch.float32),
        ("bfloat16", False, torch.bfloat16),
    ],
)
def test_precision_on_the_cpu(monkeypatch, asked, hardware, precision):
    monkeypatch.setattr(module, "cpu_has_bfloat16", lambda: hardware)
    assert module.start("cpu", asked, 1).precision is precision


@pytest.mark.parametrize(
    ("precision", "dtype"), [(torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16)]
)
def test_products_run_in_the_precision(precision, dtype):
    runtime = module.Runtime(torch.device("cpu"), precision, 1)
    values = torch.ones(2, 2)
    with runtime.autocast(nn.Linear(2, 2)):
        assert (values @ values).dtype is dtype


@pytest.mark.parametrize(
    ("asked", "training", "evaluation"),
    [
        # Depthwise convolutions train faster in float32 on a CPU, whatever it has.
        ("auto", torch.float32, torch.bfloat16),
        ("bfloat16", torch.bfloat16, torch.bfloat16),
        ("float32", torch.float32, torch.float32),
    ],
)
def test_precision_of_depthwise_networks_in_training_and_evaluation(
    monkeypatch, asked, training, evaluation
):
    monkeypatch.setattr(module, "cpu_has_bfloat16", lambda: True)
    runtime = module.start("cpu", asked, 1)
    network, values = nn.Conv2d(4, 4, 1, groups=4), torch.ones(1, 4, 2, 2)
    for mode, dtype in ((True, training), (False, evaluation)):
        with runtime.autocast(network.train(mode)):
            assert network(values).dtype is dtype


def test_depthwise_networks_train_as_others_on_a_gpu():
    runtime = module.Runtime(torch.device("cuda"), torch.bfloat16, 1, chosen=True)
    assert runtime.precision_of(nn.Conv2d(4, 4, 1, groups=4).train()) is torch.bfloat16


def test_threads_and_determinism_are_set():
    before = torch.get_num_threads()
    try:
        assert module.start("cpu", "float32", 2).threads == 2
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(before)


def test_the_record_is_plain():
    record = module.Runtime(torch.device("cpu"), torch.float32, 3).record()
    assert record["device"] == "cpu"
    assert record["precision"] == "float32"
    assert record["threads"] == 3
    assert record["torch"] == torch.__version__
    assert json.loads(json.dumps(record)) == record


def test_arguments():
    parser = argparse.ArgumentParser()
    module.add_compute_arguments(parser)
    assert vars(parser.parse_args([])) == {"device": "auto", "precision": "auto", "threads": 1}
    with pytest.raises(SystemExit):
        parser.parse_args(["--device", "gpu"])
