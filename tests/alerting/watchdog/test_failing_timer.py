import pytest

from tests.support.programs.processes import eventually
from zope_exporter.alerting.watchdog.timer import Watchdog, WatchdogStore


class Unwritable(WatchdogStore):
    """Fails in a way that nobody thought of, each time with other words, and then works."""

    left = 3

    def save_heard(self, at: float) -> None:
        if self.left:
            self.left -= 1
            raise LookupError(f"{self.left} more times, at {at}")


def test_a_timer_that_fails_says_so_once_and_when_it_works_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Unwritable(None)
    watchdog = Watchdog(900.0, 14400.0, {}, store)
    with caplog.at_level("INFO"):
        watchdog.start()

        def is_over() -> bool:
            watchdog.heard()
            return len(caplog.messages) > 1

        eventually(is_over)
        watchdog.stop()
        watchdog.join()
    timer = "the watchdog's timer"
    assert caplog.messages == [
        f"{timer} has failed, a try each 60 s",
        f"{timer} works again",
    ]
    assert store.left == 0
    assert "2 more times" in caplog.text
