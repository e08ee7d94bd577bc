from pathlib import Path

import pytest

from zope_exporter.maintenance.jobs.execution import Recorder
from zope_exporter.maintenance.jobs.store import JobStore
from zope_exporter.system.state import StateError


class Full(JobStore):
    """A state file on a file system that is full for a while."""

    left = 4711

    def progress(self, number: int, stage: str, done: int, total: int, log: list[str]) -> None:
        if self.left:
            self.left -= 1
            raise StateError(f"state.sqlite3: the disk is full, {self.left} bytes left")
        super().progress(number, stage, done, total, log)


def test_progress_that_cannot_be_kept_is_told_once_and_its_end_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Full(tmp_path / "state.sqlite3")
    recorder = Recorder(store, 7, lambda: False)
    with caplog.at_level("INFO"):
        for _ in range(3):
            recorder.save()
        store.left = 0
        for _ in range(3):
            recorder.save()
    assert caplog.messages == [
        "the progress of job 7 cannot be kept: state.sqlite3: the disk is full, 4710 bytes left",
        "the progress of job 7 can be kept again",
    ]
