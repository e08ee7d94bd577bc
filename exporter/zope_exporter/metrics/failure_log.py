"""Failures in the log: one line when one comes, one when it goes, however long it lasts."""

import logging
import math
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from zope_exporter.system.trouble import Kind

from .failure import LATE, Failure, Source

log = logging.getLogger(__name__)

Key = tuple[str, Source]
"""A collector and one source of it."""


@dataclass(frozen=True)
class Reading:
    """How one source was read: how long the answer took, None if none came in time."""

    seconds: float | None
    failures: Sequence[Failure]


@dataclass(frozen=True)
class _Told:
    failure: Failure
    limit: float
    """The seconds within which no answer came; of other failures infinite."""

    def covers(self, kind: Kind, limit: float) -> bool:
        return self.failure.kind == kind and limit <= self.limit

    def is_repaired(self, reading: Reading) -> bool:
        # A source that is late tells nothing of what was wrong with it; and one that answers a
        # patient scraper may still be too slow for another.
        if reading.seconds is None or reading.seconds > self.limit:
            return False
        return self.failure.kind not in {each.kind for each in reading.failures}

    def __str__(self) -> str:
        late = f" ({self.limit:g} s)" if self.limit < math.inf else ""
        return f"{self.failure}{late}"


class FailureLog:
    """Remembers what was told of each source, so that the next scrape tells only what is new."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[Key, list[_Told]] = {}

    def note(
        self, readings: Mapping[Key, Reading], timeout: float, unlisted: Collection[str] = ()
    ) -> None:
        """Tell what has come and what has gone, with all that a scrape of `timeout` has read.

        A source that was not read is gone, unless the collector, being one of the `unlisted`,
        could not say what there is.
        """
        with self._lock:  # of two scrapes that end at once only one tells
            ended = self._forget(readings, unlisted)
            begun: list[_Told] = []
            for key, reading in readings.items():
                begun += self._begun(key, reading.failures, timeout)
        for told in begun:
            log.warning("%s", told)
        for told in ended:
            log.info("no longer: %s", told)

    def _begun(self, key: Key, failures: Iterable[Failure], timeout: float) -> list[_Told]:
        known = self._told.get(key, [])
        begun: list[_Told] = []
        for failure in failures:
            limit = timeout if failure.kind == LATE else math.inf
            if not any(each.covers(failure.kind, limit) for each in [*known, *begun]):
                begun.append(_Told(failure, limit))
        if begun:
            self._told[key] = known + begun
        return begun

    def _forget(self, readings: Mapping[Key, Reading], unlisted: Collection[str]) -> list[_Told]:
        ended: list[_Told] = []
        for key, known in list(self._told.items()):
            reading = readings.get(key)
            if reading is not None:
                gone = [each for each in known if each.is_repaired(reading)]
            else:
                gone = [] if key[0] in unlisted else known
            ended += gone
            self._told[key] = [each for each in known if each not in gone]
            if not self._told[key]:
                del self._told[key]
        return ended
