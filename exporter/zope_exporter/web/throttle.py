"""Messages of which others could have any number written."""

import time
from collections.abc import Callable

LOG_EVERY = 60.0  # seconds


class Throttle:
    """Lets a message into the log at most every LOG_EVERY seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None

    def due(self) -> bool:
        now = self._clock()
        if self._last is not None and now - self._last < LOG_EVERY:
            return False
        self._last = now
        return True
