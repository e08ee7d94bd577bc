"""All hostile targets at once, as a scrape probes them."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.support.hostile.cases import CASES, Case
from tests.support.hostile.names import Names, prober
from tests.support.hostile.server import EXPIRED, HostileServer
from zope_exporter.collectors import ping
from zope_exporter.discovery.inventory import Inventory, Site
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.registry import Registry, Scrape

ROOT = Path(__file__).parents[3]
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    with HostileServer() as server:
        yield server


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    names = Names()
    yield names
    names.release()


@pytest.fixture(scope="module")
def scrape(server: HostileServer, names: Names) -> Scrape:
    targets = tuple(case.target(server.ports) for case in CASES)
    inventory = Inventory((Site("site", targets=targets),))
    collector = ping.PingCollector(lambda: inventory, prober(server.ca, names).probe)
    return Registry([collector]).scrape(120)


def values(scrape: Scrape, metric: Metric, case: Case) -> list[float]:
    return [
        sample.value
        for sample in scrape.samples
        if sample.metric == metric and sample.labels[1] == case.name
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_target_is_judged_rightly(scrape: Scrape, case: Case) -> None:
    reasons = [
        sample.labels[2]
        for sample in scrape.samples
        if sample.metric == ping.FAILURE and sample.labels[1] == case.name and sample.value
    ]
    assert reasons == ([] if case.reason is None else [case.reason])
    assert values(scrape, ping.UP, case) == [case.reason is None]
    assert values(scrape, ping.STATUS_CODE, case) == ([] if case.status is None else [case.status])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_phases_make_up_the_whole_duration(scrape: Scrape, case: Case) -> None:
    (duration,) = values(scrape, ping.DURATION, case)
    phases = values(scrape, ping.PHASE_DURATION, case)
    assert sum(phases) == pytest.approx(duration)


def test_a_bad_target_is_no_failure_of_ours(scrape: Scrape) -> None:
    assert scrape.failures == []


def test_nobody_asks_where_a_redirect_leads_astray(scrape: Scrape, server: HostileServer) -> None:
    assert len(scrape.samples) > len(CASES)
    strays = [head for head in server.asked if b"Host: 127.0.0.2" in head]
    assert strays == []


@pytest.mark.parametrize(
    ("name", "expiry"),
    [("tls-expired", EXPIRED.timestamp()), ("tls-silent", None), ("tls-not-spoken", None)],
)
def test_expiry(scrape: Scrape, name: str, expiry: float | None) -> None:
    (case,) = (case for case in CASES if case.name == name)
    found = values(scrape, ping.CERTIFICATE_EXPIRY, case)
    assert found == ([] if expiry is None else [expiry])


@pytest.mark.parametrize("name", ["tls", "tls-self-signed", "tls-wrong-name", "redirect-to-tls"])
def test_a_certificate_that_lasts(scrape: Scrape, name: str) -> None:
    (case,) = (case for case in CASES if case.name == name)
    (expiry,) = values(scrape, ping.CERTIFICATE_EXPIRY, case)
    assert expiry > EXPIRED.timestamp()


def test_no_thread_outlives_a_scrape_but_the_hung_resolver(scrape: Scrape) -> None:
    assert len(scrape.samples) > len(CASES)
    for thread in threading.enumerate():
        if thread.name.startswith(("collect", "AnyIO", "asyncio")):
            thread.join(30)
            assert not thread.is_alive(), thread
    assert [thread.name for thread in threading.enumerate()].count("resolve") == 1


def test_rounds_of_it_leave_nothing_behind(server: HostileServer, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    server.ca.cert_pem.write_to_path(str(authority))
    targets = [asdict(case.target(server.ports, patience=0.5)) for case in CASES]
    proxy = f"http://127.0.0.1:{server.ports['elsewhere']}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.hostile.probe_rounds"],
        input=json.dumps({"targets": targets, "rounds": 4}),
        env={**os.environ, "SSL_CERT_FILE": str(authority), "http_proxy": proxy},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=True,
    )
    report = json.loads(done.stdout)
    first, *_, last = report["states"]
    for outcomes in report["rounds"]:
        assert {name: reason or None for name, (reason, _) in outcomes.items()} == {
            case.name: case.reason for case in CASES
        }
    assert last["files"] == first["files"]
    assert last["threads"] == first["threads"] == ["MainThread", "resolve"]
    assert last["rss_bytes"] - first["rss_bytes"] < 20 * MEGABYTE


def test_a_password_in_the_url_is_sent_and_shown_nowhere(
    server: HostileServer, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    urls = [
        server.url("/ok").replace("//", "//scrape:hunter2@"),
        server.url("/header-drip").replace("//", "//scrape:hunter2@"),
        "gopher://scrape:hunter2@127.0.0.1/",
        "http://127.0.0.1:hunter2/",
    ]
    targets = tuple(Case(f"t{n}", url, "timeout").target({}) for n, url in enumerate(urls))
    inventory = Inventory((Site("site", targets=targets),))
    collector = ping.PingCollector(lambda: inventory, prober(server.ca, names).probe)
    scrape = Registry([collector]).scrape(120)
    header = b"Authorization: Basic c2NyYXBlOmh1bnRlcjI=\r\n"
    assert [header in head for head in server.asked if b"GET /ok" in head][-1]
    assert len(scrape.failures) == 2
    shown = caplog.text + repr(scrape)
    assert "hunter2" not in shown
    assert "c2NyYXBlOmh1bnRlcjI" not in shown
