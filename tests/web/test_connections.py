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
    address_of,
)

PATIENCE = 100 * DEADLINE
LIMITS = ConnectionLimits(spared=1.0, connections=2, per_address=2)
HERE, THERE = "127.0.0.1", "127.0.0.2"


class Peers:
    """A limiter, a clock to turn, and who has been evicted."""

    def __init__(self, limits: ConnectionLimits = LIMITS) -> None:
        self.now = 0.0
        self.evicted: list[str] = []
        self.limiter = ConnectionLimiter(limits, clock=lambda: self.now)

    def wait_for(self, peer: str, address: str = HERE) -> None:
        self.limiter.wait_for(peer, self._evict(peer), address)

    async def admit(self, address: str = THERE) -> bool:
        return await asyncio.wait_for(self.limiter.admit(address), 10)

    def _evict(self, peer: str) -> Callable[[], None]:
        return lambda: self.evicted.append(peer)


@pytest.fixture
def peers() -> Peers:
    return Peers()


def test_there_is_room_until_it_is_full(peers: Peers) -> None:
    peers.wait_for("a")
    assert asyncio.run(peers.admit())
    assert not peers.evicted


def test_who_is_waited_for_longest_makes_room(peers: Peers) -> None:
    for peer in ("a", "b"):
        peers.wait_for(peer)
    peers.now = 0.5
    peers.wait_for("a")  # it was served, and now it is its turn again
    peers.now = 1.2
    assert asyncio.run(peers.admit())
    assert peers.evicted == ["b"]


def test_newcomers_and_those_served_are_spared(peers: Peers) -> None:
    peers.wait_for("a")
    peers.limiter.serve("b", HERE)
    peers.now = 0.4
    assert peers.limiter.evict_oldest() == pytest.approx(0.6)
    peers.limiter.serve("a", HERE)
    peers.now = 100.0
    assert peers.limiter.evict_oldest() == LIMITS.spared
    assert not peers.evicted


def test_who_leaves_makes_room(peers: Peers) -> None:
    async def come_and_go() -> None:
        for peer in ("a", "b"):
            peers.limiter.serve(peer, HERE)
        newcomer = asyncio.create_task(peers.limiter.admit(THERE))
        await asyncio.sleep(0)
        assert not newcomer.done()
        peers.limiter.remove("a")
        await asyncio.wait_for(newcomer, 10)

    asyncio.run(come_and_go())
    assert not peers.evicted


def test_an_address_with_too_many_makes_room_for_its_own_newcomers_only() -> None:
    peers = Peers(ConnectionLimits(spared=1.0, connections=10, per_address=2))
    peers.wait_for("other", THERE)
    for peer in ("a", "b"):
        peers.wait_for(peer)
    assert asyncio.run(peers.admit(HERE))
    assert peers.evicted == ["a"]
    assert asyncio.run(peers.admit(THERE))
    assert peers.evicted == ["a"]


def test_an_address_that_is_owed_as_many_answers_as_it_may_is_refused() -> None:
    peers = Peers(ConnectionLimits(spared=1.0, connections=10, per_address=2))
    for peer in ("a", "b"):
        peers.limiter.serve(peer, HERE)
    assert not asyncio.run(peers.admit(HERE))
    assert asyncio.run(peers.admit(THERE))
    peers.limiter.remove("a")
    assert asyncio.run(peers.admit(HERE))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("127.0.0.1", 1), ("127.0.0.1", 2), True),
        (("127.0.0.1", 1), ("127.0.0.2", 1), False),
        (("::ffff:127.0.0.1", 1, 0, 0), ["127.0.0.1", 2], True),
        (("::ffff:127.0.0.1", 1, 0, 0), ("::ffff:127.0.0.2", 1, 0, 0), False),
        (("2001:db8::1", 1, 0, 0), ("2001:db8::ff:2", 1, 0, 0), True),
        (("2001:db8::1", 1, 0, 0), ("2001:db8:0:1::1", 1, 0, 0), False),
        (("fe80::1%eth0", 1, 0, 2), ("fe80::2", 1, 0, 2), True),
        ("", None, True),
    ],
)
def test_where_a_peer_comes_from(one: object, other: object, same: bool) -> None:
    assert (address_of(one) == address_of(other)) is same


async def _is_cut_off(ago: float) -> bool:
    """Whether a peer that says nothing is, and not for having waited here."""
    loop = asyncio.get_running_loop()
    config, limiter = uvicorn.Config(app_of(), log_config=None), ConnectionLimiter(DEFAULT_LIMITS)
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.setblocking(False)
        transport, _ = await loop.connect_accepted_socket(
            lambda: Connection(config, ServerState(), limiter, PATIENCE, loop.time() - ago, HERE),
            ours,
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
