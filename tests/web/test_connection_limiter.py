import asyncio
from collections.abc import Callable

import pytest

from zope_exporter.web.connection_limiter import ConnectionLimiter, Limits

LIMITS = Limits(spared=1.0, connections=2)


class Guests:
    """A room, a clock to turn, and who has been shown out."""

    def __init__(self) -> None:
        self.now = 0.0
        self.out: list[str] = []
        self.room = ConnectionLimiter(LIMITS, clock=lambda: self.now)

    def wait_for(self, guest: str) -> None:
        self.room.wait_for(guest, self._shown_out(guest))

    def _shown_out(self, guest: str) -> Callable[[], None]:
        return lambda: self.out.append(guest)


@pytest.fixture
def guests() -> Guests:
    return Guests()


def test_there_is_a_place_until_it_is_full(guests: Guests) -> None:
    guests.wait_for("a")
    asyncio.run(asyncio.wait_for(guests.room.place(), 10))
    assert not guests.out


def test_who_is_waited_for_longest_makes_room(guests: Guests) -> None:
    for guest in ("a", "b"):
        guests.wait_for(guest)
    guests.now = 0.5
    guests.wait_for("a")  # it was served, and now it is its turn again
    guests.now = 1.2
    asyncio.run(asyncio.wait_for(guests.room.place(), 10))
    assert guests.out == ["b"]


def test_newcomers_and_those_served_are_spared(guests: Guests) -> None:
    guests.wait_for("a")
    guests.room.serve("b")
    guests.now = 0.4
    assert guests.room.show_one_out() == pytest.approx(0.6)
    guests.room.serve("a")
    guests.now = 100.0
    assert guests.room.show_one_out() == LIMITS.spared
    assert not guests.out


def test_a_place_left_is_a_place_free(guests: Guests) -> None:
    async def come_and_go() -> None:
        for guest in ("a", "b"):
            guests.room.serve(guest)
        newcomer = asyncio.create_task(guests.room.place())
        await asyncio.sleep(0)
        assert not newcomer.done()
        guests.room.leave("a")
        await asyncio.wait_for(newcomer, 10)

    asyncio.run(come_and_go())
    assert not guests.out
