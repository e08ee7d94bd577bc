"""Packs by somebody who takes the order and is not heard of again: no job waits for ever."""

import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.support.databases.packing import AT_ONCE, Remembered, make_database, storage_of
from tests.support.zeo.fake_server import Serve, answers_on, fake_zeo, letting_in, silent
from tests.support.zeo.packed import ASK, OncePacking, packs, serving
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.fake_agent import STATUS, fake_agent, http
from zope_exporter.clients.agent.client import AgentClient
from zope_exporter.clients.zeo.order import MOST_UNANSWERED
from zope_exporter.discovery.inventory import Process
from zope_exporter.maintenance.jobs.report import ActionError, Report
from zope_exporter.maintenance.pack.program import program
from zope_exporter.maintenance.pack.run import pack
from zope_exporter.maintenance.pack.target import PackTarget, Running, StillRunningError
from zope_exporter.maintenance.pack.zeo_engine import ZeoEngine
from zope_exporter.maintenance.pack.zope_engines import AgentEngine

GIVEN_UP = ASK * MOST_UNANSWERED


@pytest.mark.parametrize(
    ("serve", "max_quiet", "problem"),
    [
        (silent, 600.0, "the ZEO server was lost: it has answered nothing for"),
        (answers_on, 1.0, "nothing was seen of the pack for 1 s"),
    ],
)
def test_a_server_that_takes_the_order_and_never_packs(
    tmp_path: Path, serve: Serve, max_quiet: float, problem: str
) -> None:
    make_database(tmp_path / "Data.fs", revisions=2)
    settings = replace(AT_ONCE, max_quiet=max_quiet)
    with fake_zeo(letting_in(serve)) as address:
        target = PackTarget(storage_of(tmp_path / "Data.fs"), ZeoEngine([address], "1", ask=ASK))
        with pytest.raises(StillRunningError, match=problem) as failed:
            pack(target, settings, Remembered())
    assert failed.value.stage == "packing"
    assert "look into the log of the server" in failed.value.remedy


def test_a_real_server_that_stops_while_it_packs_is_given_up(tmp_path: Path) -> None:
    with serving(tmp_path / "zeo", tmp_path / "gate") as (server, target):
        process = psutil.Process(server.pid)  # which keeps all of its connections
        with pytest.raises(StillRunningError, match="has answered nothing for"):
            pack(target, AT_ONCE, OncePacking(server, process.suspend))
        process.resume()


class OpensLate(Remembered):
    """A report that lets the server go on when it would have been given up, had it been silent."""

    def __init__(self, server: ZeoServer, gate: Path) -> None:
        super().__init__()
        self._server = server
        self._gate = gate
        self._began = 0.0

    def check(self) -> None:
        if not self._began and packs(self._server, "started..."):
            self._began = time.monotonic()
        if self._began and time.monotonic() - self._began > 1.2 * GIVEN_UP:
            self._gate.write_text("")
            self._began = float("inf")


def test_a_real_server_that_packs_for_long_in_silence_is_waited_for(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with serving(tmp_path / "zeo", gate) as (server, target):
        result = pack(target, AT_ONCE, OpensLate(server, gate))
        assert result.freed
        assert packs(server, "complete") == 1


def test_an_agent_that_takes_the_order_and_does_not_answer_may_have_begun(tmp_path: Path) -> None:
    make_database(tmp_path / "Data.fs", revisions=2)

    def well_until_told(link: socket.socket) -> None:
        if link.recv(4096).startswith(b"GET"):
            link.sendall(http(STATUS))

    with fake_agent(tmp_path / "agent.sock", well_until_told) as path:
        engine = AgentEngine(AgentClient(path, 20.0), "main", Process(os.getpid(), 0.0))
        with pytest.raises(StillRunningError, match="whether Zope has begun the pack is unknown"):
            pack(PackTarget(storage_of(tmp_path / "Data.fs"), engine), AT_ONCE, Remembered())


class Made:
    """An engine that packs as it was told to."""

    name = "somebody"
    meanwhile = ""

    def __init__(self, begin: Callable[[Report], AbstractContextManager[Running]]) -> None:
        self._begin = begin

    def check(self) -> None: ...

    def begin(self, _: float, report: Report) -> AbstractContextManager[Running]:
        return self._begin(report)


def test_a_program_of_our_own_that_hangs_is_stopped(tmp_path: Path) -> None:
    make_database(tmp_path / "Data.fs", revisions=2)
    hangs = [sys.executable, "-c", "import time; time.sleep(600)"]
    target = PackTarget(storage_of(tmp_path / "Data.fs"), Made(partial(program, hangs)))
    with pytest.raises(ActionError, match="nothing was seen") as failed:
        pack(target, replace(AT_ONCE, max_quiet=0.5), Remembered())
    assert not isinstance(failed.value, StillRunningError)
    assert "and it is stopped" in failed.value.reason
    assert "max_quiet" in failed.value.remedy
    assert not psutil.Process().children(recursive=True)


class Grows:
    """A pack whose file is larger at each look, or which says more, until it ends."""

    beyond_us = "it goes on"

    def __init__(self, pack_file: Path | None = None) -> None:
        self._file = pack_file
        self._looks = 0

    def ended(self, _: float) -> bool:
        self._looks += 1
        if self._file is not None:
            self._file.write_bytes(bytes(self._looks))
        return self._looks == 5

    def seen(self) -> int:
        return 0 if self._file else self._looks


@pytest.mark.parametrize("grows", [True, False])
def test_as_long_as_something_is_seen_it_is_waited_for(tmp_path: Path, grows: bool) -> None:
    make_database(tmp_path / "Data.fs", revisions=2)
    running = Grows(tmp_path / "Data.fs.pack" if grows else None)
    target = PackTarget(storage_of(tmp_path / "Data.fs"), Made(lambda _: nullcontext(running)))
    assert pack(target, replace(AT_ONCE, max_quiet=0.0), Remembered()).engine == "somebody"
