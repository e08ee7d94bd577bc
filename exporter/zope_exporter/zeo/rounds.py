"""Probing each ZEO server seldom, however often and for however many sites its state is wanted."""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from zope_exporter.inventory import TlsFiles, ZeoServer

from .probe import Answer

# Each probe is a line in the server's log.
PAUSE = 10.0

_Key = tuple[str, str, TlsFiles | None]


@dataclass
class _Round:
    lock: threading.Lock = field(default_factory=threading.Lock)
    began: float | None = None
    answer: Answer = Answer(None)  # noqa: RUF009  it is frozen


class Rounds:
    """Gives the last answer of a server until `pause` seconds after the probe began."""

    def __init__(
        self,
        probe: Callable[[ZeoServer], Answer],
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probe = probe
        self._pause = pause
        self._clock = clock
        self._lock = threading.Lock()
        self._rounds: dict[_Key, _Round] = {}

    def answer(self, server: ZeoServer) -> Answer:
        """Probe the server, or wait for the probe under way, or repeat the last answer."""
        with self._lock:
            current = self._rounds.setdefault(_key(server), _Round())
        with current.lock:
            now = self._clock()
            if current.began is None or now - current.began >= self._pause:
                current.began = now
                current.answer = self._probe(server)
            return current.answer

    def keep(self, servers: Collection[ZeoServer]) -> None:
        """Forget all servers but these."""
        wanted = {_key(server) for server in servers}
        with self._lock:
            for key in self._rounds.keys() - wanted:
                del self._rounds[key]


def _key(server: ZeoServer) -> _Key:
    return server.address, server.monitor, server.tls
