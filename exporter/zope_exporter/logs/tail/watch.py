"""Looking at all logs every few seconds, and whenever somebody asks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from zope_exporter.system.periodic import Periodic

from .errors import LogError
from .follower import FollowedLog
from .lines import LineCounter
from .round import Round
from .sources import LogSource
from .store import LogStore, key_of
from .tracked_log import Snapshot, WatchedLog

INTERVAL = 5.0
PATIENCE = 0.25


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
        self._logs: dict[LogSource, WatchedLog] = {}
        self._rounds = Periodic("log watch", self._round, interval, self._close_all)

    def start(self) -> None:
        self._rounds.start()

    def stop(self, timeout: float = 1.0) -> None:
        """End the looks; what hangs is left behind after `timeout` seconds."""
        self._rounds.stop(timeout)

    def refresh(self, timeout: float) -> None:
        """Return when all logs have been looked at since the call, but for those that hang.

        Raises LogError after `timeout` seconds, or if the round failed.
        """
        try:
            error = self._rounds.refresh(timeout)
        except TimeoutError:
            raise LogError(f"the logs were not all looked at within {timeout:g} s") from None
        if error is not None:
            raise LogError(f"the logs were not looked at: {error}") from error

    def snapshot(self, source: LogSource) -> Snapshot:
        """Return what is known of a log, with what is wrong with it."""
        log = self._logs.get(_identity(source))
        hangs = log.hangs() if log else None
        known = log.snapshot if log else None
        if known is None:
            return Snapshot(problem=hangs or LogError(f"{source.path} was not looked at yet"))
        return replace(known, problem=hangs) if hangs else known

    def _round(self) -> float:
        """Look at each log once; return the pause, none if one of them has more to be read."""
        self._admit(list(dict.fromkeys(map(_identity, self.sources()))))
        idle = [log for log in self._logs.values() if not log.busy]
        self._look(idle)
        done = [log for log in idle if not log.busy]
        unsaved = [log for log in done if log.unsaved]
        if unsaved and self.store.save({key_of(log.source): log.state() for log in unsaved}):
            for log in unsaved:
                log.saved()
        for log in done:
            log.publish()
        return 0.0 if any(log.more for log in done) else self._interval

    def _look(self, idle: Sequence[WatchedLog]) -> None:
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
                logs[source].load(state)
        self._close(self._logs[source] for source in self._logs.keys() - logs.keys())
        self._logs = logs

    def _close_all(self) -> None:
        self._close(self._logs.values())

    def _close(self, logs: Iterable[WatchedLog]) -> None:
        for log in logs:
            if not log.busy:  # its thread may still use the file
                log.close()

    def _watched(self, source: LogSource) -> WatchedLog:
        return WatchedLog(source, FollowedLog(source.path, lambda: self._make_counter(source)))


def _identity(source: LogSource) -> LogSource:
    """The source without what may change while it stays the same log."""
    return replace(source, process=None)
