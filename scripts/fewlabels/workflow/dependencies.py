"""Which library modules a script really imports, read from its source: they are its rule's inputs."""

import ast
from functools import cache
from pathlib import Path


@cache
def _imported_modules(source: Path, package: Path) -> frozenset[Path]:
    """Modules of ``package`` that one file imports, wherever in the file it does so."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            first, *rest = name.split(".")
            if first != package.name:
                continue
            folders = [package, *(package.joinpath(*rest[:depth]) for depth in range(1, len(rest)))]
            candidates = [folder / "__init__.py" for folder in folders]
            if rest:
                whole = package.joinpath(*rest)
                candidates += [whole.with_suffix(".py"), whole / "__init__.py"]
            found.update(path for path in candidates if path.is_file())
    return frozenset(found)


@cache
def modules_of(script: Path, package: Path, *more: Path) -> tuple[Path, ...]:
    """Every module of ``package`` that ``script`` imports, directly or through others, sorted.

    Args:
        more: modules that the script loads by name, and so without an import that could be read.
    """
    found: set[Path] = set(more)
    waiting = [script, *more]
    while waiting:
        new = _imported_modules(waiting.pop(), package) - found
        found |= new
        waiting.extend(new)
    return tuple(sorted(found))
