"""Event logs as real Zopes write them, of failures that the tests bring about."""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.support.logs.event_counts import matches, records, unparsed
from tests.support.logs.event_oracle import read_log
from tests.support.programs.processes import eventually
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.buildouts import Buildout
from tests.support.zopes.environments import Environment
from tests.support.zopes.instances import ZopeInstance
from zope_exporter.logs.event.counter import EventCounter
from zope_exporter.logs.event.patterns import KNOWN_PATTERNS

StartZope = Callable[..., ZopeInstance]

PATTERNS = {pattern.name: pattern.regex for pattern in KNOWN_PATTERNS}
FAILING = {"/nope": 404, "/boom": 500, "/missing": 500, "/conflict": 500, "/full": 500}
# Each failure is logged by SiteErrorLog, and since Zope 4 by waitress too.
SINCE_ZOPE4 = {
    "started": 1,
    "unhandled_exception": 5,
    "POSKeyError": 2,
    "ConflictError": 5,
    "conflict_retried": 3,
    "conflict_failed": 2,
    "disk_full": 2,
}
IN_ZOPE2 = {
    "started": 1,
    "POSKeyError": 1,
    "ConflictError": 5,
    "conflict_retried": 4,
    "conflict_failed": 1,
    "disk_full": 1,
}
PAGES = """
from ZODB.POSException import ConflictError

def boom(self):
    raise ValueError("of no use\\n2026-11-22 10:37:51 is no record")

def missing(self):
    return self._p_jar.get(b"\\0\\0\\0\\0\\0\\0\\0\\x77")

def conflict(self):
    raise ConflictError("for ever")

def full(self):
    with open("/dev/full", "w") as full:
        full.write("x")

def connections(self):
    db = self._p_jar.db()
    opened = [db.open() for _ in range(20)]
    beyond_the_pool = len(db.pool.all) - 7
    for connection in opened:
        connection.close()
    return str(beyond_the_pool)

def hold(self):
    with open(%(gate)r) as gate:
        return gate.read()
"""


def pages(zope: ZopeInstance, gate: Path) -> None:
    """Give the site the functions above as External Methods of their names."""
    extensions = zope.home / "Extensions"
    extensions.mkdir(exist_ok=True)
    (extensions / "pages.py").write_text(PAGES % {"gate": str(gate)})
    for name in ("boom", "missing", "conflict", "full", "connections", "hold"):
        form = {"id": name, "title": "", "module": "pages", "function": name}
        add = "/manage_addProduct/ExternalMethod/manage_addExternalMethod"
        assert zope.site.post(add, form).status_code in (200, 302)


def count(lines: list[bytes]) -> EventCounter:
    """Count in small blocks, each by a counter that only knows what the last one stored."""
    counter = EventCounter()
    for begin in range(0, len(lines), 7):
        successor = EventCounter()
        successor.load(counter.save())
        successor.feed(b"".join(lines[begin : begin + 7]))
        counter = successor
    return counter


def counted(log: Path) -> dict[str, int]:
    """The matches in a log, once everything is found to be what reading by line finds."""
    lines = log.read_bytes().splitlines(keepends=True)
    counter = count(lines)
    expected = read_log([line.rstrip(b"\n") for line in lines], PATTERNS)
    assert records(counter) == dict(expected.records)
    assert matches(counter) == dict(expected.matches)
    assert unparsed(counter) == expected.unparsed == 0
    return matches(counter)


def but_for_waiting(matches: dict[str, int]) -> dict[str, int]:
    """Those that do not depend on how busy the machine is: a thread that has just answered may not
    be idle yet when the next request comes, which has to wait for it then."""
    return {pattern: count for pattern, count in matches.items() if pattern != "task_queue_depth"}


def event_log(zope: ZopeInstance) -> Path:
    logs = zope.home / ("var/log" if zope.zope_ini.exists() else "log")
    return logs / "event.log"


def test_what_fails_is_counted(
    any_zope: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(any_zope)
    log = event_log(zope)
    pages(zope, tmp_path / "gate")
    assert but_for_waiting(counted(log)) == {"started": 1}
    assert {path: zope.site.get(path).status_code for path in FAILING} == FAILING
    zope.site.get("/boom")
    beyond_the_pool = int(zope.site.get("/connections").text)
    expected = SINCE_ZOPE4 if zope.zope_ini.exists() else IN_ZOPE2
    assert but_for_waiting(counted(log)) == {**expected, "pool_size": beyond_the_pool}


def test_requests_that_wait_for_a_thread_are_counted(
    zope63: Environment, start_zope: StartZope, tmp_path: Path
) -> None:
    zope = start_zope(zope63, threads=1)
    pages(zope, tmp_path / "gate")
    os.mkfifo(tmp_path / "gate")

    def depth() -> int:
        return counted(event_log(zope)).get("task_queue_depth", 0)

    with ThreadPoolExecutor(4) as visitors:
        held = visitors.submit(zope.site.get, "/hold")
        gate = eventually(lambda: opened(tmp_path / "gate"))
        assert gate is not None
        with gate:
            before = depth()
            waiting = [visitors.submit(zope.site.get, "/") for _ in range(3)]
            eventually(lambda: depth() == before + len(waiting))
            gate.write(b"open")
        assert {answer.result().status_code for answer in (held, *waiting)} == {200}


def opened(gate: Path) -> BinaryIO | None:
    """The gate, open for writing once there is a reader."""
    with suppress(OSError):
        return os.fdopen(os.open(gate, os.O_WRONLY | os.O_NONBLOCK), "wb")
    return None


def test_the_loss_of_a_zeo_server_is_counted(
    zope63: Environment, start_zeo: Callable[..., ZeoServer], start_zope: StartZope
) -> None:
    zeo = start_zeo(zope63)
    storage = f"<clientstorage>\nserver 127.0.0.1:{zeo.port}\nwait-timeout 1\n</clientstorage>"
    zope = start_zope(zope63, storage=f"%import ZEO\n{storage}")
    zeo.stop()
    form = {"id": "page", "title": "", "file": "text"}
    assert zope.site.post("/manage_addDTMLMethod", form).status_code == 500
    found = counted(event_log(zope))
    assert found["zeo_disconnected"] == 1
    assert found["ClientDisconnected"] >= found["unhandled_exception"] == 1


def test_the_log_of_a_buildout(make_buildout: Callable[..., Buildout]) -> None:
    buildout = make_buildout()
    buildout.start()
    assert counted(buildout.home / "var/log/instance.log")["started"] == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("ZEO/asyncio/client.py", '"%s dropping stale cache"'),
        ("ZEO/StorageServer.py", '"Transaction timeout after %s seconds"'),
        ("waitress/channel.py", '"Client disconnected while serving %s"'),
    ],
)
def test_messages_that_are_hard_to_bring_about_are_in_the_source(
    zope63: Environment, source: str, message: str
) -> None:
    [file] = zope63.home.glob(f"lib/*/site-packages/{source}")
    assert message in file.read_text()
    logged = message.strip('"') % "1"
    assert any(re.search(regex, logged) for regex in PATTERNS.values())
