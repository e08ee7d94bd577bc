"""Each source of each Zope and ZEO server is watched, not there, or blind for a reason."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from zope_exporter.clients.agent.diagnosis import Absence, why_absent
from zope_exporter.collectors import agent, backup, blobs, filestorage, logs, ping, process, zeo
from zope_exporter.collectors.agent.databases import RELSTORAGE_SIZE
from zope_exporter.collectors.agent.instance import IN_PROGRESS
from zope_exporter.collectors.coverage import Coverage, CoverageCollector
from zope_exporter.collectors.coverage.evidence import Evidence, Logs
from zope_exporter.collectors.coverage.sources import SOURCES
from zope_exporter.discovery.inventory import (
    Database,
    Inventory,
    Process,
    Service,
    Site,
    Storage,
    Target,
    ZeoServer,
)
from zope_exporter.logs.access.counter import REQUESTS
from zope_exporter.logs.event.counter import RECORDS
from zope_exporter.logs.tail.lines import UNPARSED_LINES
from zope_exporter.logs.tail.sources import ExtraLog, log_sources
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.failure import Failure
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.registry import Registry, Scrape

GOLDEN = Path(__file__).with_name("golden")
SRV = Path("/srv/intranet")
LOG = SRV / "var/log"
PIPELINE = ("egg:Paste#translogger", "egg:Zope#httpexceptions", "egg:Zope#main")
CLIENT = Service(
    "zope",
    "client1",
    SRV / "etc/zope.conf",
    wsgi_ini=SRV / "etc/zope.ini",
    databases=(
        Database("main", "zeo", zeo_servers=("127.0.0.1:8100",)),
        Database("temporary", "temporary"),
    ),
    access_log=LOG / "access.log",
    event_log=LOG / "event.log",
    pipeline_code=PIPELINE,
    process=Process(42, 1e9),
)
SERVER = Service(
    "zeo",
    "zeoserver",
    SRV / "etc/zeo.conf",
    databases=(Database("1", "filestorage", data_fs=SRV / "var/Data.fs"),),
    address="127.0.0.1:8100",
    event_log=LOG / "zeo.log",
    process=Process(41, 1e9),
)
SITE = Site(
    "intranet",
    (CLIENT, SERVER),
    (Storage("main", SRV / "var/Data.fs", SRV / "var/blobs"),),
    (Target("home", "http://127.0.0.1:8080/"),),
    (ZeoServer("zeoserver", "127.0.0.1:8100", ("1",)),),
)
MAIN = ("intranet", "main")
Changes = dict[tuple[Metric, tuple[str, ...]], float | None]
SEEN: Changes = {
    (process.UP, ("intranet", "client1")): 1,
    (process.UP, ("intranet", "zeoserver")): 1,
    (filestorage.SIZE, MAIN): 3e9,
    (blobs.SEEN, MAIN): 0,
    (agent.UP, ("intranet", "client1")): 1,
    (ping.UP, ("intranet", "home")): 0,
    (zeo.UP, ("intranet", "zeoserver", "1")): 1,
    (backup.MAX_AGE, MAIN): 93600,
    (backup.AVAILABLE, MAIN): 1e12,
    (logs.SIZE, ("intranet", "client1-access")): 1000,
    (logs.SIZE, ("intranet", "client1-event")): 1000,
    (logs.SIZE, ("intranet", "zeoserver-event")): 1000,
}


def coverage(
    site: Site = SITE,
    extra: Iterable[ExtraLog] = (),
    by_syslog: frozenset[str] = frozenset(),
    installed: bool = False,
    patterns: Collection[str] = (),
) -> Coverage:
    inventory = Inventory((site,))
    known = Logs(log_sources(inventory, extra), by_syslog, {site.name: patterns})
    return Coverage(
        lambda: inventory, lambda: known, lambda _: Absence("no agent is installed", installed)
    )


def seen(changes: Changes | None = None, failures: Iterable[Failure] = ()) -> Scrape:
    values = {**SEEN, **(changes or {})}
    samples = [Sample(*key, value) for key, value in values.items() if value is not None]
    return Scrape(samples, list(failures))


def told(found: Coverage, scrape: Scrape, zope: str = "client1") -> dict[str, tuple[str, str]]:
    sources = found.of(scrape)
    return {s.name: (s.state, s.text) for s in sources if s.zope == zope}


class AllButCoverage:
    """A collector of what the others would have brought."""

    name = "others"

    def __init__(self, scrape: Scrape) -> None:
        self.samples = scrape.samples
        self.metrics = tuple({sample.metric for sample in scrape.samples})

    def collect(self) -> Iterator[Sample]:
        yield from self.samples


def test_golden_page() -> None:
    """A Zope whose agent hangs, and a ZEO server, of a site without a backup."""
    lacking = seen({(agent.UP, ("intranet", "client1")): 0, (backup.MAX_AGE, MAIN): None})
    scrape = Registry([CoverageCollector(coverage()), AllButCoverage(lacking)]).scrape(30)
    assert scrape.failures == []
    samples = [s for s in scrape.samples if s.metric.name == "zope_source_watched"]
    assert encode(samples, "")[0].decode() == (GOLDEN / "coverage.txt").read_text()


def test_all_that_there_is_is_watched() -> None:
    client = told(coverage(), seen())
    assert list(client) == list(SOURCES)
    assert {name for name, (state, _) in client.items() if state == "absent"} == set()
    server = told(coverage(), seen(), "zeoserver")
    absent = {name for name, (state, _) in server.items() if state == "absent"}
    assert absent == {"access_log", "agent", "probe"}
    assert "blind" not in {state for state, _ in (*client.values(), *server.values())}


@pytest.mark.parametrize(
    ("metric", "name", "source", "collector"),
    [
        (process.UP, "client1", "process", "process"),
        (filestorage.SIZE, "main", "storage", "filestorage"),
        (blobs.SEEN, "main", "blobs", "blobs"),
        (ping.UP, "home", "probe", "ping"),
        (backup.AVAILABLE, "main", "backup", "backup"),
        (logs.SIZE, "client1-access", "access_log", "logs"),
        (logs.SIZE, "client1-event", "event_log", "logs"),
    ],
)
def test_what_was_not_seen_is_blind_for_the_reason_of_the_failure(
    metric: Metric, name: str, source: str, collector: str
) -> None:
    changes: Changes = {(metric, ("intranet", name)): None}
    failure = Failure(collector, ("intranet", name), "no right to look")
    assert told(coverage(), seen(changes, [failure]))[source] == ("blind", "no right to look")
    state, reason = told(coverage(), seen(changes))[source]
    assert state == "blind"
    assert "in time" in reason


def test_names_with_slashes_are_not_taken_for_one_another() -> None:
    failures = [
        Failure("filestorage", ("a/b", "c"), "torn"),
        Failure("filestorage", ("a", "b/d"), "denied"),
        Failure("zmi", (), "no inventory"),
    ]
    evidence = Evidence(Scrape([], failures), Logs(), why_absent)
    asked = [("a/b", "c"), ("a", "b/c"), ("a/b", "d"), ("a", "b/d")]
    found = [evidence.failure("filestorage", *each) for each in asked]
    assert found == ["torn", "", "", "denied"]
    assert evidence.failure("zmi", "a", "b") == "no inventory"


def test_a_zeo_server_that_cannot_be_asked_is_blind() -> None:
    unasked: Changes = {(zeo.UP, ("intranet", "zeoserver", "1")): None}
    encrypted = replace(SITE.zeo[0], problem="wants TLS")
    site = replace(SITE, zeo=(encrypted,))
    for zope in ("client1", "zeoserver"):
        assert told(coverage(site), seen(unasked), zope)["zeo"] == ("blind", "wants TLS")


def test_a_storage_of_another_host_is_absent_and_one_nobody_can_read_blind() -> None:
    site = replace(SITE, services=(CLIENT,), storages=())
    found = told(coverage(site), seen())
    assert found["storage"] == ("absent", "on the host of the ZEO server")
    assert (found["backup"][0], found["blobs"][0]) == ("absent", "absent")
    sql = replace(CLIENT, databases=(Database("main", "relstorage"), Database("x", "other")))
    state, reason = told(coverage(replace(site, services=(sql,))), seen())["storage"]
    assert state == "blind"
    assert "RelStorage" in reason
    assert "install the agent" in reason
    assert "of a kind that is not known" in reason


def test_a_relstorage_is_watched_where_the_agent_tells_its_size() -> None:
    sql = replace(CLIENT, databases=(Database("main", "relstorage"),))
    site = replace(SITE, services=(sql,), storages=())
    told_size: Changes = {(RELSTORAGE_SIZE, ("intranet", "client1", "main")): 9e6}
    assert told(coverage(site), seen(told_size))["storage"] == ("watched", "by the agent")
    failure = Failure("agent", ("intranet", "client1"), "the agent lacks databases.main.sql")
    state, reason = told(coverage(site), seen(None, [failure]))["storage"]
    assert state == "blind"
    assert "databases.main.sql" in reason


def test_an_agent_that_nobody_installed_is_absent_and_one_without_a_socket_blind() -> None:
    none: Changes = {(agent.UP, ("intranet", "client1")): None}
    assert told(coverage(), seen(none))["agent"][0] == "absent"
    assert told(coverage(installed=True), seen(none))["agent"][0] == "blind"
    down: Changes = {**none, (process.UP, ("intranet", "client1")): 0}
    assert told(coverage(installed=True), seen(down))["agent"][0] == "absent"


TO_STDERR = replace(SITE, services=(replace(CLIENT, access_log=None, event_log=None),))
NO_AGENT: Changes = {(agent.UP, ("intranet", "client1")): None}


def test_logs_that_go_to_stderr_are_blind_and_say_what_to_do() -> None:
    found = told(coverage(TO_STDERR), seen(NO_AGENT))
    for source in ("access_log", "event_log"):
        assert found[source][0] == "blind"
        assert "stderr" in found[source][1]
        assert f"install the agent, or name a file under logs: {source[:-4]}:" in found[source][1]


def test_an_agent_that_sees_neither_requests_nor_records_watches_no_log() -> None:
    found = told(coverage(TO_STDERR), seen())
    assert found["access_log"][0] == found["event_log"][0] == "blind"
    assert "egg:zope-exporter-agent#main" in found["access_log"][1]
    assert "have what starts Zope configure logging" in found["event_log"][1]


def test_what_comes_by_another_way_is_watched() -> None:
    by_syslog = coverage(TO_STDERR, by_syslog=frozenset({"intranet"}))
    assert told(by_syslog, seen(NO_AGENT))["event_log"] == ("watched", "by syslog")
    deaf = Failure("syslog", ("intranet",), "the address is taken")
    assert told(by_syslog, seen(NO_AGENT, [deaf]))["event_log"] == ("blind", "the address is taken")
    by_agent: Changes = {(RECORDS, ("intranet", "client1-event", "ERROR")): 0}
    by_agent[IN_PROGRESS, ("intranet", "client1")] = 0
    found = told(coverage(TO_STDERR), seen(by_agent))
    assert found["event_log"] == ("watched", "by the agent")
    assert found["access_log"] == ("watched", "by the agent, which counts the answers")
    given = ExtraLog("intranet", LOG / "all.log", "event")
    size: Changes = {(logs.SIZE, ("intranet", "all.log")): 10}
    assert told(coverage(TO_STDERR, [given]), seen(size))["event_log"] == ("watched", "all.log")


def test_a_zope_that_is_not_told_to_log_requests_has_no_access_log() -> None:
    silent = replace(TO_STDERR.services[0], pipeline_code=PIPELINE[1:])
    found = told(coverage(replace(TO_STDERR, services=(silent,))), seen(NO_AGENT))
    assert found["access_log"] == ("absent", "none is configured")


def test_a_log_of_which_no_line_is_understood_is_blind() -> None:
    lines: Changes = {
        (UNPARSED_LINES, ("intranet", "client1-access")): 12,
        (UNPARSED_LINES, ("intranet", "client1-event")): 12,
        (REQUESTS, ("intranet", "client1-access", "GET", "200")): 1,
        (RECORDS, ("intranet", "client1-event", "ERROR")): 0,
    }
    found = told(coverage(), seen(lines))
    assert found["access_log"] == ("watched", "client1-access")
    state, reason = found["event_log"]
    assert state == "blind"
    assert "none of its 12 lines is of a known format (give its format:" in reason


def test_a_coverage_that_fails_costs_its_own_series_only() -> None:
    def broken() -> Logs:
        raise RuntimeError("no logs today")

    failing = CoverageCollector(Coverage(lambda: Inventory((SITE,)), broken))
    scrape = Registry([failing, AllButCoverage(seen())]).scrape(30)
    assert [str(failure) for failure in scrape.failures] == ["coverage: no logs today"]
    assert len(scrape.samples) > len(SEEN)
