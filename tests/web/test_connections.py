import asyncio
import socket
from collections.abc import Callable

import pytest
import uvicorn
from uvicorn.server import ServerState

from tests.support.web.server import DEADLINE, app_of
from zope_exporter.web.connections import (
    DEFAULT_LIMITS,
    Connection,
    ConnectionLimiter,
    ConnectionLimits,
)

PATIENCE = 100 * DEADLINE
LIMITS = ConnectionLimits(spared=1.0, connections=2)


class Peers:
    """A limiter, a clock to turn, and who has been evicted."""

    def __init__(self) -> None:
        self.now = 0.0
        self.evicted: list[str] = []
        self.limiter = ConnectionLimiter(LIMITS, clock=lambda: self.now)

    def wait_for(self, peer: str) -> None:
        self.limiter.wait_for(peer, self._evict(peer))

    def _evict(self, peer: str) -> Callable[[], None]:
        return lambda: self.evicted.append(peer)


@pytest.fixture
def peers() -> Peers:
    return Peers()


def test_there_is_room_until_it_is_full(peers: Peers) -> None:
    peers.wait_for("a")
    asyncio.run(asyncio.wait_for(peers.limiter.admit(), 10))
    assert not peers.evicted


def test_who_is_waited_for_longest_makes_room(peers: Peers) -> None:
    for peer in ("a", "b"):
        peers.wait_for(peer)
    peers.now = 0.5
    peers.wait_for("a")  # it was served, and now it is its turn again
    peers.now = 1.2
    asyncio.run(asyncio.wait_for(peers.limiter.admit(), 10))
    assert peers.evicted == ["b"]


def test_newcomers_and_those_served_are_spared(peers: Peers) -> None:
    peers.wait_for("a")
    peers.limiter.serve("b")
    peers.now = 0.4
    assert peers.limiter.evict_oldest() == pytest.approx(0.6)
    peers.limiter.serve("a")
    peers.now = 100.0
    assert peers.limiter.evict_oldest() == LIMITS.spared
    assert not peers.evicted


def test_who_leaves_makes_room(peers: Peers) -> None:
    async def come_and_go() -> None:
        for peer in ("a", "b"):
            peers.limiter.serve(peer)
        newcomer = asyncio.create_task(peers.limiter.admit())
        await asyncio.sleep(0)
        assert not newcomer.done()
        peers.limiter.remove("a")
        await asyncio.wait_for(newcomer, 10)

    asyncio.run(come_and_go())
    assert not peers.evicted


async def _is_cut_off(ago: float) -> bool:
    """Whether a peer that says nothing is, and not for having waited here."""
    loop = asyncio.get_running_loop()
    config, limiter = uvicorn.Config(app_of(), log_config=None), ConnectionLimiter(DEFAULT_LIMITS)
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.setblocking(False)
        transport, _ = await loop.connect_accepted_socket(
            lambda: Connection(config, ServerState(), limiter, PATIENCE, loop.time() - ago), ours
        )
        asked = loop.create_task(loop.sock_recv(theirs, 1))
        # What is due already comes before what is due a little later.
        await asyncio.wait([asked], timeout=DEADLINE if ago > PATIENCE else 0.1)
        ended = asked.done()
        asked.cancel()
        transport.abort()
        await asyncio.gather(asked, return_exceptions=True)
    return ended


@pytest.mark.parametrize(("ago", "ended"), [(PATIENCE + 1, True), (PATIENCE / 2, False)])
def test_the_time_of_the_first_request_began_when_the_peer_was_let_in(
    ago: float, ended: bool
) -> None:
    assert asyncio.run(_is_cut_off(ago)) is ended
