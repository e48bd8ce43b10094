"""What several of these tests compare with."""

from pathlib import Path

import pytest
from heeded_signals import heeded_signals  # noqa: F401 (a fixture for all tests)
from machines import copy_repository, snakemake, tables


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> Path:
    """A copy of the repository with the tiny run in it. Tests must leave it as they find it."""
    folder = copy_repository(tmp_path_factory.mktemp("undisturbed"))
    snakemake(folder, "--configfile", "tests/tiny.yaml", "--cores", "2")
    return folder


@pytest.fixture(scope="session")
def expected(undisturbed) -> dict[str, bytes]:
    """The tables of the undisturbed run."""
    found = tables(undisturbed / "results")
    assert len(found) > 20
    return found
