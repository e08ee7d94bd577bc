"""A cache of answers that are asked for again after a while."""

import threading
import time
from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")
V = TypeVar("V")


@dataclass
class _Entry(Generic[V]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    last: tuple[float, V] | None = None  # when it was asked, and what came of it


class TtlCache(Generic[T, V]):
    """Repeats the last answer of a thing until `pause` seconds after it was asked.

    `ask` returns all that can happen, and raises nothing. Things of one `key` are one and the same.
    """

    def __init__(
        self,
        ask: Callable[[T], V],
        pause: float,
        key: Callable[[T], Hashable] = lambda thing: thing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._pause = pause
        self._key = key
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry[V]] = {}

    def answer(self, thing: T) -> V:
        """Ask, or wait for who is asking already, or repeat the last answer."""
        with self._lock:
            current = self._entries.setdefault(self._key(thing), _Entry())
        with current.lock:
            now = self._clock()
            if current.last is None or now - current.last[0] >= self._pause:
                current.last = now, self._ask(thing)
            return current.last[1]

    def keep(self, things: Collection[T]) -> None:
        """Forget all but these."""
        wanted = {self._key(thing) for thing in things}
        with self._lock:
            for key in self._entries.keys() - wanted:
                del self._entries[key]
