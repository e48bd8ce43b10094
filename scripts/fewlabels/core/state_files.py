"""Names of the files that unfinished trainings keep their state in: ``<name of the training>.<key>.pt``."""

import re
from pathlib import Path

#: The key: 16 hexadecimal digits of all that the results depend on.
KEY_DIGITS = 16
NAME = re.compile(rf"(?P<training>.+)\.[0-9a-f]{{{KEY_DIGITS}}}\.pt")


def state_file(training: Path | str, key: str) -> Path:
    """Where a training keeps its state, whose name ``training`` ends in."""
    return Path(f"{training}.{key}.pt")


def training_of(state: Path) -> Path | None:
    """What :func:`state_file` was given; None for another file.

    >>> training_of(Path("unfinished/replicate1/a_wbc_0.5.0123456789abcdef.pt")).as_posix()
    'unfinished/replicate1/a_wbc_0.5'
    """
    found = NAME.fullmatch(state.name)
    return state.with_name(found["training"]) if found else None


def states_of(training: Path | str) -> list[Path]:
    """All states of a training, of whatever inputs."""
    training = Path(training)
    if not training.parent.is_dir():
        return []
    return [path for path in training.parent.iterdir() if training_of(path) == training]
