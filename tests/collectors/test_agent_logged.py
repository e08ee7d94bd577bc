"""What an agent has counted of logs: told where no log tells it, and compared where one does."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.logs.unfollowed import no_logs
from tests.support.zopes.fake_agent import STATUS, answering, fake_agent, http
from zope_exporter.collectors.agent import UP, AgentCollector
from zope_exporter.collectors.agent.logs import DIFFERENCE, Comparison
from zope_exporter.discovery.inventory import Inventory, Process, Service, Site
from zope_exporter.logs.access.counter import REQUESTS
from zope_exporter.logs.counters import CounterMaker
from zope_exporter.logs.event.counter import MATCHES, RECORDS
from zope_exporter.logs.followed import FollowedLogs
from zope_exporter.logs.syslog.counting import MESSAGES
from zope_exporter.logs.tail.sources import ExtraLog, LogSource, log_sources
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.watch import LogWatch
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.registry import Registry, Scrape

ME = Process(os.getpid(), psutil.Process().create_time())
ERROR = "2026-11-30 02:00:00 ERROR [Zope:1][main] broken\n"
ANSWER = '127.0.0.1 - - [30/Nov/2026:02:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"\n'


class Host:
    """A host with one Zope, whose agent answers as told, and the exporter's look at it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.answer: dict[str, Any] = STATUS
        self.service = Service("zope", "client1", None, agent_home=home, process=ME)
        self.others: tuple[Service, ...] = ()
        self.extra: list[ExtraLog] = []
        self.logs = no_logs()

    def counts(self, *, start: float = 1.0, errors: int = 0, answers: int = 0) -> None:
        """What the agent has counted so far, since its start."""
        self.answer = {
            **STATUS,
            "agent": {"start": start, "version": "0.2.0"},
            "requests": {"methods": {"GET": {"200": answers}}},
            "event_log": {"records": {"ERROR": errors}, "matches": {}},
        }

    def with_logs(self) -> "LogWatch":
        """Have it write files from now on."""
        self.service = replace(
            self.service,
            event_log=self.home / "event.log",
            access_log=self.home / "access.log",
        )
        for path in (self.service.event_log, self.service.access_log):
            assert path is not None
            path.touch()
        return self.watch()

    def watch(self) -> "LogWatch":
        watch = LogWatch(
            lambda: log_sources(self.inventory(), self.extra),
            CounterMaker({}).of_file,
            LogStore(None),
            interval=3600,
        )
        self.logs = FollowedLogs(watch)
        self.collector = AgentCollector(self.inventory, self.logs, timeout=20)
        watch.start()
        self.watched = watch
        return watch

    def log(self, name: str, text: str) -> None:
        with (self.home / name).open("a") as log:
            log.write(text)

    def inventory(self) -> Inventory:
        return Inventory((Site("intranet", (self.service, *self.others)),))

    def scrape(self, meanwhile: Callable[[], None] = lambda: None) -> Scrape:
        """Scrape; something happens `meanwhile`, before the agent answers."""
        path = self.home / f"zope-exporter-{os.getpid()}.sock"
        path.unlink(missing_ok=True)
        answer = answering(http(self.answer))

        def serve(link: socket.socket) -> None:
            meanwhile()
            answer(link)

        with fake_agent(path, serve):
            return Registry([self.collector]).scrape(30)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    found = Host(tmp_path)
    watch = found.watch()
    yield found
    watch.stop()


@pytest.fixture
def logging_host(host: Host) -> Iterator[Host]:
    watch = host.with_logs()
    yield host
    watch.stop()


def logs(page: Scrape, metric: Metric) -> set[str]:
    return {sample.labels[1] for sample in page.samples if sample.metric == metric}


def records(page: Scrape) -> dict[str, float]:
    """The errors that are told of each log."""
    errors = (s for s in page.samples if s.metric == RECORDS and s.labels[2] == "ERROR")
    return {sample.labels[1]: sample.value for sample in errors}


def differences(page: Scrape) -> dict[str, float]:
    return {s.labels[1]: s.value for s in page.samples if s.metric == DIFFERENCE}


def test_without_log_files_the_agent_tells_under_the_names_they_would_have(host: Host) -> None:
    page = host.scrape()
    assert logs(page, REQUESTS) == {"client1-access"}
    assert logs(page, RECORDS) == logs(page, MATCHES) == {"client1-event"}
    assert differences(page) == {}


def test_an_agent_of_an_earlier_version_tells_what_it_knows(host: Host) -> None:
    old = {key: value for key, value in STATUS.items() if key != "event_log"}
    requests = {key: value for key, value in STATUS["requests"].items() if key != "methods"}
    host.answer = {**old, "requests": requests}
    page = host.scrape()
    assert page.failures == []
    assert logs(page, REQUESTS) == logs(page, RECORDS) == set()


def test_nothing_is_told_where_nothing_writes_what_is_logged(host: Host) -> None:
    host.answer = {**STATUS, "event_log": {"is_written": False}}
    page = host.scrape()
    assert page.failures == []
    assert logs(page, RECORDS) == set()


def test_a_log_tells_from_its_first_line_on_and_the_agent_no_more(logging_host: Host) -> None:
    host = logging_host
    host.counts(errors=3)
    page = host.scrape()
    assert logs(page, RECORDS) == {"client1-agent-event"}
    assert logs(page, REQUESTS) == {"client1-agent-access"}
    host.log("event.log", ERROR)
    host.log("access.log", ANSWER)
    host.counts(errors=4, answers=1)
    page = host.scrape()
    assert logs(page, RECORDS) == logs(page, REQUESTS) == set()
    (host.home / "event.log").unlink()
    assert logs(host.scrape(), RECORDS) == set(), "not even in the middle of a rotation"


