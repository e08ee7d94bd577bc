"""Packing in a ZEO server, asked by a client in a process of its own."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from zope_exporter.clients.zeo.order import ASK_SECONDS
from zope_exporter.discovery.inventory import TlsFiles
from zope_exporter.maintenance.jobs.report import RefusedError, Report

from .program import own_program, program
from .target import Running

CONNECT_SECONDS = 20.0
BEYOND_US = "the pack continues in the ZEO server and cannot be stopped"


class ZeoEngine:
    """Packs a storage of a ZEO server, the one of its addresses that answers first.

    `connect` (seconds) is how long it may take until one does. While it packs in silence it is
    asked every `ask` seconds whether it lives.
    """

    name = "the ZEO server"
    meanwhile = (
        "Zopes go on through their ZEO server, which packs in a thread of its own and cannot be"
        " stopped; what it serves takes longer, and commits wait while it copies the last of them"
    )

    def __init__(
        self,
        addresses: Sequence[str],
        storage: str,
        tls: TlsFiles | None = None,
        connect: float = CONNECT_SECONDS,
        ask: float = ASK_SECONDS,
    ) -> None:
        self._addresses = addresses
        self._storage = storage
        self._tls = tls
        self._seconds = repr(connect), repr(ask)

    def check(self) -> None:
        """Raise RefusedError if there is nothing to connect to."""
        if not self._addresses:
            raise RefusedError("unreachable", "no usable address of the ZEO server is known")

    @contextmanager
    def begin(self, days: float, report: Report) -> Iterator[Running]:
        """Begin the pack; once the server has the order, it goes on whatever becomes of us."""
        question = self._storage or "1", repr(days), *self._seconds, tls_argument(self._tls)
        command = own_program("zeo_client", *question, *self._addresses)
        with program(command, report) as running:
            running.beyond_us = BEYOND_US
            yield running


def tls_argument(tls: TlsFiles | None) -> str:
    """Return what a client of a TLS server needs, as one argument: paths, and no secrets."""
    return json.dumps(tls and asdict(tls), default=str)


def tls_files(text: str) -> TlsFiles | None:
    fields = json.loads(text)
    if fields is None:
        return None
    paths = {name: fields[name] and Path(fields[name]) for name in ("ca", "certificate", "key")}
    return TlsFiles(**{**fields, **paths})
