"""Has this machine the disk, the memory and the GPU that a run needs? Each check takes what was found as arguments."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fewlabels.workflow.findings import Finding, fault, ok, warning

GB = 10**9
#: What one training takes in memory, with all that it imports; measured on ResNet-18 at 224 pixels.
MEMORY_OF_A_JOB = 1.5 * GB
#: With less than this on the disk, logs and tables can fail to be written.
LEAST_DISK = 0.5 * GB


def check_disk(subject: str, folder: str, free: int, need: float, what: str) -> Finding:
    """Whether what will be written has room.

    Args:
        free: bytes.
        need: bytes, about.
        what: will be written, in a few words.
    """
    text = f"{free / GB:.1f} GB free at {folder}, about {need / GB:.1f} GB needed for {what}"
    remedy = "free some, or let pathvars of the config lead to a larger disk"
    if free < LEAST_DISK:
        return fault(subject, text, remedy)
    # The need is an estimate: it stops nothing.
    if free < need * 1.2:
        return warning(subject, text, remedy)
    return ok(subject, text)


def available_memory(meminfo: str, limits: Mapping[str, str]) -> tuple[float, float] | None:
    """Bytes in all, and bytes that could be taken now; None where the system does not say.

    Args:
        meminfo: of /proc.
        limits: of the control group, ``max`` and ``current``, as its files say; what is missing is no limit.
    """
    found = dict(re.findall(r"^(\w+): +(\d+) kB$", meminfo, re.MULTILINE))
    if "MemTotal" not in found or "MemAvailable" not in found:
        return None
    total, free = (int(found[key]) * 1024.0 for key in ("MemTotal", "MemAvailable"))
    most, used = (limits.get(key, "").strip() for key in ("max", "current"))
    if most.isdigit() and int(most) < total:
        total = float(most)
        free = min(free, total - (int(used) if used.isdigit() else 0))
    return total, free


def check_memory(memory: tuple[float, float] | None, at_once: int) -> Finding:
    """Whether so many trainings at a time have room.

    Args:
        memory: bytes in all and available; None: unknown.
    """
    if memory is None:
        return ok("memory", "this system does not say how much there is")
    total, free = memory
    text = f"{free / GB:.1f} of {total / GB:.1f} GB available"
    fit = int(free / MEMORY_OF_A_JOB)
    if fit < 1:
        remedy = "end other programs, or take another machine: a training needs about 1.5 GB"
        return fault("memory", text, remedy)
    if fit < at_once:
        return warning(
            "memory",
            f"{text}, and {at_once} trainings at a time take about {at_once * MEMORY_OF_A_JOB / GB:.0f} GB",
            f"--cores {fit} (make demo CORES={fit})",
        )
    return ok("memory", f"{text}, enough for {at_once} trainings at a time")


@dataclass(frozen=True)
class Gpus:
    """What is known of this machine's GPUs.

    Attributes:
        visible: names of those that CUDA would use, by the driver's own list.
        driver: its version, or ``none``.
        listed: lines of ``nvidia-smi``: name, memory in MiB, memory in use; empty where it can't be run.
        torch: what torch says of itself: ``version``, ``cuda`` (that it was built for), ``available``, ``devices``,
            ``error``; None: it can't be imported.
    """

    visible: list[str]
    driver: str
    listed: list[str]
    torch: Mapping[str, Any] | None


def check_gpu(gpus: Gpus, device: str) -> Finding:
    """Whether a GPU is there that torch can use.

    Args:
        device: ``compute.device`` of the config.
    """
    if device == "cpu":
        return ok("GPU", "not asked for (compute.device: cpu)")
    names = "; ".join(gpus.listed) or f"{len(gpus.visible)} without nvidia-smi"
    if not gpus.visible:
        if device == "cuda":
            return fault("GPU", "no GPU is here (compute.device: cuda)", _WITHOUT_GPU)
        return ok("GPU", "no GPU is here, so everything runs on the CPU")
    text = f"{names}, driver {gpus.driver}"
    if gpus.torch is None:
        return ok("GPU", f"{text}; torch is not installed yet")
    if gpus.torch.get("available"):
        return ok("GPU", f"{text}, torch {gpus.torch['version']} with CUDA {gpus.torch['cuda']}")
    reason = str(gpus.torch.get("error") or "no reason given")
    text = f"{text}, but torch {gpus.torch.get('version')} can't use it ({reason})"
    remedy = f"install a driver for CUDA {gpus.torch.get('cuda')}, or set compute.device to cpu"
    return fault("GPU", text, remedy) if device == "cuda" else warning("GPU", text, remedy)


_WITHOUT_GPU = "set compute.device to auto, or run where there is one"


def check_device(device: str, visible: list[str]) -> Finding:
    """What of :func:`check_gpu` costs no time, for the start of every run."""
    return check_gpu(Gpus(visible, "unknown", [], None), device)
