"""Which versions of Snakemake and its plugins our patches of their internals fit."""

import logging
from importlib.metadata import version

from packaging.specifiers import SpecifierSet


def fits(package: str, versions: str, loss: str) -> bool:
    """Whether the installed version of a package is one that its patch was tried with; warns where it is not.

    Args:
        versions: as in a requirement, such as ``>=9.27,<9.28``.
        loss: what happens without the patch.
    """
    installed = version(package)
    if installed in SpecifierSet(versions):
        return True
    logging.getLogger(__name__).warning(
        "warning: %s %s is installed, our patch of it was tried with %s and is left out: %s",
        *(package, installed, versions, loss),
    )
    return False
