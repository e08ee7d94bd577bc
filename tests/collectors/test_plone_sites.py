"""Plone sites of databases elsewhere: which are asked for, of whom, and how often."""

import base64
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from persistent.mapping import PersistentMapping

from tests.support.zopes.fake_agent import answering, fake_agent, http
from zope_exporter.collectors.plone_sites import (
    AFTER_FAILURE,
    EVERY,
    READ_TIME,
    PloneSitesCollector,
)
from zope_exporter.discovery.inventory import Database, Inventory, Service, Site, Storage
from zope_exporter.metrics.exposition import encode
from zope_exporter.metrics.metric import Sample
from zope_exporter.metrics.registry import Registry

GOLDEN = Path(__file__).with_name("golden")
MAIN = Database("main", "relstorage")
ROOT = pickle.dumps(PersistentMapping, 3) + pickle.dumps({"data": {}}, 3)
FOUND = {"protocol": 1, "records": {"0": base64.b64encode(ROOT).decode()}}
READING = {"protocol": 1, "reading": True}
DATA_FS = Storage("main", Path("/srv/zope/var/Data.fs"))


class Agent:
    """Gives the next of its answers to each question, the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.asked = 0

    def __call__(self, link: socket.socket) -> None:
        self.asked += 1
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        answering(answer)(link)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    agent = Agent()
    with fake_agent(tmp_path / "agent.sock", agent):
        yield agent


class Watched:
    """A Zope whose agent has that socket, and what is told of it at a time."""

    def __init__(self, path: Path, *storages: Storage, databases: tuple[Database, ...]) -> None:
        zope = Service("zope", "client1", None, agent_socket=path, databases=databases)
        inventory = Inventory((Site("intranet", (zope,), storages),))
        self.now = 1.8e9
        self.collector = PloneSitesCollector(lambda: inventory, lambda: self.now)
        self._registry = Registry([self.collector])

    def read_times(self) -> list[Sample]:
        page = self._registry.scrape(30)
        assert page.failures == []
        return [sample for sample in page.samples if sample.metric is READ_TIME]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "agent.sock", databases=(MAIN,))


def test_golden_page(agent: Agent, watched: Watched) -> None:
    agent.answers = [http(READING, "202 Accepted"), http(READING, "202 Accepted"), http(FOUND)]
    page, _ = encode(watched.read_times(), "")
    assert page.decode() == (GOLDEN / "plone_sites.txt").read_text()
    assert agent.asked == 3


def test_it_is_asked_once_an_hour(agent: Agent, watched: Watched) -> None:
    agent.answers = [http(FOUND)]
    for _ in range(5):
        assert [sample.value for sample in watched.read_times()] == [1.8e9]
    assert watched.collector.plone_sites() == {("intranet", "main"): {}}
    assert agent.asked == 1
    watched.now += EVERY
    assert [sample.value for sample in watched.read_times()] == [1.8e9 + EVERY]
    assert agent.asked == 2


ERROR = {"protocol": 1, "error": "no"}


@pytest.mark.parametrize(
    "answer",
    [
        http(ERROR, "404 Not Found"),
        http(ERROR, "403 Forbidden"),
        http(ERROR, "500 Internal Server Error"),
        http({**FOUND, "records": {}}),
        http({**FOUND, "records": {"0": "?"}}),
        http({**FOUND, "records": {"0": base64.b64encode(b"encrypted").decode()}}),
        http([]),
    ],
)
def test_what_is_not_told_is_absent_and_asked_for_again(
    agent: Agent, watched: Watched, answer: bytes
) -> None:
    agent.answers = [http(FOUND), answer]
    assert watched.read_times()
    watched.now += EVERY
    for _ in range(3):
        assert watched.read_times() == []
    assert watched.collector.plone_sites() == {}
    assert agent.asked == 2
    agent.answers = [http(FOUND)]
    watched.now += AFTER_FAILURE
    assert watched.read_times()


@pytest.mark.parametrize(
    ("storages", "databases", "asked"),
    [
        ((), (), True),  # only its agent is known
        ((DATA_FS,), (MAIN,), False),
        ((), (Database("main", "filestorage"), Database("temporary", "temporary")), False),
    ],
)
def test_only_what_has_no_data_fs_here_is_asked_for(
    agent: Agent, tmp_path: Path, storages: Any, databases: Any, asked: bool
) -> None:
    agent.answers = [http(FOUND)]
    watched = Watched(tmp_path / "agent.sock", *storages, databases=databases)
    assert bool(watched.read_times()) is asked
    assert bool(agent.asked) is asked
