"""The page made of what management pages say, and when they are left alone."""

import os
import socket
from pathlib import Path

import psutil
import pytest

from zope_exporter.clients.zmi.pages import Caches, Panel
from zope_exporter.clients.zmi.probe import ZmiResult, ZmiTarget
from zope_exporter.collectors.zmi import UP, ZmiCollector
from zope_exporter.discovery.inventory import Database, Inventory, Process, Service, Site, ZmiLogin
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry

LOGIN = ZmiLogin("http://127.0.0.1:8080", "admin", Path("/run/password"))
OLD_LOGIN = ZmiLogin("http://127.0.0.1:8081", "admin", Path("/run/password"))
ACCOUNTS = {
    LOGIN: ZmiResult(
        Panel("6.3.0", "3.11.7", 42, debug_mode=True),
        {"main": Caches(10, 7, 5000, 0), "temporary": Caches(0, 0, 300, 1048576)},
    ),
    OLD_LOGIN: ZmiResult(Panel("2.13.30", "2.7.18", 43, None), {"main": Caches(5, 0, 400, 0)}),
}
INVENTORY = Inventory(
    (
        Site(
            "intranet",
            (
                Service("zope", "client1", None, zmi=LOGIN),
                Service("zope", "old", None, zmi=OLD_LOGIN),
                Service("zope", "closed", None),
            ),
        ),
    )
)


def test_golden_page() -> None:
    collector = ZmiCollector(lambda: INVENTORY, lambda zope: ACCOUNTS[zope.login])
    samples = [sample for part in collector.parts() for sample in part.collect()]
    page, _ = encode(samples, "")
    assert page.decode() == Path(__file__).with_name("golden").joinpath("zmi.txt").read_text()


def test_what_is_wrong_is_named_beside_what_is_known() -> None:
    def probe(zope: ZmiTarget) -> ZmiResult:
        return ZmiResult(ACCOUNTS[zope.login].panel, problem="no Cache Name")

    scrape = Registry([ZmiCollector(lambda: INVENTORY, probe)]).scrape(30)
    assert [str(failure) for failure in scrape.failures] == [
        "zmi intranet/client1: no Cache Name",
        "zmi intranet/old: no Cache Name",
    ]
    assert [each.value for each in scrape.samples if each.metric == UP] == [0, 0]
    assert not [each for each in scrape.samples if "cache" in each.metric.name]


def test_a_zope_with_an_agent_is_never_visited(tmp_path: Path) -> None:
    probed = []

    def probe(zope: ZmiTarget) -> ZmiResult:
        probed.append(zope)
        return ACCOUNTS[zope.login]

    me = Process(os.getpid(), psutil.Process().create_time())
    service = Service("zope", "client1", None, agent_home=tmp_path, process=me, zmi=LOGIN)
    registry = Registry([ZmiCollector(lambda: Inventory((Site("s", (service,)),)), probe)])
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / f"zope-exporter-{me.pid}.sock"))
        assert not [each for each in registry.scrape(30).samples if "zope" in each.metric.labels]
    assert probed == []
    (tmp_path / f"zope-exporter-{me.pid}.sock").unlink()
    assert [each for each in registry.scrape(30).samples if "zope" in each.metric.labels]
    assert len(probed) == 1


@pytest.mark.parametrize("kind", ["relstorage", "other"])
def test_databases_whose_page_may_cost_a_query_are_left_out(kind: str) -> None:
    databases = Database("main", "zeo"), Database("sql", kind)  # type: ignore[arg-type]  # of the parameters
    service = Service("zope", "client1", None, databases=databases, zmi=LOGIN)
    asked: list[ZmiTarget] = []

    def probe(zope: ZmiTarget) -> ZmiResult:
        asked.append(zope)
        return ZmiResult()

    Registry([ZmiCollector(lambda: Inventory((Site("s", (service,)),)), probe)]).scrape(30)
    assert [zope.databases for zope in asked] == [("main",)]
