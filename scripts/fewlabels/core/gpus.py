"""The GPUs of this machine: which are visible, and one that no other job of this workflow uses.

Snakemake limits how many GPU jobs run at a time, but shows each of them all GPUs.
"""

import fcntl
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

DRIVER_FOLDER = Path("/proc/driver/nvidia")

# Open as long as the process lives: the lock ends with it, however it ends.
_held: list[int] = []


def visible_gpus(
    environment: Mapping[str, str] = os.environ, driver: Path = DRIVER_FOLDER
) -> list[str]:
    """Names of the GPUs that CUDA would use: those of CUDA_VISIBLE_DEVICES, else all of the driver's.

    >>> visible_gpus({"CUDA_VISIBLE_DEVICES": "0,2"}), visible_gpus({"CUDA_VISIBLE_DEVICES": ""})
    (['0', '2'], [])
    """
    chosen = environment.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        names = [name.strip() for name in chosen.split(",")]
        return [name for name in names if name and name not in ("-1", "NoDevFiles")]
    try:
        return sorted(folder.name for folder in (driver / "gpus").iterdir())
    except OSError:
        return []


def driver_version(driver: Path = DRIVER_FOLDER) -> str:
    """Version of the NVIDIA driver, or ``none``."""
    try:
        first = (driver / "version").read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError):
        return "none"
    words = first.split()
    return next((word for word in words if word[0].isdigit() and "." in word), "unknown")


def _open_lock(path: Path) -> int:
    """Open a lock file that every user may open, whatever the umask."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        # Readable is enough for a lock.
        return os.open(path, os.O_RDONLY)
    os.fchmod(handle, 0o666)
    return handle


def take_free_gpu(names: Sequence[str], folder: Path | None = None) -> int:
    """Position of a GPU whose lock this process takes and keeps to its end.

    Args:
        names: one name per GPU, the same in every process (a UUID).
        folder: of the lock files; the temporary folder, which containers share with the machine.

    Where all are taken (more jobs than GPUs), the first one is shared.
    """
    folder = folder or Path(tempfile.gettempdir())
    for position, name in enumerate(names):
        path = folder / f"wbc-gpu-{name}.lock"
        try:
            handle = _open_lock(path)
        except PermissionError as error:
            logging.warning("%s: taken as another user's GPU", error)
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        _held.append(handle)
        return position
    logging.warning("all %d GPUs are in use: sharing the first", len(names))
    return 0
