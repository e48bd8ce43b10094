"""Build one container image, as an ordinary user, with Apptainer's --fakeroot.

Its file name says which, and carries the hash of what it is built from (`make containers` knows the names). It is
built beside its place under a temporary name, tested by its definition, and moved there when whole; its sha256 goes
into a file beside it. Nothing is done when it is there already.

From Debian's own bootstrap it takes the mirror of this machine's apt, or that of the environment variable
DEBIAN_MIRROR, and needs debootstrap; from Docker the image that the definition pins, and needs its registry.

Where the environment variable IMAGE_CACHE names a folder, images are looked for there first and kept there.
"""

import argparse
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from fewlabels.core.cli import make_parser, run_script
from fewlabels.core.errors import UserError
from fewlabels.core.files import atomic_path
from fewlabels.workflow.containers import ARGUMENTS, checksum_file, record_checksum, what_is

REPOSITORY = Path(__file__).resolve().parents[1]
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PACKAGES_IN_IMAGE = "/opt/debian-packages.txt"
APT_QUERY = ("--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian", "Component: main")
# Level 3 reads as fast as higher levels and packs in half their time.
COMPRESSION = "-comp zstd -Xcompression-level 3"


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument("--container", required=True, help="containers/NAME-HASH.sif to write")
    return parser


def debian_mirror() -> str:
    """The Debian mirror to bootstrap from.

    Raises:
        UserError: neither the environment nor apt names one.
    """
    if os.environ.get("DEBIAN_MIRROR"):
        return os.environ["DEBIAN_MIRROR"]
    if shutil.which("apt-get"):
        listed = subprocess.run(
            ["apt-get", "indextargets", *APT_QUERY],
            capture_output=True,
            text=True,
            check=False,
        )
        if listed.stdout.split():
            return listed.stdout.split()[0]
    raise UserError(
        "no Debian mirror is known here: set DEBIAN_MIRROR to the address of one, or use --base docker"
    )


def check_tools(base: str) -> None:
    """Check that what builds an image is installed.

    Raises:
        UserError: apptainer, debootstrap or the user's subordinate ids are missing.
    """
    if not shutil.which("apptainer"):
        raise UserError("apptainer is missing: install it (https://apptainer.org/docs/admin/)")
    search = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    if base == "debian" and not shutil.which("debootstrap", path=search):
        raise UserError(
            "debootstrap is missing: apt-get install debootstrap, or build from Docker (BASE=docker)"
        )


def build_command(image: str, base: str, target: Path) -> list[str]:
    command = ["apptainer", "build", "--fakeroot", "--force", "--mksquashfs-args", COMPRESSION]
    arguments = dict(ARGUMENTS[base])
    if base == "debian":
        arguments["MIRROR"] = debian_mirror()
    for name, value in sorted(arguments.items()):
        command += ["--build-arg", f"{name}={value}"]
    if CERTIFICATES.is_file():
        # This machine's certificates, for the time of the build: bound, so they don't stay in the image.
        command += ["--bind", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
    return [*command, str(target), f"containers/{image}.def"]


def build_environment(cache: Path) -> dict[str, str]:
    """The variables of a build: pip in the image reads the bound certificates."""
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([environment.get("PATH", ""), "/usr/sbin", "/sbin"])
    if CERTIFICATES.is_file():
        environment["APPTAINERENV_PIP_CERT"] = str(CERTIFICATES)
    environment["APPTAINERENV_PIP_DEFAULT_TIMEOUT"] = os.environ.get("PIP_DEFAULT_TIMEOUT", "60")
    environment["APPTAINERENV_PIP_NO_CACHE_DIR"] = "1"
    # Large: the unpacked image lies here until it is packed.
    environment.setdefault("APPTAINER_TMPDIR", str(cache))
    return environment


def copy_image(source: Path, target: Path) -> None:
    """Copy an image, whole or not at all, and the files beside it; its own sha256 comes last."""
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    for ending in (".packages", ".sha256"):
        beside = source.with_name(source.name + ending)
        if beside.is_file():
            shutil.copyfile(beside, target.with_name(target.name + ending))


def run(arguments: argparse.Namespace) -> None:
    name = arguments.container
    image, base = what_is(REPOSITORY, name)
    path = REPOSITORY / name
    if path.exists() and checksum_file(path).is_file():
        logging.info("%s is there", name)
        return
    kept = Path(os.environ["IMAGE_CACHE"]) / path.name if os.environ.get("IMAGE_CACHE") else None
    if kept and checksum_file(kept).is_file():
        copy_image(kept, path)
        logging.info("took %s from %s", name, kept.parent)
        return
    check_tools(base)
    started = time.monotonic()
    log = path.with_name(path.name + ".log")
    scratch = path.parent / f".build-{image}-{os.getpid()}"
    temporary = scratch / path.name
    scratch.mkdir()
    try:
        logging.info("building %s (log: %s)", name, log.relative_to(REPOSITORY))
        with log.open("w", encoding="utf-8") as handle:
            built = subprocess.run(
                build_command(image, base, temporary),
                cwd=REPOSITORY,
                env=build_environment(scratch),
                stdout=handle,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if built.returncode:
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
            raise UserError(
                f"{name} could not be built (read {log.relative_to(REPOSITORY)}):\n"
                + "\n".join(tail)
            )
        listing = subprocess.run(
            ["apptainer", "exec", str(temporary), "cat", PACKAGES_IN_IMAGE],
            capture_output=True,
            text=True,
            check=True,
        )
        path.with_name(path.name + ".packages").write_text(listing.stdout, encoding="utf-8")
        os.replace(temporary, path)
        digest = record_checksum(path)
        if kept:
            copy_image(path, kept)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    logging.info(
        "built %s: %.0f MB, %.0f s, sha256 %s",
        name,
        path.stat().st_size / 1e6,
        time.monotonic() - started,
        digest,
    )


def main(argv: Sequence[str] | None = None) -> int:
    return run_script(run, build_parser(), argv)


if __name__ == "__main__":
    raise SystemExit(main())
