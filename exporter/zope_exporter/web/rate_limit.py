"""How many requests the web configuration allows."""

import time
from collections.abc import Callable

from .webconfig import RateLimitConfig


class RateLimit:
    """A bucket that holds `burst` requests, and gets one more each `interval`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._config: RateLimitConfig | None = None
        self._left = 0.0
        self._at = 0.0

    def allows(self, config: RateLimitConfig | None) -> bool:
        """Tell whether one more request may come under what the configuration says now."""
        now = self._clock()
        if config != self._config:
            self._config = config
            self._left, self._at = float(config.burst if config else 0), now
        if config is None or not config.interval:
            return True
        self._left = min(config.burst, self._left + (now - self._at) / config.interval)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
