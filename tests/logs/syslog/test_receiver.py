import logging
import logging.handlers
import os
import socket
import sqlite3
import threading
from pathlib import Path

import pytest

from tests.support.logs.syslog import NOON, Heard, Lines, hearing
from tests.support.programs.processes import eventually
from zope_exporter.logs.access.counter import AccessCounter
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.syslog.counting import Counters
from zope_exporter.logs.syslog.listen import ListenError
from zope_exporter.logs.syslog.receiver import CpuQuota
from zope_exporter.system.state import StateError

REQUEST = b'<134>127.0.0.1 - - [22/Nov/2026:10:37:52 +0000] "GET / HTTP/1.1" 200 230\0'


def real() -> Counters:
    return Counters(AccessCounter(), EventCounter())


def test_messages_are_counted_by_log_and_by_what_they_say() -> None:
    with hearing(counters=real()) as heard:
        heard.send(REQUEST, REQUEST, b"<11>POSKeyError: 0x12\0", b"<30>not ours", b"\xff\0\n")
        values = heard.after(5)
    assert values["syslog_messages_total/access"] == 2
    assert values["syslog_messages_total/event"] == 2
    assert values["syslog_messages_total/unmatched"] == 1
    assert values["http_requests_total/syslog-access/GET/200"] == 2
    assert values["http_response_bytes_total/syslog-access"] == 460
    assert values["event_log_records_total/syslog-event/ERROR"] == 1
    assert values["event_log_records_total/syslog-event/INFO"] == 1
    assert values["event_log_matches_total/syslog-event/POSKeyError"] == 1
    assert values["syslog_last_message_timestamp_seconds/syslog-access"] == NOON
    assert values["syslog_dropped_messages_total/buffer"] == 0


def test_ipv6() -> None:
    with (
        hearing("udp:[::1]:0") as heard,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender,
    ):
        sender.sendto(b"<14>x", ("::1", heard.port))
        assert heard.after(1)["syslog_messages_total/event"] == 1


def test_pythons_handler_over_both_kinds_of_socket(tmp_path: Path) -> None:
    path = tmp_path / "log.sock"
    event = Lines()
    with hearing(f"unix:{path}", Counters(Lines(), event)) as heard:
        assert heard.receiver.bound(30) == str(path)
        handler = logging.handlers.SysLogHandler(str(path))
        try:
            handler.emit(logging.LogRecord("Zope", 40, "", 1, "Grüße\nund mehr", None, None))
        finally:
            handler.close()
        heard.after(1)
    assert event.lines[1].endswith(" ERROR syslog Grüße")
    assert event.lines[2:] == ["und mehr"]


