"""Names of the states that a data set is found in: what is made of its files lies in a folder of that name."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from fewlabels.core.files import write_json
from fewlabels.data.content_hashes import dataset_hash
from fewlabels.data.layouts import Layout

#: Hex digits of a state's name.
DIGITS = 12


def state_name(parts: Mapping[str, object]) -> str:
    """12 hexadecimal digits over everything that changes an index."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:DIGITS]


class Contents:
    """Hashes of what data sets contain, each found once; a job takes those of the run that it belongs to.

    Args:
        folder: where hashes of single files are kept.
        run: file with the hashes that a run began with.
        main: whether this is the process that plans the run, and so looks at the files.
    """

    def __init__(self, folder: Path, run: Path, main: bool) -> None:
        self.folder = folder
        self.run = run
        self.found: dict[str, str] = {}
        if not main and run.is_file():
            self.found = json.loads(run.read_text(encoding="utf-8"))

    def of(self, root: str, layout: Layout) -> str:
        """SHA-256 of what the files of a data set contain.

        Raises:
            UserError: its table cannot be read.
        """
        key = json.dumps([root, layout.plain()], sort_keys=True)
        if key not in self.found:
            self.found[key] = dataset_hash(root, layout, self.folder)
        return self.found[key]

    def save(self) -> None:
        """Tell the jobs of this run, which would otherwise look at all files again, one by one."""
        write_json(self.run, self.found)
