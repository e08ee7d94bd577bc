"""Asking seldom."""

import threading
from concurrent.futures import ThreadPoolExecutor

from zope_exporter.system.ttl_cache import TtlCache


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_repeated_until_the_pause_is_over() -> None:
    asked: list[str] = []
    clock = Clock()

    def ask(thing: str) -> int:
        asked.append(thing)
        return len(asked)

    rounds = TtlCache(ask, 10.0, clock=clock)
    assert [rounds.answer("a"), rounds.answer("a"), rounds.answer("b")] == [1, 1, 2]
    clock.now += 9.9
    assert rounds.answer("a") == 1
    clock.now += 0.1
    assert rounds.answer("a") == 3
    assert asked == ["a", "b", "a"]


def test_things_of_one_key_are_one() -> None:
    asked: list[str] = []
    rounds: TtlCache[str, None] = TtlCache(asked.append, 10.0, key=str.lower)
    rounds.answer("a")
    rounds.answer("A")
    assert asked == ["a"]


def test_who_comes_while_it_is_asked_waits_for_that_answer() -> None:
    begun, go = threading.Event(), threading.Event()
    asked: list[str] = []

    def ask(thing: str) -> int:
        asked.append(thing)
        begun.set()
        assert go.wait(30)
        return len(asked)

    rounds = TtlCache(ask, 10.0)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(rounds.answer, "a") for _ in range(8)]
        assert begun.wait(30)
        go.set()
        assert {answer.result(30) for answer in answers} == {1}
    assert asked == ["a"]


def test_what_is_gone_is_forgotten() -> None:
    asked: list[str] = []
    rounds: TtlCache[str, None] = TtlCache(asked.append, 10.0)
    rounds.answer("a")
    rounds.answer("b")
    rounds.keep(["b"])
    rounds.answer("a")
    rounds.answer("b")
    assert asked == ["a", "b", "a"]
