"""Put the files of a data set's present state where all later steps read them.

Tables are copied; arrays are large, and become links to those of the state (copies where links can't be made).
"""

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import atomic_path


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--files", type=Path, nargs="+", required=True, help="of the state")
    parser.add_argument(
        "--published", type=Path, nargs="+", required=True, help="files to write, in that order"
    )
    return parser


def publish(file: Path, published: Path) -> None:
    """Copy a file, or link to an array; whatever was there goes."""
    published.parent.mkdir(parents=True, exist_ok=True)
    published.unlink(missing_ok=True)
    if file.suffix == ".npy":
        try:
            published.symlink_to(os.path.relpath(file, published.parent))
        except OSError:
            copy(file, published)
    else:
        copy(file, published)


def copy(file: Path, published: Path) -> None:
    with atomic_path(published) as temporary:
        shutil.copyfile(file, temporary)


def run(arguments: argparse.Namespace) -> None:
    if len(arguments.files) != len(arguments.published):
        raise UserError("--files and --published must name as many files as each other")
    for file, published in zip(arguments.files, arguments.published, strict=True):
        publish(file, published)


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
