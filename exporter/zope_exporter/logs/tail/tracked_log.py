"""A log among those that are watched, and what the last look at it brought."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zope_exporter.metrics.metric import Sample

from .errors import LogError
from .file import Identity
from .follower import FollowedLog
from .lines import JSON
from .sources import LogSource

_HANGS_AFTER = 2.0


@dataclass(frozen=True)
class Snapshot:
    """What was known of a log after a look: `counted` are the samples of its counter.

    `current` is the file at its path; None stands for what is not known or not there.
    """

    counted: tuple[Sample, ...] = ()
    resets: Mapping[str, int] | None = None
    size: int | None = None
    unread: int | None = None
    oldest: float | None = None
    current: Identity | None = None
    problem: Exception | None = None


class WatchedLog:
    """A log with its place among the others; it is looked at by one thread at a time.

    Between `begin` and the end of `look` it belongs to that thread, which may hang.
    """

    def __init__(
        self, source: LogSource, log: FollowedLog, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.source = source
        self.snapshot: Snapshot | None = None
        self.more = False
        self._log = log
        self._clock = clock
        self._since: float | None = None
        self._problem: Exception | None = None

    @property
    def busy(self) -> bool:
        """Whether a look has begun that has not ended."""
        return self._since is not None

    @property
    def unsaved(self) -> bool:
        return self._log.unsaved

    def load(self, state: Mapping[str, JSON]) -> None:
        self._log.load(state)

    def begin(self) -> None:
        self._since = self._clock()

    def withdraw(self) -> None:
        """Take back a `begin` that no look followed."""
        self._since = None

    def look(self) -> None:
        """Count what is new. Never raises: what is wrong will be in the snapshot."""
        try:
            self.more, self._problem = self._log.look(), None
        except Exception as error:  # also a counter's: the other logs have nothing to do with it
            self.more, self._problem = False, error
        self._since = None

    def state(self) -> Mapping[str, JSON]:
        return self._log.save()

    def saved(self) -> None:
        self._log.unsaved = False

    def publish(self) -> None:
        """Make what the last look brought visible."""
        log, source = self._log, self.source
        self.snapshot = Snapshot(
            tuple(log.counter.samples(source.site, source.log)),
            dict(log.resets),
            log.size,
            log.unread,
            log.oldest,
            log.current,
            self._problem,
        )

    def hangs(self) -> LogError | None:
        """Return what to say of a look that does not end."""
        since = self._since
        seconds = 0.0 if since is None else self._clock() - since
        if seconds < _HANGS_AFTER:
            return None
        return LogError(
            f"{self.source.path} has not let itself be read for {seconds:.0f} s: does its file"
            " system hang?"
        )

    def close(self) -> None:
        self._log.close()
