"""Looking at all logs every few seconds, and whenever somebody asks."""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from zope_exporter.metrics.metric import Sample
from zope_exporter.system.periodic import Periodic

from .file import Identity, LogError
from .lines import LineCounter
from .round import Round
from .sources import LogSource
from .store import LogStore, key_of
from .tail import Tail

INTERVAL = 5.0
PATIENCE = 0.25
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


class _WatchedLog:
    """A log with its place among the others; it is looked at by one thread at a time.

    Between `begin` and the end of `look` it belongs to that thread, which may hang.
    """

    def __init__(self, source: LogSource, tail: Tail) -> None:
        self.source = source
        self.tail = tail
        self.snapshot: Snapshot | None = None
        self.more = False
        self.busy = False
        self._since: float | None = None  # not from `begin` on: to wait for its turn is not to hang
        self._problem: Exception | None = None

    def begin(self) -> None:
        self.busy = True

    def withdraw(self) -> None:
        """Take back a `begin` that no look followed."""
        self.busy = False

    def look(self) -> None:
        """Count what is new. Never raises: what is wrong will be in the snapshot."""
        self._since = time.monotonic()
        try:
            self.more, self._problem = self.tail.look(), None
        except Exception as error:  # also a counter's: the other logs have nothing to do with it
            self.more, self._problem = False, error
        self._since = None
        self.busy = False

    def publish(self) -> None:
        """Make what the last look brought visible."""
        tail, source = self.tail, self.source
        if tail.idle and self._problem is None and self.snapshot is not None:
            return
        self.snapshot = Snapshot(
            tuple(tail.counter.samples(source.site, source.log)),
            dict(tail.resets),
            tail.size,
            tail.unread,
            tail.oldest,
            tail.current,
            self._problem,
        )

    def hangs(self) -> LogError | None:
        """Return what to say of a look that does not end."""
        since = self._since
        seconds = 0.0 if since is None else time.monotonic() - since
        if seconds < _HANGS_AFTER:
            return None
        return LogError(
            f"{self.source.path} has not let itself be read for {seconds:.0f} s: does its file"
            " system hang?"
        )


class LogWatch:
    """Follows the logs that `sources` gives at the time, from `start` to `stop`.

    In rounds: a look at each log, then one transaction with the new positions and counters of all,
    then their publication, so that nobody has seen a count that a crash could take back. `interval`
    is the pause between two rounds; shorter ones lose fewer lines to copytruncate. `make_counter`
    must not raise: that would end the round for all logs.
    """

    def __init__(
        self,
        sources: Callable[[], Sequence[LogSource]],
        make_counter: Callable[[LogSource], LineCounter],
        store: LogStore,
        interval: float = INTERVAL,
        patience: float = PATIENCE,
    ) -> None:
        self.sources = sources
        self.store = store
        self._make_counter = make_counter
        self._interval = interval
        self._patience = patience
        self._logs: dict[LogSource, _WatchedLog] = {}
        self._rounds = Periodic("log watch", self._round, interval, self._close_all)

    def start(self) -> None:
        self._rounds.start()

    def stop(self, timeout: float = 1.0) -> None:
        """End the looks; what hangs is left behind after `timeout` seconds."""
        self._rounds.stop(timeout)

    def ask(self) -> None:
        """Have all logs looked at now, for who will `refresh` soon; does not block."""
        self._rounds.wake()

    def refresh(self, timeout: float, since: float = math.inf) -> None:
        """Return when all logs have been looked at since the call, but for those that hang.

        A round that has begun `since` that time of the monotonic clock will do, too: so all who ask
        in one scrape share it. Raises LogError after `timeout` seconds, or if the round failed.
        """
        try:
            error = self._rounds.refresh(timeout, since)
        except TimeoutError:
            raise LogError(f"not all logs were read within {timeout:g} s") from None
        if error is not None:
            raise LogError(f"the logs were not read: {error}") from error

    def snapshot(self, source: LogSource) -> Snapshot:
        """Return what is known of a log, with what is wrong with it."""
        log = self._logs.get(source.lasting)
        hangs = log.hangs() if log else None
        known = log.snapshot if log else None
        if known is None:
            return Snapshot(problem=hangs or LogError(f"{source.path} was not read yet"))
        return replace(known, problem=hangs) if hangs else known

    def _round(self) -> float:
        """Look at each log once; return the pause, none if one of them has more to be read."""
        self._admit(list(dict.fromkeys(source.lasting for source in self.sources())))
        idle = [log for log in self._logs.values() if not log.busy]
        self._look(idle)
        done = [log for log in idle if not log.busy]
        unsaved = [log for log in done if log.tail.unsaved]
        states = {key_of(log.source): log.tail.save() for log in unsaved}
        if states and self.store.save(states, set(map(key_of, self._logs))):
            for log in unsaved:
                log.tail.unsaved = False
        for log in done:
            log.publish()
        return 0.0 if any(log.more for log in done) else self._interval

    def _look(self, idle: Sequence[_WatchedLog]) -> None:
        for log in idle:
            log.begin()
        looks = Round([log.look for log in idle], self._patience)
        try:
            looks.run()
        except RuntimeError:  # the error is of this host, not of the logs: the next round has them
            for log in idle:
                if log.look in looks.not_begun:
                    log.withdraw()
            raise

    def _admit(self, sources: Sequence[LogSource]) -> None:
        """Begin with the logs that are new, and end with those that are gone."""
        new = [source for source in sources if source not in self._logs]
        kept = self.store.load() if new else {}
        logs = {source: self._logs.get(source) or self._watched(source) for source in sources}
        for source in new:
            state = kept.get(key_of(source))
            if state is not None:
                logs[source].tail.load(state)
        self._close(self._logs[source] for source in self._logs.keys() - logs.keys())
        self._logs = logs

    def _close_all(self) -> None:
        self._close(self._logs.values())

    def _close(self, logs: Iterable[_WatchedLog]) -> None:
        for log in logs:
            if not log.busy:  # its thread may still use the file
                log.tail.close()

    def _watched(self, source: LogSource) -> _WatchedLog:
        return _WatchedLog(source, Tail(source.path, lambda: self._make_counter(source)))
