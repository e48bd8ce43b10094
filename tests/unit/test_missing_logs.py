"""Snakemake goes on where the log of a failed job can't be created."""

import asyncio
import errno
from types import SimpleNamespace

import pytest

from fewlabels.workflow import missing_logs

pytest.importorskip("snakemake.api")  # imports the planner, in the only order that works
from snakemake.dag import DAG


class Log(str):
    """A log that is not there, and can't be created for some reason."""

    reason = errno.ENOSPC

    async def exists_local(self) -> bool:
        return False

    def touch_or_create(self) -> None:
        raise OSError(self.reason, "No space left on device", str(self))


@pytest.fixture
def handle(monkeypatch):
    """Handles a log as Snakemake does behind a failed job."""
    monkeypatch.setattr(DAG, "handle_log", DAG.handle_log)

    def run(log: Log) -> None:
        job = SimpleNamespace(log=[log], shadowed_path=lambda path: path)
        asyncio.run(DAG.handle_log(SimpleNamespace(), job))

    return run


def test_a_full_disk_is_no_reason_to_stop(handle, caplog):
    with pytest.raises(OSError):
        handle(Log("a.log"))
    missing_logs.do_without_logs()
    handle(Log("a.log"))
    assert "No space left on device" in caplog.text
    patched = DAG.handle_log
    missing_logs.do_without_logs()
    assert DAG.handle_log is patched


def test_other_errors_stay(handle):
    missing_logs.do_without_logs()
    log = Log("a.log")
    log.reason = errno.EIO
    with pytest.raises(OSError):
        handle(log)


def test_another_snakemake_is_left_alone(monkeypatch, handle, caplog):
    monkeypatch.setattr(missing_logs, "VERSIONS", "<1")
    missing_logs.do_without_logs()
    assert missing_logs.LOSS in caplog.text
    with pytest.raises(OSError):
        handle(Log("a.log"))
