"""Threads for many short tasks of which any may hang.

A thread for each task would be dear with hundreds of them: Python runs one at a time, and they
would take turns a thousand times a second. A fixed number of threads could all be caught in tasks
that hang. So there is one, and more of them while those there are mostly wait.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

PATIENCE = 0.02  # seconds until the first look at whether one thread is enough
GROWTH = 1.5  # a host with more to do than processors must not be given more and more of it
LONG = 0.25  # seconds after which it is looked at whether they get anywhere, however busy they are


@dataclass(frozen=True)
class Task:
    """Something to do, which never raises; `refuse` is called instead if no thread can be had."""

    name: str
    run: Callable[[], None]
    refuse: Callable[[Exception], None]


def _start_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()


class Workers:
    """Runs tasks in the order they come, by threads that end when there is nothing left to do.

    `start` runs a function in a new thread, or raises RuntimeError if there is none to be had.
    """

    def __init__(self, start: Callable[[Callable[[], None]], None] = _start_thread) -> None:
        self._start_thread = start
        self._lock = threading.Lock()
        self._tasks: deque[Task] = deque()
        self._threads = 0
        self._ended = 0

    def add(self, task: Task) -> None:
        """Have a task run as soon as somebody waits."""
        with self._lock:
            self._tasks.append(task)

    def wait(self, outcomes: Sequence["Future[Any]"], timeout: float) -> None:
        """Return when all outcomes have come, or after `timeout` seconds.

        Meanwhile every task gets its turn: while the threads wait, or will not be through with half
        of the time that is left, there are more and more of them.
        """
        deadline = time.monotonic() + timeout
        all_come = _when_all_come(outcomes)
        threads, patience = 1, PATIENCE
        before = since_growth = self._progress()
        self._start(threads)
        while True:
            left = max(0.0, deadline - time.monotonic())
            pause = min(left, patience) if self._tasks else left
            if all_come.wait(pause) or pause == left:
                return
            now = self._progress()
            if now.waited_since(before) or now.too_slow_since(since_growth, left / 2):
                threads, since_growth = 2 * threads, now
                patience = min(GROWTH * patience, left / 10)
                self._start(threads)
            before = now

    def _progress(self) -> "Progress":
        return Progress(time.monotonic(), time.process_time(), self._ended, len(self._tasks))

    def _start(self, most: int) -> None:
        for _ in range(most):
            with self._lock:
                if not self._tasks:
                    return
                self._threads += 1
            try:
                self._start_thread(self._work)
            except RuntimeError as error:
                self._give_up(error)
                return

    def _give_up(self, error: Exception) -> None:
        with self._lock:
            self._threads -= 1
            # Whoever still works may get to them.
            refused = [] if self._threads else list(self._tasks)
            for _ in refused:
                self._tasks.popleft()
        for task in refused:
            task.refuse(error)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._tasks:
                    self._threads -= 1
                    return
                task = self._tasks.popleft()
            threading.current_thread().name = task.name
            task.run()
            self._ended += 1  # without the lock: that it moves is enough


class Progress(NamedTuple):
    """How far everything was at a moment: seconds of CPU, tasks that have ended and are left."""

    moment: float
    cpu: float
    ended: int
    left: int

    def waited_since(self, before: "Progress") -> bool:
        """Whether no thread of this process had much to do."""
        return self.cpu - before.cpu < (self.moment - before.moment) / 2

    def too_slow_since(self, before: "Progress", time_left: float) -> bool:
        seconds = self.moment - before.moment
        return seconds > LONG and (self.ended - before.ended) * time_left < self.left * seconds


def _when_all_come(outcomes: Sequence["Future[Any]"]) -> threading.Event:
    """An event for all of them: to wait for hundreds of futures again and again locks each of them
    every time."""
    event, lock = threading.Event(), threading.Lock()
    missing = len(outcomes) + 1

    def one_more(_: object) -> None:
        nonlocal missing
        with lock:
            missing -= 1
            if not missing:
                event.set()

    for outcome in outcomes:
        outcome.add_done_callback(one_more)
    one_more(None)
    return event
