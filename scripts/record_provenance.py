"""Record what a summary was made from and by.

Writes a JSON with: SHA-256 of the tables (tables); of the whole config, as JSON with sorted keys (config); of the
images, over each index's ids, splits, labels and hashes of pixels and masks (images); the code (`git describe --always
--dirty` where git and a repository are there, and SHA-256 over scripts/); container images, if it ran in any; devices
and versions that the records of the trainings name; versions of this step's packages; and the seeds.
"""

import argparse
import json
import platform
import subprocess
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.files import read_csv, sha256_of_file, write_json
from fewlabels.core.fingerprints import canonical_json, config_hash, scripts_hash, sha256_of_text

SCRIPTS = Path(__file__).resolve().parent
PACKAGES = ("numpy", "scikit-learn", "scipy", "statsmodels")
#: Keys of a record that are worth a list of what occurred.
RECORDED = ("device", "precision", "threads", "torch", "cuda", "driver")


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--tables", nargs="+", required=True, help="CSVs to hash")
    parser.add_argument("--indexes", nargs="+", required=True, help="CSVs of index_images")
    parser.add_argument("--results", required=True, help="folder with records/")
    parser.add_argument("--config", type=json.loads, required=True, help="JSON: the whole config")
    parser.add_argument("--containers", nargs="*", default=[], help="images that were used")
    parser.add_argument("--provenance", required=True, help="JSON to write")
    return parser


def images_hash(index: Path | str) -> str:
    """SHA-256 over ids, splits, labels and hashes of pixels and masks of an index, whatever the order of its rows."""
    keys = ("id", "split", "label", "pixel_sha256", "mask_sha256")
    rows = sorted([row[key] for key in keys] for row in read_csv(index))
    return sha256_of_text(canonical_json(rows))


def describe(folder: Path) -> str | None:
    """The commit by git, or None without git or a repository of its own at ``folder``."""
    if not (folder / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def recorded(folder: Path) -> dict[str, list]:
    """Every value that the records of the trainings have of some facts."""
    records = [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]
    return {
        key: sorted({record[key] for record in records if key in record}, key=str)
        for key in RECORDED
    }


def entries(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Every value below a config's section, by its dotted key."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    for name, part in value.items() if isinstance(value, dict) else ():
        inner = f"{key}.{name}" if key else str(name)
        yield inner, part
        yield from entries(part, inner)


def seeds(config: dict) -> dict:
    """Every seed of the config, by its dotted key."""
    seed_lists = ("experiment.replicates", "experiment.crossed.replicates", "experiment.split_seed")
    return {
        key: value
        for key, value in entries(config)
        if key in seed_lists or key.rsplit(".", 1)[-1] == "seed"
    }


def run(arguments: argparse.Namespace) -> None:
    write_json(
        arguments.provenance,
        {
            "tables": {Path(path).name: sha256_of_file(path) for path in arguments.tables},
            "config": config_hash(arguments.config),
            "images": {Path(path).name: images_hash(path) for path in arguments.indexes},
            "code": {"git": describe(SCRIPTS.parent), "scripts": scripts_hash(SCRIPTS)},
            "containers": arguments.containers,
            "trainings": recorded(Path(arguments.results) / "records"),
            "versions": {
                "python": platform.python_version(),
                **{name: version(name) for name in PACKAGES},
            },
            "seeds": seeds(arguments.config),
        },
    )


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
