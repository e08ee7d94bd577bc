"""Searching this host again and again, in the background."""

import time
from collections.abc import Callable
from datetime import datetime, timezone

from zope_exporter.system.periodic import Periodic
from zope_exporter.system.user_error import UserError

from .inventory import Inventory
from .looking import Looking

INTERVAL = 15.0
INTERVAL_BESIDE_HANGING = 5.0  # what hangs may answer again at any moment

NOTHING = (
    "found no running Zope or ZEO server on this host"
    " (start one, or name its zope_conf under sites: in a file given by --config.file)"
)


class SearchError(UserError):
    """A search of this host failed, or does not end; the cause is the error that ended it."""


class NothingFoundError(SearchError):
    """A search of this host has ended well, and there is nothing to watch."""

    def __init__(self) -> None:
        super().__init__(NOTHING)


class Watcher:
    """Keeps an inventory up to date; a search that hangs keeps nobody waiting for long.

    `interval` is the pause between two searches, `patience` how long a caller may wait for the
    first one, both in seconds. `clock` tells the time of day, `looking` what the search looks at,
    and what it went around.
    """

    def __init__(
        self,
        search: Callable[[], Inventory],
        interval: float = INTERVAL,
        patience: float = 5.0,
        clock: Callable[[], float] = time.time,
        looking: Looking | None = None,
    ) -> None:
        self._search = search
        self._interval = interval
        self._clock = clock
        self._looking = looking or Looking()
        self._inventory: Inventory | None = None
        self._last_success = self._began_at = clock()
        self._patient_until = time.monotonic() + patience
        self._searches = Periodic("search of this host", self._search_once, interval)
        self._searches.start()

    @property
    def last_success(self) -> float:
        """When the inventory was last brought up to date, in seconds since the epoch.

        Before that it is when this watcher was made, so that its age tells of a first search that
        never ends and not of one that has only just begun.
        """
        return self._last_success

    @property
    def has_found_nothing(self) -> bool:
        """Whether a search has ended, and there is nothing to watch: no zero could tell of that."""
        return self._inventory is not None and not self._inventory.sites

    @property
    def hanging(self) -> tuple[str, ...]:
        """A sentence for each place that the searches go around, as it does not answer."""
        return self._looking.hanging

    def check(self, longest: float) -> None:
        """Raise SearchError if the last search failed, or had to go around what hangs, or if this
        one takes more than `longest` seconds."""
        if self._searches.busy_seconds() > longest:
            # Since when, not for how long: a text that changes would be logged at each scrape.
            began = datetime.fromtimestamp(self._began_at, timezone.utc)
            reason = f"the search of this host that began at {began:%Y-%m-%d %H:%M:%S} UTC"
            raise SearchError(f"{reason} {self._stuck()}")
        error = self._searches.error
        if error is not None:
            raise SearchError(str(error)) from error
        for text in self.hanging:
            raise SearchError(text)

    def _stuck(self) -> str:
        at = str(self._looking)
        remedy = "if that hangs, repair its file system or end its process"
        return f"has not ended yet: it looks at {at}; {remedy}" if at else "has not ended yet"

    def inventory(self) -> Inventory:
        """Return the latest inventory; wait for the first one, but not past the patience."""
        self._searches.wait_for_first(max(0.0, self._patient_until - time.monotonic()))
        if self._inventory is not None:
            return self._inventory
        error = self._searches.error
        reason = f"failed: {error}" if error else self._stuck()
        return Inventory(problems=(f"the first search of this host {reason}",))

    def first(self, timeout: float) -> Inventory:
        """Return the inventory of the first search, for who has just begun; raises as `rescan`."""
        return self._found(self._searches.first(timeout))

    def rescan(self, timeout: float) -> Inventory:
        """Return the inventory of a search that starts after this call.

        Raises TimeoutError after `timeout` seconds, SearchError if the search fails.
        """
        return self._found(self._searches.refresh(timeout))

    def _found(self, error: Exception | None) -> Inventory:
        if error is not None or self._inventory is None:
            raise SearchError(f"the search of this host failed: {error}") from error
        return self._inventory

    def stop(self, timeout: float = 1.0) -> None:
        """End the searches; one that hangs is left behind after `timeout` seconds."""
        self._searches.stop(timeout)

    def _search_once(self) -> float:
        self._began_at = self._clock()
        self._inventory = self._looking.run(self._search)
        self._last_success = self._clock()
        if self._looking.hanging:
            return min(self._interval, INTERVAL_BESIDE_HANGING)
        return self._interval
