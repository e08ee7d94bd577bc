"""One at a time, whoever asks most."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class BusyError(Exception):
    """Too many of one address wait for their turn."""


class Turns:
    """Lets one in at a time, an address after the other: a flood from one holds up only its own."""

    def __init__(self, most: int) -> None:
        """`most` is how many of one address may wait."""
        self._most = most
        self._busy = False
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it.

        Raises BusyError rather than let the queue grow.
        """
        if self._busy:
            await self._wait(address)
        self._busy = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, address: str) -> None:
        queue = self._waiting.setdefault(address, deque())
        if len(queue) >= self._most:
            raise BusyError
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come already
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            address, queue = self._waiting.popitem(last=False)
            turn = queue.popleft()
            if queue:
                self._waiting[address] = queue  # behind the others
            if not turn.done():  # else whoever waited has gone
                turn.set_result(None)
                return
        self._busy = False
