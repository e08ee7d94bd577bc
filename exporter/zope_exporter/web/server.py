"""Serving HTTP: accepting connections, and ending in good order."""

import asyncio
import logging
import re
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType
from urllib.parse import unquote

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .auth import Guard
from .connections import (
    DEFAULT_LIMITS,
    Connection,
    ConnectionLimiter,
    ConnectionLimits,
    address_of,
)
from .health import HealthSocket
from .listen import local_url
from .throttle import Throttle
from .tls import Certificates
from .webconfig import WebConfigFile

log = logging.getLogger(__name__)

GRACE = 1.0  # seconds a request in progress is given at the end
LONGEST_HEAD = 16384  # bytes of a request before its body
_ORIGIN = re.compile(rb"https?://([^/?#@\\]+)", re.IGNORECASE)


class Server(uvicorn.Server):
    """A web server on sockets that listen already.

    uvicorn parses and answers. Accepting is ours, because uvicorn has a deadline neither for the
    TLS handshake nor for the request, and keeps the certificate it started with.
    """

    def __init__(
        self,
        app: ASGIApp,
        listeners: Sequence[socket.socket],
        web_config: WebConfigFile | None = None,
        limits: ConnectionLimits = DEFAULT_LIMITS,
        token_prefix: str | None = None,
    ) -> None:
        """Paths of the app that begin with `token_prefix` ask for a token, not for a password.

        Raises ConfigError if the certificate of the web configuration cannot be used.
        """
        self._app = Guard(app, web_config, token_prefix) if web_config else app
        self._listeners = listeners
        self._limits = limits
        self._limiter = ConnectionLimiter(limits)
        self._arrivals: set[asyncio.Task[None]] = set()
        self._accepting: list[asyncio.Task[None]] = []
        self._refusals = Throttle()
        self._health: HealthSocket | None = None
        tls = web_config.current().tls_server_config if web_config else None
        self._certificates = Certificates(web_config, tls) if web_config and tls else None
        super().__init__(
            uvicorn.Config(
                self._answer,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="error",  # it warns of every bad request: anyone could fill a disk
                access_log=False,
                workers=1,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=int(limits.patience) + 1,  # ours comes first
            )
        )

    @property
    def url(self) -> str:
        """Where this server can be reached from this host."""
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """All of these places."""
        scheme = "https" if self._certificates else "http"
        return [local_url(listener, scheme) for listener in self._listeners]

    def serve_health(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Have `run` also tell of its health at the abstract Unix socket `name`."""
        self._health = HealthSocket(name, is_ready)

    def stop(self) -> None:
        """Have `run` return soon; from any thread."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        # uvicorn would raise the signal again at the end, and the caller could not clean up.
        self.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        if self._health is not None:  # before uvicorn says that it has started
            await self._health.start(self._is_accepting)
        await super().startup(sockets=[])
        for listener in self._listeners:
            listener.setblocking(False)
            self._accepting.append(asyncio.create_task(self._accept(listener)))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        # In uvicorn's own, a peer that does not read can hold up the end, and a cut off request
        # leaves a traceback in the log.
        for accepting in self._accepting:
            accepting.cancel()
        if self._health is not None:
            self._health.stop()
        for listener in self._listeners:
            listener.close()
        for arrival in self._arrivals:
            arrival.cancel()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=GRACE)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in self.server_state.tasks:
            task.cancel()
        await asyncio.gather(*self.server_state.tasks, *self._arrivals, return_exceptions=True)
        await asyncio.sleep(0)  # in which the aborted connections close their sockets

    def _is_accepting(self) -> bool:
        return bool(self._accepting) and not any(task.done() for task in self._accepting)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _refusal(scope) or self._app
        scope = _in_origin_form(scope)
        with suppress(asyncio.CancelledError):  # only the end of the server cancels a request
            await answer(scope, receive, send)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            await self._accept_one(listener)
            # Where more wait already, neither of the two waits; in a flood nobody would be served.
            await asyncio.sleep(0)

    async def _accept_one(self, listener: socket.socket) -> None:
        try:
            arrived, peer = await asyncio.get_running_loop().sock_accept(listener)
        except ConnectionAbortedError:  # the peer has gone already
            return
        except OSError as error:  # out of descriptors
            if self._refusals.due():  # one goes through now and then, so its end tells nothing
                log.warning("a connection could not be accepted: %s", error)
            self._limiter.evict_oldest()
            await asyncio.sleep(0.1)  # nothing tells when there is a descriptor again
            return
        address = address_of(peer)
        try:
            admitted = await self._limiter.admit(address)
        except asyncio.CancelledError:
            arrived.close()
            raise
        if not admitted:
            arrived.close()
            return
        arrival = asyncio.create_task(self._connect(arrived, address))
        self._arrivals.add(arrival)
        self._limiter.wait_for(arrival, arrival.cancel, address)
        arrival.add_done_callback(partial(self._settled, arrived))

    def _settled(self, arrived: socket.socket, arrival: asyncio.Task[None]) -> None:
        self._arrivals.discard(arrival)
        self._limiter.remove(arrival)
        if arrival.cancelled():
            arrived.close()  # nobody may have taken it over yet

    async def _connect(self, arrived: socket.socket, address: str) -> None:
        context = self._certificates.context() if self._certificates else None
        if self._certificates and context is None:
            arrived.close()
            return
        loop = asyncio.get_running_loop()
        since, patience = loop.time(), self._limits.patience
        with suppress(OSError):  # gone, too slow, or no TLS: all the peer's doing
            await loop.connect_accepted_socket(
                lambda: Connection(
                    self.config, self.server_state, self._limiter, patience, since, address
                ),
                arrived,
                ssl=context,
                ssl_handshake_timeout=patience if context else None,
            )


def _refusal(scope: Scope) -> PlainTextResponse | None:
    names = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= names:
        # h11 goes by one of them; a proxy that goes by the other sees other requests than we do.
        return PlainTextResponse("Two lengths for one body.\n", 400, {"Connection": "close"})
    # h11 bounds only a head that comes in pieces.
    fields = sum(len(name) + len(value) for name, value in scope["headers"])
    if fields + len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_HEAD:
        return PlainTextResponse("The request is too long.\n", 431, {"Connection": "close"})
    return None


def _in_origin_form(scope: Scope) -> Scope:
    """Return the scope as if the path alone had come, and that Host, for `GET http://host/path`.

    Proxies send that. RFC 9112 3.2.2 has every server accept both, and go by the target where Host
    says otherwise.
    """
    origin = _ORIGIN.match(scope["raw_path"])
    if origin is None:
        return scope
    raw_path = scope["raw_path"][origin.end() :] or b"/"
    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
    return {
        **scope,
        "raw_path": raw_path,
        "path": unquote(raw_path.decode("ascii")),
        "headers": [(b"host", origin[1]), *others],
    }
