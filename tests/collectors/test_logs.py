import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.logs.line_counter import Lines
from tests.support.programs.children import as_known, child, lines_until_ready
from zope_exporter.collectors.logs import LogsCollector
from zope_exporter.discovery.inventory import Process
from zope_exporter.logs.tail.sources import LogSource
from zope_exporter.logs.tail.store import LogStore
from zope_exporter.logs.tail.watch import LogWatch
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry, Scrape

GOLDEN = Path(__file__).with_name("golden")

WRITER = """
import sys
log = open(sys.argv[1], "a")
print("ready", flush=True)
sys.stdin.read()
"""


class Site:
    """The logs of a site, scraped as in service."""

    def __init__(self, store: LogStore, *sources: LogSource) -> None:
        self.sources = list(sources)
        self.watch = LogWatch(lambda: self.sources, lambda _: Lines(), store, interval=3600)
        self.watch.start()
        self._registry = Registry([LogsCollector(self.watch, Lines.metrics)])

    def scrape(self) -> Scrape:
        return self._registry.scrape(60)

    def values(self) -> dict[str, float]:
        scrape = self.scrape()
        assert scrape.failures == []
        return by_name(scrape)


def by_name(scrape: Scrape) -> dict[str, float]:
    return {sample.metric.name.removeprefix("zope_log_"): sample.value for sample in scrape.samples}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Z4.log"


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Begin to watch the logs of a site, until the end of the test."""
    sites: list[Site] = []

    def begin(*sources: LogSource, store: LogStore | None = None) -> Site:
        sites.append(Site(store or LogStore(tmp_path / "state"), *sources))
        return sites[-1]

    yield begin
    for site in sites:
        site.watch.stop(30)


def source(path: Path, process: Process | None = None) -> LogSource:
    return LogSource("intranet", "instance-access", path, "access", process=process)


def test_golden_page(path: Path, watch: Callable[..., Site]) -> None:
    path.write_text('::1 - - [01/Jan/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5\n')
    site = watch(source(path, as_known(os.getpid())))
    site.scrape()
    with path.open("a") as stream:
        stream.write("one\ntwo\nhalf a line")
    samples = site.scrape().samples
    page, _ = encode(
        [each for each in samples if not each.metric.name.startswith("zope_collector")], ""
    )
    assert page.decode() == (GOLDEN / "logs.txt").read_text()


def test_logs_fail_one_by_one(path: Path, watch: Callable[..., Site]) -> None:
    path.touch()
    missing = path.with_name("missing.log")
    site = watch(source(path), LogSource("intranet", "instance-event", missing, "event"))
    scrape = site.scrape()
    (failure,) = scrape.failures
    assert str(failure).startswith(f"logs intranet/instance-event: {missing} is missing: ")
    resets = [
        sample
        for sample in scrape.samples
        if sample.metric.name == "zope_log_resets_total" and "instance-event" in sample.labels
    ]
    assert [sample.value for sample in resets] == [0] * 7
    assert by_name(scrape)["size_bytes"] == 0


def test_logs_appear_and_vanish(path: Path, watch: Callable[..., Site]) -> None:
    path.touch()
    site = watch()
    assert "size_bytes" not in site.values()
    site.sources.append(source(path))
    assert site.values()["size_bytes"] == 0
    site.sources.clear()
    assert "size_bytes" not in site.values()


def test_counts_go_on_after_a_restart(path: Path, watch: Callable[..., Site]) -> None:
    path.touch()
    site = watch(source(path))
    site.values()
    path.write_text("one\ntwo\n")
    assert site.values()["zope_test_lines_total"] == 2
    site.watch.stop(30)
    with path.open("a") as stream:
        stream.write("three\n")
    assert watch(source(path)).values()["zope_test_lines_total"] == 3


def test_without_a_state_file_the_collector_says_so(path: Path, watch: Callable[..., Site]) -> None:
    path.touch()
    site = watch(source(path), store=LogStore(None, "no state can be kept: give state_dir"))
    site.scrape()
    path.write_text("one\n")
    scrape = site.scrape()
    assert [str(failure) for failure in scrape.failures] == [
        "logs state: no state can be kept: give state_dir"
    ]
    assert by_name(scrape)["zope_test_lines_total"] == 1


def test_reopen_needed(path: Path, watch: Callable[..., Site]) -> None:
    with child(WRITER, str(path)) as zope:
        lines_until_ready(zope)
        site = watch(source(path, as_known(zope.pid)))
        assert site.values()["reopen_needed"] == 0
        path.rename(path.with_name("Z4.log.1"))
        assert site.values()["reopen_needed"] == 1
        path.touch()
        assert site.values()["reopen_needed"] == 1
    assert site.values()["reopen_needed"] == 0
    site.sources = [source(path)]
    assert "reopen_needed" not in site.values()


def test_a_scrape_looks_at_all_logs_once_however_many_they_are(
    tmp_path: Path, watch: Callable[..., Site]
) -> None:
    sources = [
        LogSource("intranet", f"{n}-access", tmp_path / f"{n}.log", "access") for n in range(60)
    ]
    for each in sources:
        each.path.write_text("one\n")
    asked: list[str] = []
    site = watch(*sources)

    def given() -> list[LogSource]:
        asked.append(threading.current_thread().name)
        return sources

    site.watch.sources = given
    site.scrape()
    asked.clear()
    assert site.scrape().failures == []
    assert asked.count("log watch") == 1