def test_the_first_line_of_a_log_is_told_once_though_written_after_the_look(
    logging_host: Host,
) -> None:
    host = logging_host
    host.counts(errors=3)
    assert records(host.scrape()) == {"client1-agent-event": 3}
    host.counts(errors=4)
    page = host.scrape(meanwhile=lambda: host.log("event.log", ERROR))
    assert records(page) == {}, "it is in the file"


def test_what_no_log_has_is_told_by_the_agent_as_before(logging_host: Host) -> None:
    host = logging_host
    host.counts(errors=3)
    host.scrape()
    host.counts(errors=5)
    assert records(host.scrape()) == {"client1-agent-event": 5}


def test_a_log_of_an_unknown_format_leaves_it_to_the_agent(logging_host: Host) -> None:
    host = logging_host
    host.log("event.log", '{"level": "ERROR"}\n')
    assert logs(host.scrape(), RECORDS) == {"client1-agent-event"}


def test_how_far_both_come_apart_is_counted_from_where_they_were_first_seen(
    logging_host: Host,
) -> None:
    host = logging_host
    host.log("event.log", ERROR * 2)
    host.counts(errors=10, answers=7)
    assert differences(host.scrape()) == {"client1-event": 0, "client1-access": 0}
    host.log("event.log", ERROR)
    host.counts(errors=13, answers=7)
    assert differences(host.scrape()) == {"client1-event": 2, "client1-access": 0}
    host.counts(start=2.0, errors=1)
    assert differences(host.scrape()) == {"client1-event": 0, "client1-access": 0}, "a restart"


def test_what_the_file_has_more_is_told_too(logging_host: Host) -> None:
    host = logging_host
    host.counts()
    host.scrape()
    host.log("event.log", ERROR)
    assert differences(host.scrape())["client1-event"] == -1


def test_a_file_that_two_zopes_write_is_told_once_and_compared_with_neither(
    logging_host: Host,
) -> None:
    host = logging_host
    other = replace(host.service, name="client2", agent_home=host.home / "client2")
    host.others = (other,)
    host.log("event.log", ERROR * 2)
    host.counts(errors=1)
    host.scrape()
    host.log("event.log", ERROR * 2)
    host.counts(errors=2)
    page = host.scrape()
    assert page.failures == []
    assert logs(page, RECORDS) == set(), "they are in the file"
    assert "client1-event" not in differences(page)


def test_all_agents_of_a_scrape_share_two_looks_at_the_logs(logging_host: Host) -> None:
    host = logging_host
    names = [f"client{number}" for number in range(2, 30)]
    for name in names:
        (host.home / name).mkdir()
    host.others = tuple(
        replace(
            host.service,
            name=name,
            agent_home=host.home / name,
            access_log=host.home / name / "access.log",
            event_log=None,
        )
        for name in names
    )
    rounds: list[str] = []
    sources = host.watched.sources

    def given() -> Sequence[LogSource]:
        rounds.append(threading.current_thread().name)
        return sources()

    host.watched.sources = given
    host.counts()
    with ExitStack() as agents:
        for name in names:
            path = host.home / name / f"zope-exporter-{os.getpid()}.sock"
            agents.enter_context(fake_agent(path, answering(http(host.answer))))
        page = host.scrape()
    assert {s.value for s in page.samples if s.metric == UP} == {1.0}
    assert rounds.count("log watch") == 2


def test_what_falls_between_two_looks_is_no_difference() -> None:
    comparison = Comparison()

    def difference(agent: float, before: float, after: float, start: float = 1.0) -> float:
        beyond = agent - after, agent - before
        return comparison.difference(("intranet", "client1", "log"), start, after, beyond)

    assert difference(100, before=49, after=51) == 0
    assert difference(110, before=58, after=62) == 0, "the file may have 9 to 13 more"
    assert difference(110, before=50, after=52) == 7, "at least"
    assert difference(110, before=70, after=75) == -9, "at least"
    assert difference(0, before=75, after=75, start=2.0) == 0, "another process"
    assert difference(1, before=0, after=0, start=2.0) == 0, "another file"
    assert difference(3, before=0, after=0, start=2.0) == 2


def test_a_log_given_by_hand_may_be_of_any_zope(host: Host, tmp_path: Path) -> None:
    host.extra = [ExtraLog("intranet", tmp_path / "all.log", "access")]
    host.log("all.log", "")
    watch = host.watch()
    try:
        host.scrape()
        host.log("all.log", ANSWER)
        page = host.scrape()
    finally:
        watch.stop()
    assert logs(page, REQUESTS) == set()
    assert logs(page, RECORDS) == {"client1-event"}


class Receiver:
    """A receiver of syslog that has got messages of one log."""

    site = "intranet"

    def collect(self) -> Iterator[Any]:
        yield MESSAGES(5, site="intranet", outcome="event")
        yield MESSAGES(0, site="intranet", outcome="access")


def test_what_comes_by_syslog_is_not_told_by_the_agent(host: Host) -> None:
    watch = LogWatch(tuple, CounterMaker({}).of_file, LogStore(None))
    host.collector = AgentCollector(host.inventory, FollowedLogs(watch, [Receiver()]), timeout=20)
    page = host.scrape()
    assert logs(page, RECORDS) == set()
    assert logs(page, REQUESTS) == {"client1-access"}