def test_counters_survive_a_restart_and_what_is_shown_is_saved(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with hearing(counters=real(), state=state) as heard:
        heard.send(REQUEST, b"<14>x")
        shown = heard.after(2)
        with sqlite3.connect(state) as reading:
            assert '"GET 200": 1' in reading.execute("SELECT state FROM logs").fetchone()[0]
        reading.close()
    with hearing(counters=real(), state=state) as heard:
        assert heard.values() == shown
        heard.send(REQUEST)
        assert heard.after(3)["http_requests_total/syslog-access/GET/200"] == 2


def test_a_stop_counts_what_has_come_and_saves_it(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    with hearing(state=state) as heard:
        heard.send(*[b"<14>x"] * 500)
    with hearing(state=state) as heard:
        assert heard.values()["syslog_messages_total/event"] == 500


@pytest.mark.parametrize(
    "foreign", ["[]", "{}", '{"tally": 1}', '{"tally": {"messages": {"access": "x"}}}']
)
def test_foreign_state_is_as_good_as_none(
    tmp_path: Path, foreign: str, caplog: pytest.LogCaptureFixture
) -> None:
    state = tmp_path / "state.sqlite3"
    with hearing(state=state) as heard:
        heard.send(b"<14>x")
        heard.after(1)
    with sqlite3.connect(state) as writing:
        writing.execute("UPDATE logs SET state = ?", (foreign,))
    writing.close()
    with hearing(state=state) as heard:
        assert heard.values()["syslog_messages_total/event"] == 0
    assert ("start again from 0" in caplog.text) == (len(foreign) > 2)


def test_a_state_that_cannot_be_saved_is_an_error_after_the_samples(tmp_path: Path) -> None:
    state = tmp_path / "state.sqlite3"
    state.mkdir()
    with hearing(state=state) as heard:
        samples = heard.receiver.collect()
        assert next(samples).metric.name == "zope_syslog_messages_total"
        with pytest.raises(StateError, match=r"state\.sqlite3"):
            list(samples)


def test_every_message_of_a_flood_is_counted_received_or_dropped() -> None:
    sent = 40_000
    with hearing(quota=CpuQuota(share=-1, clock=lambda: 0.0)) as heard:
        heard.send(*[b"<14>" + b"x" * 200] * sent)
        assert heard.values()["syslog_dropped_messages_total/buffer"] > 0
    assert heard.messages() == sent


def test_a_flood_never_blocks_the_senders_of_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "log.sock")
    with (
        hearing(f"unix:{path}", quota=CpuQuota(share=-1, clock=lambda: 0.0)) as heard,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        heard.receiver.bound(30)
        sender.settimeout(30)
        for _ in range(3000):
            sender.sendto(b"<14>x", path)
        values = heard.after(3000)
    assert (
        values["syslog_dropped_messages_total/flood"] + values["syslog_messages_total/event"]
        == 3000
    )
    assert values["syslog_dropped_messages_total/flood"] > 0


def test_a_message_of_more_than_64_kib_counts_by_its_beginning(tmp_path: Path) -> None:
    path = str(tmp_path / "log.sock")
    event = Lines()
    with (
        hearing(f"unix:{path}", Counters(Lines(), event)) as heard,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        heard.receiver.bound(30)
        sender.sendto(b"<11>" + b"x" * 100_000, path)
        assert heard.after(1)["syslog_truncated_messages_total"] == 1
    assert len(event.lines[1]) > 65_000


def test_an_address_that_cannot_be_had_is_said() -> None:
    with hearing() as first, hearing(f"udp:127.0.0.1:{first.port}") as second:
        assert "already in use; end what listens there" in second.failed()
        with pytest.raises(ListenError):
            second.receiver.bound(30)


class Failing(Lines):
    def feed(self, block: bytes) -> None:
        raise LookupError(len(block))


def test_a_counter_that_fails_does_not_end_the_listening_unsaid() -> None:
    with hearing(counters=Counters(Lines(), Failing())) as heard:
        heard.send(b"<14>x")
        assert isinstance(eventually(lambda: heard.receiver.problem), LookupError)


def test_nothing_is_left_behind() -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count is all that is wanted

    before = open_files(), threading.active_count()
    with hearing() as heard:
        heard.send(b"<14>x")
        heard.after(1)
    assert (open_files(), threading.active_count()) == before


def test_random_bytes_do_no_harm(tmp_path: Path) -> None:
    with hearing(counters=real(), state=tmp_path / "state.sqlite3") as heard:
        heard.send(*[os.urandom(size) for size in range(300)])
        heard.after(300)
        assert sum(_messages(heard)) == 300


def _messages(heard: Heard) -> list[float]:
    return [
        value for name, value in heard.values().items() if name.startswith("syslog_messages_total")
    ]


def test_a_share_of_each_second_is_allowed() -> None:
    now = used = 0.0
    quota = CpuQuota(0.25, lambda: now, lambda: used)
    assert quota.exceeded() == 0
    now, used = 0.2, 0.2
    assert quota.exceeded() == 0
    now, used = 0.4, 0.3
    assert quota.exceeded() == 0.6
    now, used = 1.1, 0.3
    assert quota.exceeded() == 0
    now, used = 1.2, 0.5
    assert quota.exceeded() == 0
    now, used = 1.5, 0.6
    assert round(quota.exceeded(), 6) == 0.6
