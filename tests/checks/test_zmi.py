"""What is said of a Zope by its management pages."""

from zope_exporter.checks.finding import Severity, Values
from zope_exporter.checks.zmi import judge_zmi
from zope_exporter.clients.agent.databases import CACHE_OBJECTS, CACHE_TARGET
from zope_exporter.clients.agent.instance import INFO
from zope_exporter.collectors.zmi import UP
from zope_exporter.metrics.registry import Scrape

OF = {"site": "intranet", "zope": "client1"}
VERSIONS = {
    **dict.fromkeys(set(INFO.labels) - set(OF), ""),
    "zope_version": "6.3.0",
    "python_version": "3.11.7",
}


def texts(up: float | None) -> list[str]:
    samples = [
        INFO(1, **VERSIONS, **OF),
        CACHE_OBJECTS(10, database="main", state="active", **OF),
        CACHE_TARGET(5000, database="main", **OF),
    ]
    if up is not None:
        samples.append(UP(up, **OF))
    found = list(judge_zmi("intranet", "client1", Values(Scrape(samples, []))))
    assert {each.severity for each in found} <= {Severity.OK}
    return [each.text for each in found]


def test_what_comes_from_there_says_so() -> None:
    assert texts(1) == [
        "Zope 6.3.0, Python 3.11.7 (from the ZMI, without agent)",
        "database main: 10 objects in caches of 5000 each (from the ZMI, without agent)",
    ]


def test_what_comes_from_the_agent_does_not() -> None:
    assert texts(None) == []
    assert texts(0) == []
