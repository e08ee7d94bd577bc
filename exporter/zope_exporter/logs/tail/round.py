"""One look at each of many logs, of which some may hang."""

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress


class Round:
    """Calls each of some functions once, one after the other, in a thread of its own.

    Where nothing has ended for `patience` seconds another thread goes on with the rest: what hangs
    costs one thread, until it returns, and delays nothing else for longer than that.
    """

    def __init__(self, looks: Iterable[Callable[[], None]], patience: float) -> None:
        self._todo = deque(looks)
        self._patience = patience
        self._unfinished = len(self._todo)
        self._changed = threading.Condition()
        self.not_begun: list[Callable[[], None]] = []

    def run(self) -> None:
        """Return when all have ended, or when only such as hang have not.

        Raises RuntimeError if the system gives no thread; `not_begun` has what waited for one.
        """
        stuck = True
        with self._changed:
            while self._unfinished and (self._todo or not stuck):
                if stuck:
                    self._start()
                before = self._unfinished
                self._changed.wait_for(lambda: not self._unfinished, self._patience)
                stuck = self._unfinished == before

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="logs", daemon=True).start()
        except RuntimeError:
            # Taken one by one: a thread that hung may come back and take the next meanwhile.
            with suppress(IndexError):
                while True:
                    self.not_begun.append(self._todo.popleft())
            raise

    def _work(self) -> None:
        while self._todo:
            try:
                look = self._todo.popleft()
            except IndexError:  # another thread was faster
                return
            look()
            with self._changed:
                self._unfinished -= 1
                if not self._unfinished:
                    self._changed.notify()
