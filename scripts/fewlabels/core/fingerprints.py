"""Hashes of a config and of the code, by which results are known again."""

import hashlib
import json
from pathlib import Path

from fewlabels.core.files import sha256_of_file


def sha256_of_text(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def config_hash(config: object) -> str:
    """SHA-256 of a config as JSON with sorted keys."""
    return sha256_of_text(canonical_json(config))


def scripts_hash(folder: Path) -> str:
    """SHA-256 over names and contents of the Python files below a folder."""
    files = sorted(folder.rglob("*.py"))
    names = [[path.relative_to(folder).as_posix(), sha256_of_file(path)] for path in files]
    return sha256_of_text(canonical_json(names))
