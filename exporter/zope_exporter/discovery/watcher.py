"""Searching this host again and again, in the background."""

import threading
import time
from collections.abc import Callable

from zope_exporter.inventory import Inventory

INTERVAL = 15.0


class SearchError(Exception):
    """A search of this host failed; the cause is the error that ended it."""


class Watcher:
    """Keeps an inventory up to date; a search that hangs keeps nobody waiting for long.

    `interval` is the pause between two searches, `patience` how long a caller may wait for the
    first one, both in seconds. `clock` tells the time of day.
    """

    def __init__(
        self,
        search: Callable[[], Inventory],
        interval: float = INTERVAL,
        patience: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._search = search
        self._interval = interval
        self._clock = clock
        self._changed = threading.Condition()
        self._wanted = self._started = self._finished = 0
        self._stopping = False
        self._inventory: Inventory | None = None
        self._error: Exception | None = None
        self._last_success: float | None = None
        self._patient_until = time.monotonic() + patience
        self._thread = threading.Thread(target=self._run, name="discovery", daemon=True)
        self._thread.start()

    @property
    def last_success(self) -> float | None:
        """When the inventory was last brought up to date, in seconds since the epoch."""
        return self._last_success

    @property
    def error(self) -> Exception | None:
        """What ended the last search, None if it succeeded."""
        return self._error

    def inventory(self) -> Inventory:
        """Return the latest inventory; wait for the first one, but not past the patience."""
        with self._changed:
            patience = max(0.0, self._patient_until - time.monotonic())
            self._changed.wait_for(lambda: self._finished > 0 or self._stopping, patience)
            if self._inventory is not None:
                return self._inventory
            reason = f"failed: {self._error}" if self._error else "has not ended yet"
            return Inventory(problems=(f"the first search of this host {reason}",))

    def rescan(self, timeout: float) -> Inventory:
        """Return the inventory of a search that starts after this call.

        Raises TimeoutError after `timeout` seconds, SearchError if the search fails.
        """
        with self._changed:
            wanted = self._wanted = self._started + 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._finished >= wanted or self._stopping, timeout)
            if self._finished < wanted:
                raise TimeoutError(f"the search of this host did not end within {timeout:g} s")
            if self._error is not None or self._inventory is None:
                raise SearchError(f"the search of this host failed: {self._error}") from self._error
            return self._inventory

    def stop(self, timeout: float = 1.0) -> None:
        """End the searches; one that hangs is left behind after `timeout` seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                self._started += 1
            self._search_once()
            with self._changed:
                self._finished = self._started
                self._changed.notify_all()
                self._changed.wait_for(
                    lambda: self._stopping or self._wanted > self._started, self._interval
                )

    def _search_once(self) -> None:
        try:
            inventory = self._search()
        except Exception as error:  # the thread must live on; DiscoveryCollector raises this
            self._error = error
        else:
            self._inventory, self._error = inventory, None
            self._last_success = self._clock()
