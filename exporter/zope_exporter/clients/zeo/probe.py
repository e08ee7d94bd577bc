"""One probe of a ZEO server, and what came of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.discovery.inventory import ZeoServer

from .link import InvalidAnswerError, NoAnswerError, ZeoError, connected
from .status import LARGEST, Storages, ask_ruok, parse_monitor

TIMEOUT = 3.0


@dataclass(frozen=True)
class ZeoResult:
    """What a probe found out; `up` is None where it could not find out anything.

    `storages` is None where the server does not tell of them. With a `problem` something is wrong
    beyond there being no answer.
    """

    up: bool | None
    storages: Storages | None = None
    problem: str = ""


class ZeoProber:
    """Probes servers, each within `timeout` seconds from resolving its name to the last byte."""

    def __init__(
        self,
        timeout: float = TIMEOUT,
        resolver: Resolver | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._timeout = timeout
        self._resolver = resolver or Resolver()
        self._clock = clock

    def probe(self, server: ZeoServer) -> ZeoResult:
        """Whatever the server does is the answer."""
        try:
            return ZeoResult(True, self._ask(server, time.monotonic() + self._timeout))
        except NoAnswerError:
            return ZeoResult(False)
        except InvalidAnswerError as error:
            return ZeoResult(False, problem=f"{server.address} {error}")
        except ZeoError as error:
            return ZeoResult(None, problem=f"{server.address} {error}")

    def _ask(self, server: ZeoServer, deadline: float) -> Storages | None:
        # First where it costs no line in the log of the server. Later ones than ZODB3 ignore the
        # setting, so that its silence says nothing.
        if server.monitor:
            try:
                with connected(server.monitor, None, deadline, self._resolver) as link:
                    text = link.read_to_end(LARGEST)
                return parse_monitor(text, self._clock())
            except NoAnswerError:
                pass
        with connected(server.address, server.tls, deadline, self._resolver) as link:
            return ask_ruok(link)
