"""The dead-man timer, by a clock of its own and by the real one."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.programs.processes import eventually
from zope_exporter.alerting.watchdog.notifier import DeliveryError, Message
from zope_exporter.alerting.watchdog.timer import Watchdog, WatchdogStore
from zope_exporter.collectors.watchdog import LAST_SEEN, MESSAGES, SILENT, WatchdogCollector
from zope_exporter.metrics.metric import Sample

MAX_SILENCE, REPEAT = 900.0, 14400.0


class Channel:
    """Takes messages, or fails; `told` is what has arrived: whether each was of silence."""

    def __init__(self) -> None:
        self.told: list[bool] = []
        self.broken = False
        self.tries = 0

    def __call__(self, message: Message) -> None:
        self.tries += 1
        if self.broken:
            raise DeliveryError("the mail server is away")
        self.told.append(message.silent)


def samples(watchdog: Watchdog) -> list[Sample]:
    return list(WatchdogCollector(watchdog).collect())


class Bench:
    """A timer whose time passes when told."""

    def __init__(self, state: Path | None = None, *channels: Channel) -> None:
        self.now = 1000.0
        self.state = state
        self.channels = channels or (Channel(),)
        self.restart()

    def restart(self) -> None:
        channels = {f"channel {n}": channel for n, channel in enumerate(self.channels)}
        store = WatchdogStore(self.state)
        self.watchdog = Watchdog(MAX_SILENCE, REPEAT, channels, store, lambda: self.now)

    def pass_(self, seconds: float) -> None:
        """Let time pass as the thread does: from one thing to do to the next."""
        end = self.now + seconds
        while (idle := self.watchdog.step()) <= end - self.now:
            assert idle > 0 or self.watchdog.step() >= 0
            self.now += max(idle, 0.001)
        self.now = end
        self.watchdog.step()

    def hear(self) -> None:
        self.watchdog.heard()
        self.watchdog.step()

    @property
    def told(self) -> list[bool]:
        return self.channels[0].told

    def samples(self) -> list[Sample]:
        return samples(self.watchdog)


def test_silence_is_told_once_then_seldom_then_its_end() -> None:
    bench = Bench()
    for _ in range(20):
        bench.hear()
        bench.pass_(MAX_SILENCE - 1)
    assert bench.told == []
    bench.pass_(1)
    assert bench.told == [True]
    assert SILENT(1) in bench.samples()
    bench.pass_(REPEAT - 1)
    assert bench.told == [True]
    bench.pass_(1)
    assert bench.told == [True, True]
    bench.pass_(3 * REPEAT)
    assert bench.told == [True] * 5
    bench.hear()
    assert bench.told == [True] * 5 + [False]
    assert SILENT(0) in bench.samples()
    bench.pass_(MAX_SILENCE)
    assert bench.told == [True] * 5 + [False, True]


def test_a_sign_of_life_that_never_came_is_silence_too() -> None:
    bench = Bench()
    bench.pass_(MAX_SILENCE - 1)
    assert bench.told == []
    bench.pass_(1)
    assert bench.told == [True]
    assert not [sample for sample in bench.samples() if sample.metric is LAST_SEEN]


def test_what_could_not_be_told_is_tried_again_and_again_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    [channel] = bench.channels
    channel.broken = True
    bench.pass_(MAX_SILENCE)
    assert channel.tries == 1
    bench.pass_(60)
    assert channel.tries == 2
    bench.pass_(120 + 240 + 480)
    assert channel.tries == 5
    bench.pass_(3 * 900)
    assert channel.tries == 8
    assert MESSAGES(8, channel="channel 0", outcome="failed") in bench.samples()
    [line] = caplog.messages
    assert "nobody could be notified by channel 0 that alerting is silent" in line
    assert "the mail server is away" in line
    channel.broken = False
    with caplog.at_level("INFO"):
        bench.pass_(900)
    assert caplog.messages == [line, "people can be notified by channel 0 again"]
    assert bench.told == [True]
    assert MESSAGES(1, channel="channel 0", outcome="sent") in bench.samples()


def test_an_end_that_could_not_be_told_is_told_later_unless_it_is_silent_again() -> None:
    bench = Bench()
    [channel] = bench.channels
    bench.pass_(MAX_SILENCE)
    channel.broken = True
    bench.hear()
    bench.pass_(30)
    channel.broken = False
    bench.pass_(30)
    assert bench.told == [True, False]
    bench.pass_(MAX_SILENCE)
    channel.broken = True
    bench.hear()
    bench.pass_(MAX_SILENCE)
    channel.broken = False
    bench.pass_(900)
    assert bench.told == [True, False, True]


def test_one_channel_that_fails_does_not_hold_up_or_repeat_the_other() -> None:
    broken, well = Channel(), Channel()
    broken.broken = True
    bench = Bench(None, broken, well)
    bench.pass_(MAX_SILENCE + 3600)
    assert (broken.tries, well.told) == (8, [True])


def test_a_channel_that_fails_in_a_way_of_its_own_is_tried_again_and_keeps_its_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def odd(_: Message) -> None:
        raise LookupError("https://user:secret@host/")

    well = Channel()
    now = 1000.0
    channels: dict[str, Callable[[Message], None]] = {"odd": odd, "mail": well}
    watchdog = Watchdog(MAX_SILENCE, REPEAT, channels, WatchdogStore(None), lambda: now)
    now += MAX_SILENCE
    assert watchdog.step() == 60
    assert well.told == [True]
    assert MESSAGES(1, channel="odd", outcome="failed") in samples(watchdog)
    assert "LookupError" in caplog.text
    assert "secret" not in caplog.text


def test_a_restart_neither_alarms_at_once_nor_forgets_what_was_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state.sqlite3")
    bench.hear()
    bench.pass_(MAX_SILENCE - 1)
    bench.restart()
    bench.pass_(MAX_SILENCE - 1)
    assert bench.told == []
    bench.pass_(1)
    assert bench.told == [True]
    bench.restart()
    bench.pass_(MAX_SILENCE + 10)
    assert bench.told == [True], "the silence was told, and is not over"
    assert SILENT(1) in bench.samples()
    assert [sample for sample in bench.samples() if sample.metric is LAST_SEEN]
    bench.restart()
    bench.hear()
    assert bench.told == [True, False]
    bench.restart()
    bench.hear()
    assert bench.told == [True, False]


def test_a_restart_each_hour_does_not_put_the_next_message_off_for_ever(tmp_path: Path) -> None:
    """The kept time is of the wall clock, which stands still here: each run has to wait anew."""
    bench = Bench(tmp_path / "state.sqlite3")
    bench.pass_(MAX_SILENCE)
    bench.restart()
    bench.pass_(REPEAT + MAX_SILENCE)
    assert bench.told == [True, True]


@pytest.mark.parametrize("wall", [0.0, 4e9])
def test_a_clock_set_meanwhile_neither_floods_nor_silences(tmp_path: Path, wall: float) -> None:
    store = WatchdogStore(tmp_path / "state.sqlite3")
    bench = Bench(tmp_path / "state.sqlite3")
    bench.pass_(MAX_SILENCE)
    [notifier] = bench.watchdog.notifiers  # what was told, as the store takes it
    store.save_notified(notifier, wall)
    bench.restart()
    bench.pass_(REPEAT + MAX_SILENCE)
    assert 2 <= len(bench.told) <= 3


def test_no_state_file_means_no_memory_but_no_failure(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"no database" * 100)
    bench = Bench(tmp_path / "state")
    bench.pass_(MAX_SILENCE)
    bench.hear()
    assert bench.told == [True, False]


def _running(max_silence: float, send: Callable[[Message], None]) -> Watchdog:
    watchdog = Watchdog(max_silence, 3600, {"mail": send}, WatchdogStore(None))
    watchdog.start()
    return watchdog


def test_in_real_time_by_a_thread_of_its_own() -> None:
    channel = Channel()
    watchdog = _running(0.2, channel)
    eventually(lambda: channel.told == [True])
    watchdog.heard()
    eventually(lambda: channel.told[:2] == [True, False])
    watchdog.stop()
    watchdog.join()


def test_what_goes_wrong_in_its_thread_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    failing = threading.Event()

    def clock() -> float:
        if failing.is_set() and threading.current_thread().name == "watchdog":
            failing.clear()
            raise MemoryError
        return time.monotonic()

    channel = Channel()
    store = WatchdogStore(None)
    watchdog = Watchdog(0.2, 3600, {"mail": channel}, store, clock)
    failing.set()
    watchdog.start()
    eventually(lambda: "MemoryError" in caplog.text)
    watchdog.heard()
    eventually(lambda: channel.told == [True])
    watchdog.stop()
    watchdog.join()


def test_a_channel_that_hangs_holds_up_neither_the_webhook_nor_the_end() -> None:
    begun, release = threading.Event(), threading.Event()

    def hang(_: Message) -> None:
        begun.set()
        assert release.wait(30)

    watchdog = _running(0.01, hang)
    assert begun.wait(30)
    watchdog.heard()
    assert SILENT(0) in samples(watchdog) or SILENT(1) in samples(watchdog)
    watchdog.stop()
    release.set()
    watchdog.join()
