"""Whether two trainings wrote the same: their files compared bit by bit, and the first difference in words."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from fewlabels.core.errors import UserError
from fewlabels.core.files import read_csv, sha256_of_file
from fewlabels.networks.checkpoints import load_checkpoint


def bits(value: Tensor) -> Tensor:
    """The bytes of a tensor, uint8 (bytes,): unlike numbers, nan and -0 are told apart by them."""
    return value.contiguous().reshape(-1).view(torch.uint8)


def digest_of(path: Path) -> str:
    """SHA-256 of a file of numbers; of a checkpoint, of the names, types, shapes and values of its tensors."""
    if path.suffix != ".pt":
        return sha256_of_file(path)
    digest = hashlib.sha256()
    for name, value in load_checkpoint(path)[0].items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        digest.update(bits(value).numpy().tobytes())
    return digest.hexdigest()


def difference(one: Path, other: Path) -> str:
    """The first difference of two files in words; empty where there is none."""
    return _of_tensors(one, other) if one.suffix == ".pt" else _of_tables(one, other)


def _of_tensors(one: Path, other: Path) -> str:
    states = [load_checkpoint(path)[0] for path in (one, other)]
    if list(states[0]) != list(states[1]):
        return "the names of the tensors"
    for name, value in states[0].items():
        again = states[1][name]
        if (value.dtype, value.shape) != (again.dtype, again.shape):
            return f"{name}: {value.dtype} {tuple(value.shape)}, {again.dtype} {tuple(again.shape)}"
        if not torch.equal(bits(value), bits(again)):
            furthest = (value.double() - again.double()).abs().max().item()
            return f"{name}: {int((value != again).sum())} of {value.numel()} values, by up to {furthest:.3g}"
    return ""


def _of_tables(one: Path, other: Path) -> str:
    rows, again = read_csv(one), read_csv(other)
    for line, (row, row_again) in enumerate(zip(rows, again, strict=False), start=2):
        for name in row:
            if row[name] != row_again.get(name):
                return f"line {line}, {name}: {row[name]} and {row_again.get(name)}"
    if len(rows) != len(again):
        return f"{len(rows)} and {len(again)} rows"
    return "" if one.read_bytes() == other.read_bytes() else "the columns"


def compared(one: Path, other: Path, names: Sequence[str]) -> dict[str, str]:
    """File -> digest, of the files of two folders that should be the same.

    Raises:
        UserError: names the first difference.
    """
    for name in names:
        if found := difference(one / name, other / name):
            raise UserError(
                f"the same training, run twice, does not give the same: {name} differs, {found}: run on the CPU "
                "(compute.device: cpu), or tell which network and device this was"
            )
    return {name: digest_of(one / name) for name in names}
