"""A web server for probes to survive: all on loopback, one misbehaviour a path or port."""

import asyncio
import datetime
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from types import TracebackType

import trustme

from tests.support.hostile.misbehaviour import (
    MISBEHAVIOURS,
    Misbehaviour,
    Peer,
    redirect,
    says,
    silence,
)

EXPIRED = datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


class HostileServer:
    """Runs from `with` to its end; `ports` are its ports by what they do, `asked` all requests.

    The path `/redirect?there` redirects there. The port `scripted` reads a request, then sends the
    byte strings of `script` one by one.
    """

    def __init__(self) -> None:
        self.ca = trustme.CA()
        self.ports: dict[str, int] = {}
        self.asked: list[bytes] = []
        self.script: tuple[bytes, ...] = ()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._clogged: list[socket.socket] = []

    def __enter__(self) -> "HostileServer":
        self._thread.start()
        if not self._ready.wait(30):
            raise TimeoutError("the hostile server did not start")
        self.ports["full"] = self.clog("127.0.0.1", 0)
        with socket.create_server(("127.0.0.1", 0)) as closed:
            self.ports["refused"] = closed.getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        for clogged in self._clogged:
            clogged.close()

    def clog(self, host: str, port: int) -> int:
        """Listen on a port whose backlog is full, so that connecting takes for ever."""
        listener = socket.socket()
        self._clogged.append(listener)
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(3):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
            self._clogged.append(waiting)
        return int(listener.getsockname()[1])

    def url(self, path: str, port: str = "plain") -> str:
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda *_: None)  # clients that give up are its purpose
        self._stop = asyncio.Event()
        other = trustme.CA()
        contexts = {
            "trusted": _context(self.ca.issue_cert("127.0.0.1", "good.test")),
            "expired": _context(self.ca.issue_cert("127.0.0.1", not_after=EXPIRED)),
            "wrong_name": _context(self.ca.issue_cert("other.test")),
            "self_signed": _context(other),
        }
        servers = [
            await self._listen("plain", self._by_path),
            await self._listen("elsewhere", self._by_path, host="127.0.0.2"),
            await self._listen("mute", lambda _: silence, reads=False),
            await self._listen("not_tls", lambda _: says(b"HTTP/1.1 400 No\r\n\r\n"), reads=False),
            await self._listen("scripted", lambda _: says(*self.script)),
            await self._listen("scripted_tls", lambda _: says(*self.script), reads=False),
        ]
        for name, context in contexts.items():
            servers.append(await self._listen(name, self._by_path, context))
        self._ready.set()
        await self._stop.wait()
        for server in servers:
            server.close()

    async def _listen(
        self,
        name: str,
        choose: Callable[[bytes], Misbehaviour],
        context: ssl.SSLContext | None = None,
        reads: bool = True,
        host: str = "127.0.0.1",
    ) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                head = await reader.readuntil(b"\r\n\r\n") if reads else b""
                self.asked.append(head)
                await choose(head)(Peer(writer, self._stop))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
            except (OSError, asyncio.IncompleteReadError):
                pass  # gone, as it should
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(serve, host, 0, ssl=context)
        self.ports[name] = server.sockets[0].getsockname()[1]
        return server

    def _by_path(self, head: bytes) -> Misbehaviour:
        path, _, query = head.split()[1].partition(b"?")
        return redirect(query) if path == b"/redirect" else MISBEHAVIOURS[path.decode()]


def _context(certificate: trustme.LeafCert | trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if isinstance(certificate, trustme.LeafCert):
        certificate.configure_cert(context)
        return context
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(certificate.private_key_pem.bytes() + certificate.cert_pem.bytes())
        pem.flush()
        context.load_cert_chain(pem.name)
    return context
