"""The page the agent collector makes of what agents answer, and of those that do not."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.logs.unfollowed import no_logs
from tests.support.programs.children import WAIT, as_known, child, lines_until_ready
from tests.support.zopes.fake_agent import STATUS, answering, fake_agent, http
from zope_exporter.clients.agent.views import Sums
from zope_exporter.collectors.agent import UP, AgentCollector, instance
from zope_exporter.discovery.inventory import Inventory, Process, Service, Site
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry, Scrape

GOLDEN = Path(__file__).with_name("golden")
ME = Process(os.getpid(), psutil.Process().create_time())
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def zope(tmp_path: Path, name: str = "client1", process: Process | None = ME) -> Service:
    return Service("zope", name, None, agent_home=tmp_path, process=process)


def inventory(*services: Service) -> Inventory:
    return Inventory((Site("intranet", services),))


def scrape(*services: Service) -> Scrape:
    return Registry([AgentCollector(lambda: inventory(*services), no_logs(), timeout=20)]).scrape(
        30
    )


def own_socket(tmp_path: Path) -> Path:
    return tmp_path / f"zope-exporter-{os.getpid()}.sock"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    with fake_agent(own_socket(tmp_path), answering(http(STATUS))) as path:
        yield path


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(("accept", "golden"), [("", "agent.txt"), (OPENMETRICS, "agent_om.txt")])
def test_golden_page(tmp_path: Path, accept: str, golden: str) -> None:
    collector = AgentCollector(lambda: inventory(zope(tmp_path)), no_logs())
    samples = [sample for part in collector.parts() for sample in part.collect()]
    page, _ = encode(samples, accept)
    assert page.decode() == (GOLDEN / golden).read_text()


def test_views_are_those_of_the_agents_that_answer(tmp_path: Path, agent: Path) -> None:
    there = [
        zope(tmp_path),
        *(Service("zope", name, None, agent_socket=agent, process=ME) for name in ("two", "gone")),
    ]
    collector = AgentCollector(lambda: inventory(*there), no_logs(), timeout=20)
    registry = Registry([collector])
    assert collector.views("intranet") == {}
    registry.scrape(30)
    assert collector.views("intranet") == {
        "pkg.Listing/listing": Sums(9, 13.5, 600, 3, 0, 4.5),
    }
    assert collector.views("extranet") == {}
    there[1:] = [Service("zope", "two", None, agent_socket=tmp_path / "no", process=ME)]
    registry.scrape(30)
    assert collector.views("intranet")["pkg.Listing/listing"].requests == 3
    there[:] = [zope(tmp_path / "without")]
    registry.scrape(30)
    assert collector.views("intranet") == {}


def test_an_older_agent_has_no_views_and_is_no_failure(tmp_path: Path) -> None:
    requests = {name: it for name, it in STATUS["requests"].items() if name != "views"}
    with fake_agent(own_socket(tmp_path), answering(http(STATUS | {"requests": requests}))):
        page = scrape(zope(tmp_path))
    assert page.failures == []
    names = {sample.metric.name for sample in page.samples}
    assert "zope_requests_in_progress" in names
    assert not {name for name in names if name.startswith("zope_view_")}


@pytest.mark.usefixtures("agent")
def test_a_zope_without_agent_has_no_series_and_is_no_failure(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    unknown = Service("zope", "unknown", None)
    stopped = zope(tmp_path, "stopped", None)
    zeo = Service("zeo", "zeo", None, agent_home=tmp_path, process=ME)
    page = scrape(zope(tmp_path), zope(bare, "bare"), unknown, stopped, zeo)
    assert page.failures == []
    assert {s.labels[1] for s in page.samples if "zope" in s.metric.labels} == {"client1"}


def test_one_agent_that_talks_nonsense_is_named_and_costs_only_its_own_series(
    tmp_path: Path, agent: Path
) -> None:
    bad = Service("zope", "bad", None, agent_socket=tmp_path / "bad.sock", process=ME)
    with fake_agent(tmp_path / "bad.sock", answering(b"\0" * 100)):
        page = scrape(zope(tmp_path), bad)
    assert [str(failure) for failure in page.failures] == [
        "agent intranet/bad: the agent's answer is not whole, or not HTTP"
    ]
    ups = {sample.labels[1]: sample.value for sample in page.samples if sample.metric == UP}
    assert ups == {"client1": 1, "bad": 0}
    assert [s.metric for s in page.samples if s.labels[1:2] == ("bad",)] == [UP]
    assert agent.exists()


def test_an_agent_that_hangs_is_named_and_keeps_nobody_waiting_for_long(tmp_path: Path) -> None:
    let_go = threading.Event()
    hung = Service("zope", "hung", None, agent_socket=tmp_path / "hung.sock", process=ME)
    with fake_agent(tmp_path / "hung.sock", lambda _: let_go.wait(20)):
        page = Registry([AgentCollector(lambda: inventory(hung), no_logs(), timeout=0.3)]).scrape(
            30
        )
        let_go.set()
    assert [str(failure) for failure in page.failures] == [
        "agent intranet/hung: the agent does not answer in time"
    ]
    assert [sample.value for sample in page.samples if sample.metric == UP] == [0]


def test_a_socket_under_the_right_name_of_a_foreign_process_is_refused(tmp_path: Path) -> None:
    with child(WAIT) as other:
        lines_until_ready(other)
        known = as_known(other.pid)
        path = tmp_path / f"zope-exporter-{other.pid}.sock"
        with fake_agent(path, answering(http(STATUS))):
            page = scrape(zope(tmp_path, process=known))
    (failure,) = page.failures
    assert failure.reason.endswith(
        f"is a foreign socket: process {os.getpid()} listens there, not {other.pid}"
    )
    assert [sample.value for sample in page.samples if sample.metric == UP] == [0]


@pytest.mark.parametrize(
    ("change", "missing", "reason"),
    [
        (
            {"errors": {"workers": "AttributeError: task_dispatcher"}, "workers": None},
            instance.THREADS,
            "workers: AttributeError: task_dispatcher",
        ),
        (
            {"workers": {"threads": -4, "busy": 1}},
            instance.THREADS,
            "workers.threads is a number that cannot be",
        ),
        ({"workers": [4]}, instance.THREADS, "workers.threads is not where it should be"),
        (
            {"requests": {"duration": {"bounds": [2, 1], "counts": [1, 1, 1], "sum": 3}}},
            instance.DURATION,
            "requests.duration has buckets that do not fit",
        ),
    ],
)
def test_a_part_that_failed_is_absent_and_named(
    tmp_path: Path, change: dict[str, Any], missing: object, reason: str
) -> None:
    answer = http({**STATUS, **change})
    with fake_agent(own_socket(tmp_path), answering(answer)):
        page = scrape(zope(tmp_path))
    found = {sample.metric for sample in page.samples}
    assert missing not in found
    assert UP in found
    (failure,) = page.failures
    assert reason in failure.reason
