"""Delete what a finished run needs no more, and say how much that frees.

Each cache is named with its size. Tables, figures, checkpoints, predictions, packed images and raw data are never
touched. The same call of the workflow does nothing anew afterwards.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.workflow.caches import (
    Cache,
    check_idle,
    freed_caches,
    human_size,
    is_finished,
    kept_caches,
    remove,
)
from fewlabels.workflow.given_config import read_config, written_folders

REPOSITORY = Path(__file__).resolve().parents[1]


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--configfile", nargs="+", default=[], help="of the run: config files over config.yaml"
    )
    parser.add_argument("--dry-run", action="store_true", help="tell, and delete nothing")
    return parser


def line_of(word: str, cache: Cache) -> str:
    return f"{word:<9}{human_size(cache.bytes):>10}  {cache.name}: {cache.remark}"


def run(arguments: argparse.Namespace) -> None:
    written = written_folders(read_config(REPOSITORY / "config.yaml", arguments.configfile))
    results, resources = (Path(written[f"pathvars.{name}"]) for name in ("results", "resources"))
    check_idle(Path.cwd())
    caches = freed_caches(REPOSITORY, Path.cwd(), results, resources)
    word = "would go" if arguments.dry_run else "deleted"
    for cache in caches:
        if not arguments.dry_run:
            remove(cache)
        print(line_of(word, cache))
    for cache in kept_caches(results, resources):
        print(line_of("kept", cache))
    if not is_finished(results):
        print(f"{results} has no summary.md: the run is not finished, and its caches are kept.")
    freed = human_size(sum(cache.bytes for cache in caches))
    print(f"{'This would free' if arguments.dry_run else 'Freed'} {freed}.")


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
