"""Where a process listens, whatever its configuration says."""

import ipaddress
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from .candidate import LISTEN, Source
from .conf.address import reachable
from .started_program import program_of

_LISTENS = "0A"
_TABLES = "net/tcp", "net/tcp6"
_WITH_TLS = ("--ssl-keyfile", "--ssl-certfile", "--keyfile", "--certfile")


def listeners(pid: int, proc: Path = Path("/proc")) -> tuple[str, ...]:
    """Return where a process listens by TCP, as host:port by which this host reaches it.

    Nothing of a process that is gone or may not be inspected.
    """
    with suppress(OSError, ValueError, IndexError):
        process = proc / str(pid)
        opened = {link.readlink().name for link in (process / "fd").iterdir()}
        return tuple(sorted(set(_listeners(process, opened))))
    return ()


def _listeners(process: Path, opened: set[str]) -> Iterator[str]:
    for table in _TABLES:
        for line in (process / table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == _LISTENS and f"socket:[{rest[5]}]" in opened:
                host, _, port = local.partition(":")
                yield reachable(_host(bytes.fromhex(host)), int(port, 16))


def _host(raw: bytes) -> str:
    # The kernel writes words of 32 bits, each in the order of the machine.
    words = [raw[start : start + 4] for start in range(0, len(raw), 4)]
    ordered = [word[::-1] if sys.byteorder == "little" else word for word in words]
    return str(ipaddress.ip_address(b"".join(ordered)))


def with_listeners(source: Source, proc: Path = Path("/proc")) -> Source:
    """Return the source of a Zope whose server is not that of its ini file, with its addresses."""
    if source.process is None or source.root is not None:
        return source
    argv: list[str] = []
    with suppress(OSError):
        text = (proc / str(source.process.pid) / "cmdline").read_bytes()
        argv = text.decode(errors="replace").split("\0")
    found = [] if is_no_http(argv) else listeners(source.process.pid, proc)
    secure = any(word.startswith(_WITH_TLS) for word in argv)
    urls = " ".join(f"{'https' if secure else 'http'}://{address}" for address in found)
    kept = (pair for pair in source.variables if pair[0] != LISTEN)
    return replace(source, variables=(*kept, (LISTEN, urls)))


def is_no_http(argv: Sequence[str]) -> bool:
    """Whether what listens may speak another protocol, as the sockets of uWSGI do."""
    program = program_of(argv)[0]
    return "uwsgi" in program.lower()
