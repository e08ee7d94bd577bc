"""Real ZEO servers with a database that is worth packing."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.databases.packing import Remembered, make_database, storage_of
from tests.support.programs.children import as_known
from tests.support.zeo.servers import ZeoServer
from tests.support.zopes.environments import Environment
from zope_exporter.maintenance.pack.target import PackTarget
from zope_exporter.maintenance.pack.zeo_engine import ZeoEngine

OWN = Environment("own", Path(sys.prefix))
ASK = 0.05  # seconds after which a server that packs is asked whether it lives


@contextmanager
def serving(
    home: Path, gate: Path | None = None, zeo: str = "", **database: int
) -> Iterator[tuple[ZeoServer, PackTarget]]:
    """A server whose packs, with a `gate`, wait until somebody writes to that FIFO.

    `zeo` is a setting of its own.
    """
    settings = ""
    if gate:
        os.mkfifo(gate)
        settings = (
            "packer ZODB.FileStorage.FileStorage:lambda *arguments:"
            f" (open('{gate}').read(), FileStorage.packer(*arguments))[1]"
        )
    server = ZeoServer(OWN, home, ("main",), settings=zeo, storage_settings=settings)
    make_database(server.data_fs("main"), **database)
    with server:
        storage = storage_of(server.data_fs("main"), as_known(server.pid))
        yield server, PackTarget(storage, ZeoEngine([f"127.0.0.1:{server.port}"], "main", ask=ASK))


def packs(server: ZeoServer, word: str) -> int:
    lines = server.event_log.read_text().splitlines()
    return sum("pack(time=" in line and line.endswith(word) for line in lines)


class OncePacking(Remembered):
    """A report of a pack that does something at each look, once the server has begun."""

    def __init__(self, server: ZeoServer, act: Callable[[], object]) -> None:
        super().__init__()
        self._server = server
        self._act = act

    def check(self) -> None:
        if packs(self._server, "started..."):
            self._act()
