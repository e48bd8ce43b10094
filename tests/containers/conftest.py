"""Real images, built once and kept in containers/ under names that carry their hash."""

import pytest
from machines import REPOSITORY, make_images, reason_to_skip


def pytest_collection_modifyitems(items):
    reason = reason_to_skip()
    for item in items:
        if reason and item.path.parent == REPOSITORY / "tests/containers":
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def images():
    return make_images()
