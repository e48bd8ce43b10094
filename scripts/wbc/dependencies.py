"""Which library modules a script really imports, read from its source: they are its rule's inputs."""

import ast
from functools import cache
from pathlib import Path


@cache
def _imported_modules(source: Path, package: Path) -> frozenset[Path]:
    """Modules of ``package`` that one file imports, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            module = package.joinpath(*rest).with_suffix(".py") if rest else package / "__init__.py"
            if first == package.name and module.is_file():
                found.add(module)
    return frozenset(found)


@cache
def modules_of(script: Path, package: Path) -> tuple[Path, ...]:
    """Every module of ``package`` that ``script`` imports, directly or through others, sorted."""
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        new = _imported_modules(waiting.pop(), package) - found
        found |= new
        waiting.extend(new)
    return tuple(sorted(found | {package / "__init__.py"} if found else found))
