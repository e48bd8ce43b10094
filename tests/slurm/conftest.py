"""A real SLURM of one node, started for these tests and stopped after them."""

import pytest
from heeded_signals import heeded_signals  # noqa: F401 (a fixture for all tests)
from machines import REPOSITORY, checked, make_images, reason_to_skip, run


def pytest_collection_modifyitems(items):
    reason = reason_to_skip()
    for item in items:
        if reason and item.path.parent == REPOSITORY / "tests/slurm":
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def images():
    return make_images()


@pytest.fixture(scope="session")
def slurm():
    """The cluster, empty."""
    script = REPOSITORY / "tests/slurm/setup_slurm.sh"
    print(checked("bash", script, "start"))
    yield
    print(run("bash", script, "stop").stdout)
