"""The program that has a ZEO server pack: STORAGE DAYS SECONDS TLS ADDRESS...

It ends with 0 when the server says that it has packed, with 1 and the reason when nothing was
packed, and with 3 when the connection was lost and the server may go on.
"""

import logging
import sys
import time
from typing import Any

from ZConfig.datatypes import inet_connection_address
from ZEO.ClientStorage import ClientStorage
from ZEO.Exceptions import ClientDisconnected

from zope_exporter.clients.zeo.link import ZeoError, server_name, tls_context
from zope_exporter.discovery.inventory import TlsFiles

from .program import LOST, failed, say
from .zeo_engine import tls_files

CACHE_BYTES = 1 << 20


def main(storage: str, days: str, seconds: str, tls: str, *addresses: str) -> int:
    try:
        client = ClientStorage(
            [_address(text) for text in addresses],
            storage=storage,
            name="zope-exporter",
            cache_size=CACHE_BYTES,
            wait_timeout=float(seconds),
            read_only=True,  # enough for a pack
            **_tls(tls_files(tls), addresses[0]),
        )
    except ZeoError as error:
        return failed(str(error))
    except ClientDisconnected:
        return failed(
            f"no ZEO server accepts the connection at {' or '.join(addresses)}: it is not running,"
            f" not one of ZEO 5 or later, requires TLS, or has no storage {storage}"
        )
    return _pack(client, float(days))


def _address(text: str) -> str | tuple[str, int]:
    return text if "/" in text else inet_connection_address(text)


def _tls(tls: TlsFiles | None, address: str) -> dict[str, Any]:
    if tls is None:
        return {}
    return {"ssl": tls_context(tls), "ssl_server_hostname": server_name(tls, address)}


def _pack(client: ClientStorage, days: float) -> int:
    try:
        client.pack(time.time() - days * 86400, wait=True)
    except ClientDisconnected:
        say("the connection to the ZEO server was lost")
        return LOST
    except Exception as error:  # whatever the server raised
        return failed(f"the ZEO server says: {type(error).__name__}: {error}")
    return 0


if __name__ == "__main__":
    logging.disable()
    sys.exit(main(*sys.argv[1:]))
