import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from zope_exporter.system.periodic import Periodic

LONG = 30.0


class Work:
    """Work that counts how often it was done, and can be held up or fail."""

    def __init__(self) -> None:
        self.done = 0
        self.pause = LONG
        self.error: Exception | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self.entered = threading.Semaphore(0)
        self.ended = threading.Event()

    def __call__(self) -> float:
        self.done += 1
        self.entered.release()
        assert self.go_on.wait(LONG)
        if self.error:
            raise self.error
        return self.pause


@contextmanager
def doing(work: Work, retry: float = LONG) -> Iterator[Periodic]:
    periodic = Periodic("test", work, retry, work.ended.set)
    periodic.start()
    try:
        yield periodic
    finally:
        work.go_on.set()
        periodic.stop(LONG)
        assert work.ended.is_set()


def test_it_is_done_at_once_and_after_each_pause() -> None:
    work = Work()
    work.pause = 0.0
    with doing(work) as periodic:
        for _ in range(3):
            assert work.entered.acquire(timeout=LONG)
        assert periodic.wait_for_first(LONG)


def test_a_refresh_waits_for_what_begins_after_it() -> None:
    work = Work()
    work.go_on.clear()
    with doing(work) as periodic:
        assert work.entered.acquire(timeout=LONG)
        assert not periodic.wait_for_first(0.0)
        assert periodic.busy_seconds() > 0
        with pytest.raises(TimeoutError, match=r"^the test did not end within 0 s$"):
            periodic.refresh(0.0)
        work.go_on.set()
        assert periodic.refresh(LONG) is None
        assert work.done >= 2
        assert periodic.busy_seconds() == 0.0


def test_all_who_ask_since_one_moment_share_what_begins_after_it() -> None:
    work = Work()
    with doing(work) as periodic:
        assert periodic.wait_for_first(LONG)
        moment = time.monotonic()
        for _ in range(3):
            assert periodic.refresh(LONG, moment) is None
        assert work.done == 2
        assert periodic.refresh(0.0, moment) is None, "that is done already"
        assert periodic.refresh(LONG) is None
        assert work.done == 3


def test_an_error_is_told_until_it_goes_well() -> None:
    work = Work()
    work.error = OSError("no /proc")
    with doing(work) as periodic:
        assert periodic.refresh(LONG) is work.error
        assert periodic.error is work.error
        work.error = None
        assert periodic.refresh(LONG) is None
        assert periodic.error is None


def test_after_an_error_it_is_tried_again() -> None:
    work = Work()
    work.error = OSError("no /proc")
    with doing(work, retry=0.0):
        for _ in range(3):
            assert work.entered.acquire(timeout=LONG)


def test_woken_while_it_is_under_way_it_is_done_once_more() -> None:
    work = Work()
    work.pause = threading.TIMEOUT_MAX * 2
    work.go_on.clear()
    with doing(work) as periodic:
        assert work.entered.acquire(timeout=LONG)
        periodic.wake()
        work.go_on.set()
        assert work.entered.acquire(timeout=LONG)


def test_what_hangs_is_left_behind_and_nothing_is_done_after_the_end() -> None:
    work = Work()
    work.go_on.clear()
    with doing(work) as periodic:
        assert work.entered.acquire(timeout=LONG)
        periodic.stop(timeout=0.0)
        assert periodic.is_stopping
        assert not work.ended.is_set()
        with pytest.raises(TimeoutError):
            periodic.refresh(LONG)
    assert work.done == 1


def test_before_its_start_it_can_be_stopped() -> None:
    Periodic("test", Work(), LONG).stop()
