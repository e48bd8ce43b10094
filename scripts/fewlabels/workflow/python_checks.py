"""Is this the Python that the workflow needs, with the packages of its lock file? By the standard library alone."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions

from fewlabels.workflow.findings import Finding, fault, ok

#: Versions that the locked packages are there for, as in envs/check_python.sh: the first and the last.
SUPPORTED = ((3, 11), (3, 13))
LOCKED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
#: So many packages are named before "and 7 more".
NAMED = 3


def plain_name(name: str) -> str:
    """A package's name as the index compares it (PEP 503).

    >>> plain_name("Ruamel.YAML_clib")
    'ruamel-yaml-clib'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def check_python(version: tuple[int, ...], executable: str) -> Finding:
    """Whether the locked packages are there for a version of Python."""
    shown = ".".join(str(part) for part in version[:3])
    first, last = SUPPORTED
    if first <= tuple(version[:2]) <= last:
        return ok("Python", f"{shown} ({executable})")
    return fault(
        "Python",
        f"{shown} ({executable}), and the locked packages need 3.11, 3.12 or 3.13",
        "apt-get install python3.11 python3.11-venv, then make environment PYTHON=python3.11",
    )


def locked_packages(lock: str) -> dict[str, str]:
    """Name -> version of a lock file of pip."""
    return {plain_name(name): version for name, version in LOCKED.findall(lock)}


def installed_packages(found: Iterable[Distribution] | None = None) -> dict[str, str]:
    """Name -> version of what this Python has installed; of two of a name, the first, which is the one imported."""
    versions: dict[str, str] = {}
    for one in distributions() if found is None else found:
        name = one.metadata["Name"]
        if name:
            versions.setdefault(plain_name(name), one.version)
    return versions


def check_packages(
    locked: Mapping[str, str], installed: Mapping[str, str], environment: bool
) -> Finding:
    """Whether what is installed is what the lock file names; further packages do no harm.

    Args:
        environment: whether there is the folder of `make environment`.
    """
    missing = [name for name in locked if name not in installed]
    other = [
        f"{name} {installed[name]} in place of {version}"
        for name, version in locked.items()
        # torch 2.15.0+cpu is torch 2.15.0, built for a machine.
        if name in installed and installed[name].partition("+")[0] != version.partition("+")[0]
    ]
    if not missing and not other:
        return ok("packages", f"all {len(locked)} of envs/requirements.lock")
    parts = [] if environment else ["there is no .venv yet"]
    if missing:
        parts.append(f"{len(missing)} of {len(locked)} are missing ({_some(missing)})")
    if other:
        parts.append(f"{len(other)} of another version ({_some(other)})")
    return fault("packages", ", ".join(parts), "make environment, then . .venv/bin/activate")


def _some(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
