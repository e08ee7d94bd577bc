import asyncio

import pytest

from zope_exporter.web.turns import BusyError, Turns


class Line:
    """Those who wait for a turn, and in which order they had it."""

    def __init__(self, most: int = 2) -> None:
        self.turns = Turns(most)
        self.had: list[str] = []
        self.go_on = asyncio.Event()

    async def take(self, address: str) -> None:
        async with self.turns.turn(address):
            self.had.append(address)
            await self.go_on.wait()


async def lined_up(line: Line, *addresses: str) -> "list[asyncio.Task[None]]":
    tasks = [asyncio.create_task(line.take(address)) for address in addresses]
    await asyncio.sleep(0)
    return tasks


def test_each_address_has_its_turn() -> None:
    async def run() -> list[str]:
        line = Line()
        tasks = await lined_up(line, "a", "a", "a", "b", "c")
        line.go_on.set()
        await asyncio.gather(*tasks)
        return line.had

    assert asyncio.run(run()) == ["a", "a", "b", "c", "a"]


def test_an_address_with_too_many_is_refused_and_the_others_are_not() -> None:
    async def run() -> list[BaseException | None]:
        line = Line(most=1)
        tasks = await lined_up(line, "a", "a", "a", "b")
        line.go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third, other = asyncio.run(run())
    assert (first, second, other) == (None, None, None)
    assert isinstance(third, BusyError)


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_who_goes_away_keeps_nobody_waiting(gone: int) -> None:
    async def run() -> list[str]:
        line = Line()
        tasks = await lined_up(line, "a", "b", "c")
        tasks[gone].cancel()
        await asyncio.sleep(0)
        line.go_on.set()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        await asyncio.wait_for(line.take("d"), 10)
        return line.had

    had = asyncio.run(run())
    assert had[-1] == "d"
    assert len(had) == (4 if gone == 0 else 3)


def test_who_goes_away_as_the_turn_comes_passes_it_on() -> None:
    async def run() -> list[str]:
        line = Line()
        first, second, third = await lined_up(line, "a", "b", "c")
        line.go_on.set()
        await first
        second.cancel()  # it was woken and has not run yet
        await asyncio.wait_for(asyncio.gather(second, third, return_exceptions=True), 10)
        return line.had

    assert asyncio.run(run())[-1] == "c"
