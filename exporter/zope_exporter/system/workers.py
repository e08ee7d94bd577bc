"""Threads for many short tasks of which any may hang.

A thread for each task would be dear with hundreds of them, as they wait for one another all the
time; a fixed number of threads could all be caught in tasks that hang.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

FEW = 8
PATIENCE = 0.02  # seconds without any task ended, after which there are to be twice the threads


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

        Meanwhile every task gets its turn: while none ends, there are more and more threads.
        """
        deadline = time.monotonic() + timeout
        all_come = _when_all_come(outcomes)
        threads, ended = FEW, None
        while True:
            if ended in (None, self._ended):
                self._start(threads)
                threads *= 2
            ended = self._ended
            left = max(0.0, deadline - time.monotonic())
            patience = min(left, PATIENCE) if self._tasks else left
            if all_come.wait(patience) or patience == left:
                return

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
