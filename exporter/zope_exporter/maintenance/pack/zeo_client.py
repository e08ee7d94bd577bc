"""The program that has a ZEO server pack: STORAGE DAYS SECONDS ASK TLS ADDRESS...

It ends with 0 when the server says that it has packed, with 1 and the reason when nothing was
packed, and with 3 when the server was lost, or has died, and may go on.
"""

import sys
import threading
import time
from dataclasses import dataclass

from zope_exporter.clients.http.resolve import Resolver
from zope_exporter.clients.zeo.link import NoAnswerError, ZeoError, connected
from zope_exporter.clients.zeo.order import RefusedOrderError, Server
from zope_exporter.discovery.inventory import TlsFiles

from .program import LOST, failed, say
from .zeo_engine import tls_files

AGAIN_SECONDS = 1.0


def main(storage: str, days: str, seconds: str, ask: str, tls: str, *addresses: str) -> int:
    """Try the addresses until one lets us in: a server may just be starting."""
    order = _Order(storage, float(days), float(seconds), float(ask), tls_files(tls))
    until = time.monotonic() + order.seconds
    while True:
        problems = []
        for number, address in enumerate(addresses):
            share = (until - time.monotonic()) / (len(addresses) - number)
            try:
                return order.give(address, time.monotonic() + share)
            except NoAnswerError as error:
                problems.append(f"{address} {error}")
            except ZeoError as error:
                return failed(f"the ZEO server at {address} {error}")
        if time.monotonic() + AGAIN_SECONDS > until:
            break
        threading.Event().wait(AGAIN_SECONDS)
    return failed(
        f"no ZEO server accepts the connection: {', '.join(problems)}; it is not running, or"
        " requires TLS"
    )


@dataclass(frozen=True)
class _Order:
    storage: str
    days: float
    seconds: float
    ask: float
    tls: TlsFiles | None

    def give(self, address: str, deadline: float) -> int:
        """Return the exit status; raises ZeoError if the server does not let us in by then."""
        given = False
        try:
            with connected(address, self.tls, deadline, Resolver()) as link:
                server = Server(link, self.storage)
                given = True
                server.pack(time.time() - self.days * 86400, self.seconds, self.ask)
        except RefusedOrderError as error:
            return failed(f"the ZEO server says: {error}")
        except ZeoError as error:
            if not given:
                raise
            say(f"contact to the ZEO server was lost: it {error}")
            return LOST
        return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
