"""Connections as uvicorn serves them, but bounded in number and never waiting long for a peer."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState


@dataclass(frozen=True)
class ConnectionLimits:
    """What one peer, and all of them, can take from us.

    `patience` is how many seconds a peer may owe us its first request, handshake of TLS included,
    the next one, or the reading of an answer; for the first `spared` of them it is not evicted
    either. `connections` stays well below the usual limit of 1024 open files. `per_address` leaves
    most of them to others; within it nobody is spared, so that a flood has only itself to wait for.
    """

    patience: float = 8.0  # so that all is over within 10, however busy we are
    spared: float = 1.0
    connections: int = 512
    per_address: int = 128


DEFAULT_LIMITS = ConnectionLimits()


def address_of(peer: object) -> str:
    """Return where a peer comes from, by what `accept` or ASGI says of it.

    Of IPv6 it is the network of 64 bits: that many addresses are one customer's.
    """
    if not isinstance(peer, tuple | list) or not peer:
        return ""
    address = ip_address(str(peer[0]).partition("%")[0])
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped  # as a socket of both families tells IPv4
        return str(mapped) if mapped else address.packed[:8].hex()
    return str(address)


@dataclass(frozen=True)
class _Turn:
    since: float
    close: Callable[[], object]


class ConnectionLimiter:
    """Keeps the number of connections bounded: who has kept us waiting longest makes room."""

    def __init__(
        self, limits: ConnectionLimits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._open: dict[Hashable, str] = {}  # with their addresses
        self._of_address: Counter[str] = Counter()
        self._waiting_for: dict[Hashable, _Turn] = {}  # longest first
        self._closed = asyncio.Event()

    async def admit(self, address: str) -> bool:
        """Return when one more may come in; those after it wait in the kernel meanwhile.

        At once it is False if its address has as many as it may, and we owe all of them an answer.
        """
        if self._of_address[address] >= self._limits.per_address and not self._evict_of(address):
            return False
        while len(self._open) >= self._limits.connections:
            spared = self.evict_oldest()
            if spared > 0:
                self._closed.clear()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._closed.wait(), spared)
        return True

    def evict_oldest(self) -> float:
        """Close the connection waited for longest, or return how long it is still spared."""
        for peer, turn in self._waiting_for.items():
            spared = turn.since + self._limits.spared - self._clock()
            if spared <= 0:
                self._evict(peer, turn)
            return spared
        return self._limits.spared

    def wait_for(self, peer: Hashable, close: Callable[[], object], address: str) -> None:
        """Note that it is the peer's turn; `close` evicts it."""
        self.serve(peer, address)
        self._waiting_for[peer] = _Turn(self._clock(), close)

    def serve(self, peer: Hashable, address: str) -> None:
        """Note that it is our turn."""
        if peer not in self._open:
            self._open[peer] = address
            self._of_address[address] += 1
        self._waiting_for.pop(peer, None)

    def remove(self, peer: Hashable) -> None:
        """Forget a peer."""
        address = self._open.pop(peer, None)
        if address is not None:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]
        self._waiting_for.pop(peer, None)
        self._closed.set()

    def _evict_of(self, address: str) -> bool:
        for peer, turn in self._waiting_for.items():
            if self._open[peer] == address:
                self._evict(peer, turn)
                return True
        return False

    def _evict(self, peer: Hashable, turn: _Turn) -> None:
        self.remove(peer)
        turn.close()


class Connection(H11Protocol):
    """A connection that is cut off when the peer keeps us waiting.

    The deadline starts when the turn passes to the peer and no byte puts it off, so that a request
    or an answer of one byte a second ends as a silent one does. That of the first request started
    when the peer was let in, at `since` on the clock of the loop, before any handshake of TLS.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        limiter: ConnectionLimiter,
        patience: float,
        since: float,
        address: str,
    ) -> None:
        super().__init__(config, state, app_state={})
        self._address = address
        self._limiter = limiter
        self._patience = patience
        self._since: float | None = since
        self._deadline: asyncio.TimerHandle | None = None
        self._answered_early = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._see_whose_turn()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.transport.close()  # closed already, but Python 3.10 does not see that over TLS
        self._stop_deadline()
        self._limiter.remove(self)

    def data_received(self, data: bytes) -> None:
        if not self._answered_early:
            super().data_received(data)
            self._see_whose_turn()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._see_whose_turn()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._see_whose_turn()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:  # in the midst of an answer
            self.transport.abort()
            return
        super().send_400_response(msg)
        if self.cycle is not None:
            # Else the answer to what came before would follow, into a connection that is closing.
            self.cycle.disconnected = True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            # The answer did not need the body. To close now would reset the connection before the
            # peer has read the answer, so its bytes are dropped until it closes or is cut off.
            self._answered_early = True
            if self.transport.can_write_eof():
                self.transport.write_eof()
        self._see_whose_turn()

    def _see_whose_turn(self) -> None:
        if self._our_turn():
            self._since = None
            self._stop_deadline()
            self._limiter.serve(self, self._address)
        elif self._deadline is None:
            since = self.loop.time() if self._since is None else self._since
            self._deadline = self.loop.call_at(since + self._patience, self.transport.abort)
            self._limiter.wait_for(self, self.transport.abort, self._address)

    def _our_turn(self) -> bool:
        return (
            self.cycle is not None
            and not self.cycle.response_complete
            and self.conn.their_state is not h11.SEND_BODY
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
