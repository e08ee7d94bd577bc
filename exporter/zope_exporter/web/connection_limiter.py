"""ConnectionLimiter for a bounded number of connections."""

import asyncio
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one peer, and all of them, can take from us.

    `patience` is how many seconds a peer may owe us its first request, handshake of TLS included,
    the next one, or the reading of an answer; for the first `spared` of them it is not shown out to
    make room either. `connections` stays well below the usual limit of 1024 open files.
    """

    patience: float = 8.0  # so that all is over within 10, however busy we are
    spared: float = 1.0
    connections: int = 512


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class _Turn:
    since: float
    close: Callable[[], object]


class ConnectionLimiter:
    """Keeps the number of connections bounded: who has kept us waiting longest makes room."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._inside: set[Hashable] = set()
        self._waiting_for: dict[Hashable, _Turn] = {}  # longest first
        self._left = asyncio.Event()

    async def place(self) -> None:
        """Return when one more may come in; those after it wait in the kernel meanwhile."""
        while len(self._inside) >= self._limits.connections:
            spared = self.show_one_out()
            if spared > 0:
                self._left.clear()
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._left.wait(), spared)

    def show_one_out(self) -> float:
        """Close the connection waited for longest, or return how long it is still spared."""
        for guest, turn in self._waiting_for.items():
            spared = turn.since + self._limits.spared - self._clock()
            if spared <= 0:
                self.leave(guest)
                turn.close()
            return spared
        return self._limits.spared

    def wait_for(self, guest: Hashable, close: Callable[[], object]) -> None:
        """Note that it is the guest's turn; `close` shows it out."""
        self.serve(guest)
        self._waiting_for[guest] = _Turn(self._clock(), close)

    def serve(self, guest: Hashable) -> None:
        """Note that it is our turn."""
        self._inside.add(guest)
        self._waiting_for.pop(guest, None)

    def leave(self, guest: Hashable) -> None:
        """Forget a guest."""
        self._inside.discard(guest)
        self._waiting_for.pop(guest, None)
        self._left.set()
