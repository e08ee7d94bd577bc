"""The page the ZEO collector makes of answers, and what becomes of those that are none."""

from pathlib import Path

import pytest

from zope_exporter.clients.zeo.probe import ZeoResult
from zope_exporter.clients.zeo.status import StorageStatus
from zope_exporter.collectors.zeo import UP, ZeoCollector
from zope_exporter.discovery.inventory import Inventory, Site, ZeoServer
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.registry import Registry, Scrape

BUSY = StorageStatus(
    clients=2,
    commits=15,
    aborts=1,
    loads=30,
    stores=27,
    conflicts=3,
    conflicts_resolved=4,
    active_transactions=2,
    waiting_commits=1,
    lock_acquired=1800000000.25,
    last_transaction=1795346456.5,
)
OLD = StorageStatus(clients=1, commits=5, aborts=0, loads=7, stores=9, conflicts=0)
ANSWERS = {
    "here": ZeoResult(True, {"1": BUSY, "other": StorageStatus(clients=0), "shop": BUSY}),
    "old": ZeoResult(True, {"1": OLD}),
    "older": ZeoResult(True),
    "down": ZeoResult(False),
    "unknown": ZeoResult(False),
}
INVENTORY = Inventory(
    (
        Site(
            "intranet",
            zeo=(
                ZeoServer("zeo", "here", ("1", "missing"), elsewhere=frozenset({"shop"})),
                ZeoServer("old", "old", ("1",)),
                ZeoServer("192.0.2.1:8100", "older", ("1",)),
                ZeoServer("192.0.2.2:8100", "down", ("1", "catalog")),
                ZeoServer("192.0.2.3:8100", "unknown"),
            ),
        ),
        Site("shop", zeo=(ZeoServer("zeo", "here", ("shop",), elsewhere=None),)),
        Site("empty"),
    )
)


def scrape(answer: ZeoResult, *servers: ZeoServer) -> Scrape:
    inventory = Inventory((Site("intranet", zeo=servers),))
    return Registry([ZeoCollector(lambda: inventory, lambda _: answer)]).scrape(30)


def ups(page: Scrape) -> dict[str, float]:
    return {each.labels[2]: each.value for each in page.samples if each.metric == UP}


def test_golden_page() -> None:
    collector = ZeoCollector(lambda: INVENTORY, lambda server: ANSWERS[server.address])
    samples = [sample for part in collector.parts() for sample in part.collect()]
    page, _ = encode(samples, "")
    assert page.decode() == Path(__file__).with_name("golden").joinpath("zeo.txt").read_text()


@pytest.mark.parametrize("up", [False, None])
def test_what_is_wrong_is_named_and_what_cannot_be_known_is_absent(up: bool | None) -> None:
    answer = ZeoResult(up, problem="127.0.0.1:8100 speaks another protocol than ZEO")
    page = scrape(answer, ZeoServer("zeo", "127.0.0.1:8100", ("1",)))
    assert [str(failure) for failure in page.failures] == [
        "zeo intranet/zeo: 127.0.0.1:8100 speaks another protocol than ZEO"
    ]
    assert ups(page) == ({} if up is None else {"1": 0})


def test_a_server_that_cannot_be_asked_says_why() -> None:
    page = scrape(ZeoResult(True), ZeoServer("zeo", "127.0.0.1:8100", ("1",), problem="wants TLS"))
    assert [str(failure) for failure in page.failures] == ["zeo intranet/zeo: wants TLS"]
    assert ups(page) == {}


def test_silence_is_a_result_and_no_failure() -> None:
    page = scrape(ZeoResult(False), ZeoServer("zeo", "127.0.0.1:8100", ("1", "catalog")))
    assert page.failures == []
    assert ups(page) == {"1": 0, "catalog": 0}
