"""Device, precision, threads and seeds of one process."""

import argparse
import ctypes
import logging
import os
import platform
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

# Read by cuBLAS when CUDA starts; without it, its sums may differ from run to run.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import torch
from torch import nn

from fewlabels.core.errors import UserError
from fewlabels.core.gpus import driver_version, take_free_gpu
from fewlabels.networks.encoder import has_depthwise_convolutions
from fewlabels.training.divergence import ReplayFile
from fewlabels.training.unfinished import Unfinished
from fewlabels.training.work_meter import WorkMeter

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


@dataclass(frozen=True)
class Runtime:
    """Where and how a process computes.

    Attributes:
        device: CPU or one GPU.
        precision: dtype of the networks' products; parameters and losses stay float32.
        threads: CPU threads of torch.
        chosen: whether ``precision`` was chosen by rule (auto), so that single networks may depart from it.
        meter: counts what passes through networks.
        unfinished: where the state of a training is kept.
        replay_file: what is written where a training diverges.
    """

    device: torch.device
    precision: torch.dtype
    threads: int
    chosen: bool = False
    meter: WorkMeter = field(default_factory=WorkMeter, compare=False)
    unfinished: Unfinished = field(default_factory=Unfinished, compare=False)
    replay_file: ReplayFile = field(default_factory=ReplayFile, compare=False)

    def precision_of(self, network: nn.Module) -> torch.dtype:
        """Dtype of a network's products, in the mode (training or evaluation) that it is in.

        On a CPU, depthwise convolutions train faster in float32 (channels last), and are evaluated faster in bfloat16.
        """
        slower = self.chosen and self.device.type == "cpu" and network.training
        if slower and has_depthwise_convolutions(network):
            return torch.float32
        return self.precision

    def autocast(self, network: nn.Module) -> AbstractContextManager:
        """Context in which a network's forward pass runs in its precision."""
        enabled = self.precision_of(network) is not torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)

    def place(self, network: nn.Module) -> None:
        """Move a network to the device, its convolutions in the layout (channels last) that they are fastest in."""
        network.to(self.device).to(memory_format=torch.channels_last)

    def record(self) -> dict[str, str | int]:
        """Facts about the machine, for the record beside the results."""
        cuda = self.device.type == "cuda"
        return {
            "device": torch.cuda.get_device_name(self.device) if cuda else "cpu",
            "precision": str(self.precision).removeprefix("torch."),
            "threads": self.threads,
            "torch": torch.__version__,
            "cuda": (torch.version.cuda or "none") if cuda else "unused",
            "driver": driver_version() if cuda else "unused",
            "host": platform.node(),
        }


def add_compute_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``, ``--precision`` and ``--threads``."""
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument(
        "--precision",
        choices=["auto", "float32", "bfloat16"],
        default="auto",
        help="of the networks' products; auto: bfloat16 where the hardware has it, "
        "but for training depthwise networks on a CPU",
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch")


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (AVX-512 BF16 or AMX); False where unknown."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def keep_freed_memory() -> None:
    """Ask glibc to reuse freed memory: training frees and maps the same large tensors every step,
    and the page faults of that can cost more than the arithmetic. Elsewhere than on glibc: nothing."""
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(M_MMAP_MAX, 0)
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def choose_gpu() -> torch.device:
    """The GPU to compute on: of several, one that no other job of this machine has taken."""
    count = torch.cuda.device_count()
    if count < 2:
        return torch.device("cuda")
    names = [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]
    chosen = torch.device("cuda", take_free_gpu(names))
    torch.cuda.set_device(chosen)
    return chosen


def start(device: str, precision: str, threads: int) -> Runtime:
    """Set this process up and log what it runs on.

    Raises:
        UserError: ``cuda`` was asked for and torch sees no GPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "compute.device is cuda, but torch sees no GPU: set it to auto or cpu, run on a GPU node, "
            "or give the container the GPU (apptainer --nv)"
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    automatic = precision == "auto"
    if automatic:
        has_bfloat16 = (
            torch.cuda.is_bf16_supported(including_emulation=False)
            if device == "cuda"
            else cpu_has_bfloat16()
        )
        precision = "bfloat16" if has_bfloat16 else "float32"
    keep_freed_memory()
    torch.set_num_threads(threads)
    # The few operations without a deterministic form only warn, in the log.
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Every tensor is written before it is read: filling new ones first would cost a pass over memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    # float32 means float32: by default a GPU's convolutions round their factors to 10 bits (TF32).
    torch.backends.cudnn.allow_tf32 = False
    chosen = choose_gpu() if device == "cuda" else torch.device(device)
    runtime = Runtime(chosen, getattr(torch, precision), threads, automatic)
    logging.info(", ".join(f"{key} {value}" for key, value in runtime.record().items()))
    return runtime
