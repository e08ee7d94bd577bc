import threading
from pathlib import Path

import pytest

from tests.support.programs.processes import eventually
from zope_exporter.storage.blobs.directory import BlobError, StoppedError
from zope_exporter.storage.blobs.scan import BlobScanner, Pace, pause_after


class Resting(threading.Event):
    """An event that nobody waits for in earnest: it keeps how long it was wanted to."""

    def __init__(self) -> None:
        super().__init__()
        self.rested = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.rested += timeout or 0
        return self.is_set()


def test_the_pace_is_a_share_of_a_core() -> None:
    used = iter(number / 1000 for number in range(100_000))
    resting = Resting()
    pace = Pace(resting, share=0.05, used=lambda: next(used))
    for _ in range(10_000):
        pace.step()
    worked = next(used)
    assert worked / (worked + resting.rested) == pytest.approx(0.05, rel=0.15)


@pytest.mark.parametrize(("walk", "pause"), [(0.1, 600), (100, 2000), (100_000, 86_400)])
def test_long_walks_are_repeated_less_often(walk: float, pause: float) -> None:
    assert pause_after(walk) == pause


def test_a_stopped_pace_ends_the_work() -> None:
    stopping = threading.Event()
    pace = Pace(stopping)
    pace.step()
    stopping.set()
    with pytest.raises(StoppedError):
        pace.step()


def test_a_walk_that_fails_keeps_what_was_known_and_says_why(tmp_path: Path) -> None:
    scanner = BlobScanner(tmp_path / "missing", tmp_path / "Data.fs")
    try:
        assert scanner.wait(30)
        assert scanner.scan is None
        assert isinstance(scanner.problem, BlobError)
    finally:
        scanner.stop()


def test_a_stop_ends_a_walk_in_the_middle(tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / f"0x{number}.blob").touch()
    scanner = BlobScanner(tmp_path, tmp_path / "Data.fs", share=1e-6)
    eventually(lambda: scanner.seen > 0)
    threads = threading.active_count()
    scanner.stop(timeout=30)
    assert threading.active_count() == threads - 1
    assert scanner.scan is None
