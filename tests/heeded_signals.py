"""Signals that whoever started the tests had ignored: SIGHUP by nohup, SIGINT in the background of a script."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def heeded_signals() -> Iterator[None]:
    """They do again what they do by default, here and in all that the tests start."""
    before = {
        number: signal.signal(number, default)
        for number, default in (
            (signal.SIGHUP, signal.SIG_DFL),
            (signal.SIGINT, signal.default_int_handler),
        )
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
