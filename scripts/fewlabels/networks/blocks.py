"""Blocks of a network: the parts that are opened for updates or frozen, by name."""

from collections.abc import Sequence
from typing import Literal

from torch import nn

from fewlabels.core.errors import UserError, did_you_mean

CONTAINERS = (nn.Sequential, nn.ModuleList)


def _is_container(module: object) -> bool:
    return type(module) in CONTAINERS


def is_opened(module: nn.Module) -> bool:
    """Whether blocks are looked for inside: plain containers, and modules made of ``blocks`` or ``layers``."""
    return _is_container(module) or any(
        _is_container(getattr(module, name, None)) for name in ("blocks", "layers")
    )


def find_blocks(network: nn.Module) -> tuple[list[str], set[str]]:
    """Paths of a network's blocks in the order of registration, and of the modules that they were found in.

    A parameter that lies directly on an opened module, such as a class token, is a block of its own.
    """
    opened: set[str] = set()

    def walk(module: nn.Module, path: str) -> list[str]:
        opened.add(path)
        start = f"{path}." if path else ""
        own = [start + name for name, _ in module.named_parameters(recurse=False)]
        found: list[list[str]] = []
        for name, child in module.named_children():
            if is_opened(child):
                found.append(walk(child, start + name))
            elif any(True for _ in child.parameters()):
                found.append([start + name])
        # The network's own parameters are used behind its stem, those of a part before its blocks.
        found.insert(0 if path else 1, own)
        return [block for group in found for block in group]

    return walk(network, ""), opened


def expand_blocks(names: Sequence[str] | Literal["all"], blocks: Sequence[str]) -> list[str]:
    """Turn block names and stage names (``layer4`` for ``layer4.0, layer4.1``) into blocks, in network order.

    Raises:
        UserError: a name is neither a block nor a stage.
    """
    if names == "all":
        return list(blocks)
    chosen = set()
    for name in names:
        found = [block for block in blocks if block == name or block.startswith(f"{name}.")]
        if not found:
            raise UserError(f"unknown block '{name}': {did_you_mean(name, stages_of(blocks))}")
        chosen.update(found)
    return [block for block in blocks if block in chosen]


def stages_of(blocks: Sequence[str]) -> list[str]:
    """Every name that :func:`expand_blocks` knows: blocks, and the paths above them."""
    names: dict[str, None] = {}
    for block in blocks:
        parts = block.split(".")
        names |= {".".join(parts[:depth]): None for depth in range(1, len(parts) + 1)}
    return list(names)
