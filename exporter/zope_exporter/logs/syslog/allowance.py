"""How much of a processor a thread may use."""

import time
from collections.abc import Callable

SHARE = 0.25
WINDOW_SECONDS = 1.0


class Allowance:
    """Allows its thread a share of a core, reckoned in windows of one second."""

    def __init__(
        self,
        share: float = SHARE,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = time.thread_time,
    ) -> None:
        self._share = share
        self._clock = clock
        self._used = used
        self._began = float("-inf")
        self._before = 0.0

    def overdrawn(self) -> float:
        """Return how many seconds of this window are left without an allowance, 0 if it lasts."""
        now, used = self._clock(), self._used()
        left = self._began + WINDOW_SECONDS - now
        if left <= 0:
            self._began, self._before = now, used
            return 0.0
        return left if used - self._before > self._share * WINDOW_SECONDS else 0.0
