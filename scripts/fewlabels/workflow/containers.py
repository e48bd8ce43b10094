"""The names of the container images, and whether an image is there, current and whole.

An image's file name carries a hash of what it is built from: its definition, its list of Python packages, the
arguments of its build. Only the standard library is used here, so that images can be built without the environment.
"""

import argparse
import hashlib
import json
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import sha256_of_file, write_text

IMAGES = ("tools", "torch")
# Bases that a definition can start from. `debian` comes first because it is what the tests build.
ARGUMENTS = {
    "debian": {"BOOTSTRAP": "debootstrap", "FROM": "unused"},
    "docker": {"BOOTSTRAP": "docker"},
}
LOCKED = "locked"
LOCK_FILE = "containers/containers.lock.yaml"
DIGITS = 12


def sources_of(image: str) -> list[str]:
    """The files an image is built from."""
    return [f"containers/{image}.def", f"envs/{image}.lock"]


def image_file(repository: Path, image: str, base: str) -> str:
    """The path of an image below the repository, with the hash of what it is built from."""
    parts = [sha256_of_file(repository / source) for source in sources_of(image)]
    parts.append(json.dumps(ARGUMENTS[base], sort_keys=True))
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"containers/{image}-{digest[:DIGITS]}.sif"


def what_is(repository: Path, name: str) -> tuple[str, str]:
    """The image and the base that a file name stands for.

    Raises:
        UserError: its hash is of another state of the sources.
    """
    names = {
        image_file(repository, image, base): (image, base) for image in IMAGES for base in ARGUMENTS
    }
    if name not in names:
        raise UserError(f"{name} is none of the images of these sources: {', '.join(names)}")
    return names[name]


def lock_text(repository: Path) -> str:
    """What the committed lock file must say."""
    lines = [
        "# The images that belong to the definitions and package lists of this folder's state: the file names",
        "# carry their hash. Written by `make containers-lock`; a test compares it with its sources.",
    ]
    for image in IMAGES:
        lines.append(f"{image}:")
        lines += [f"  {base}: {image_file(repository, image, base)}" for base in ARGUMENTS]
        for source in sources_of(image):
            lines.append(f"  {source}: sha256:{sha256_of_file(repository / source)}")
    return "\n".join(lines) + "\n"


def is_address(container: str) -> bool:
    """Whether a container is an address such as ``docker://`` or ``oras://`` and not a file."""
    return "://" in container


def locked_file(repository: Path, image: str) -> str:
    """The image that the lock names: the first base whose file is there, else the first base."""
    files = [image_file(repository, image, base) for base in ARGUMENTS]
    return next((file for file in files if (repository / file).exists()), files[0])


def container_of(repository: Path, image: str, choice: str) -> str:
    """What a rule's ``container:`` is, from the config's value for an image."""
    return locked_file(repository, image) if choice == LOCKED else choice


def checksum_file(path: Path) -> Path:
    """The file beside an image that holds its own sha256, as ``sha256sum --check`` reads it."""
    return path.with_name(path.name + ".sha256")


def _seen_file(path: Path) -> Path:
    return path.with_name(path.name + ".checked")


def _state(path: Path, digest: str) -> str:
    status = path.stat()
    return f"{digest} {status.st_size} {status.st_mtime_ns}\n"


def record_checksum(path: Path) -> str:
    """Write an image's sha256 beside it, and give it."""
    digest = sha256_of_file(path)
    write_text(checksum_file(path), f"{digest}  {path.name}\n")
    write_text(_seen_file(path), _state(path, digest))
    return digest


def check_image(repository: Path, image: str, choice: str) -> None:
    """Check that the image of a config value can be used; addresses are taken as they are.

    The sha256 of gigabytes takes seconds, so a file of the same size and time is read only once.

    Raises:
        UserError: the image is missing, stale or damaged.
    """
    container = container_of(repository, image, choice)
    if is_address(container):
        return
    path = Path(container) if choice != LOCKED else repository / container
    if not path.exists():
        if choice != LOCKED:
            raise UserError(
                f"containers.{image} names {container}, which does not exist: mend the path, or set it "
                f"to {LOCKED} and run `make containers`"
            )
        others = sorted(file.name for file in (repository / "containers").glob(f"{image}-*.sif"))
        found = f"stale (found {', '.join(others)})" if others else "missing"
        raise UserError(f"the image {container} is {found}: run `make containers`")
    if choice != LOCKED or path.is_dir():
        return
    if not checksum_file(path).is_file():
        raise UserError(
            f"the image {container} has no {checksum_file(path).name} beside it: "
            "copy that file too, or run `make containers`"
        )
    expected = checksum_file(path).read_text(encoding="utf-8").split()[0]
    seen = _seen_file(path)
    if seen.is_file() and seen.read_text(encoding="utf-8") == _state(path, expected):
        return
    if sha256_of_file(path) != expected:
        raise UserError(
            f"the image {container} is damaged (its sha256 is not the one beside it): delete it and "
            "run `make containers`"
        )
    write_text(seen, _state(path, expected))


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("what", choices=["lock", *ARGUMENTS], help="write the lock, or print names")
    return parser


def run(arguments: argparse.Namespace) -> None:
    if arguments.what == "lock":
        write_text(LOCK_FILE, lock_text(Path()))
    else:
        print("\n".join(image_file(Path(), image, arguments.what) for image in IMAGES))


if __name__ == "__main__":
    raise SystemExit(run_script(run, build_parser()))
