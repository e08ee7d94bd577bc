"""Work that is done again and again in the background."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress


class Periodic:
    """Does some work again and again in a thread of its own, from `start` to `stop`.

    `work` returns the seconds until it is due again; if it raises, `error` says why until it goes
    well, and it is due again after `retry` seconds. Work that hangs keeps nobody waiting for long.
    `end` is called by the thread at its end. `name` says what the work is.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], float],
        retry: float,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        self._work = work
        self._retry = retry
        self._end = end
        self._changed = threading.Condition()
        self._wanted = self._started = self._finished = 0
        self._began = 0.0
        self._stopping = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def error(self) -> Exception | None:
        """What ended the work the last time, None if it went well."""
        return self._error

    @property
    def is_stopping(self) -> bool:
        """Whether there is to be no more work."""
        return self._stopping

    def start(self) -> None:
        """Begin to work. Raises RuntimeError the second time."""
        self._thread.start()

    def stop(self, timeout: float | None = 1.0) -> None:
        """End that; work that hangs is left behind after `timeout` seconds, with None never."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def wake(self) -> None:
        """Let the work be due now; once more, if it is under way."""
        with self._changed:
            self._wanted = self._started + 1
            self._changed.notify_all()

    def refresh(self, timeout: float, since: float = math.inf) -> Exception | None:
        """Wait for work that begins after this call; return the error if it did not go well.

        Work that has begun `since` that time of the monotonic clock will do, too. Raises
        TimeoutError after `timeout` seconds, of which those of such work are some.
        """
        with self._changed:
            wanted, left = self._started, self._began + timeout - time.monotonic()
            if self._began < since:
                wanted, left = self._started + 1, timeout
                self._wanted = wanted
                self._changed.notify_all()
            return self._wait_for(wanted, max(0.0, left))

    def first(self, timeout: float) -> Exception | None:
        """Wait for the first work; else as `refresh`."""
        with self._changed:
            return self._wait_for(1, timeout)

    def wait_for_first(self, timeout: float) -> bool:
        """Wait until the work was done once, up to `timeout` seconds; return whether it was."""
        try:
            self.first(timeout)
        except TimeoutError:
            return False
        return True

    def busy_seconds(self) -> float:
        """Return for how long the work is under way, 0 if it is not."""
        with self._changed:
            return time.monotonic() - self._began if self._finished < self._started else 0.0

    def _wait_for(self, wanted: int, timeout: float) -> Exception | None:
        self._changed.wait_for(lambda: self._finished >= wanted or self._stopping, timeout)
        if self._finished < wanted:
            raise TimeoutError(f"the {self._thread.name} did not end within {timeout:g} s")
        return self._error

    def _run(self) -> None:
        while self._begin():
            pause = self._retry
            error: Exception | None = None
            try:
                pause = self._work()
            except Exception as failure:  # the thread must live on; whoever looks shows it
                error = failure
            with self._changed:
                self._finished, self._error = self._started, error
                self._changed.notify_all()
                self._changed.wait_for(self._is_due, min(pause, threading.TIMEOUT_MAX))
        self._end()

    def _begin(self) -> bool:
        with self._changed:
            if self._stopping:
                return False
            self._started += 1
            self._began = time.monotonic()
            return True

    def _is_due(self) -> bool:
        return self._stopping or self._wanted > self._started


def read_when_idle() -> None:
    """Let the disks serve this thread after all others, where the system can do that.

    Not the processor's priority: a thread that has to wait there may hold Python's lock.
    """
    import psutil  # not needed by most of the work

    with suppress(OSError, psutil.Error):
        psutil.Process(threading.get_native_id()).ionice(psutil.IOPRIO_CLASS_IDLE)
