"""Looking at all logs every few seconds, and whenever somebody asks."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

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
        self._changed = threading.Condition()
        self._wanted = self._started = self._finished = 0
        self._stopping = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="log watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """End the looks; what hangs is left behind after `timeout` seconds."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def refresh(self, timeout: float) -> None:
        """Return when all logs have been looked at since the call, but for those that hang.

        Raises LogError after `timeout` seconds, or if the round failed.
        """
        with self._changed:
            wanted = self._wanted = self._started + 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._finished >= wanted or self._stopping, timeout)
            if self._finished < wanted:
                raise LogError(f"the logs were not all looked at within {timeout:g} s")
            if self._error is not None:
                raise LogError(f"the logs were not looked at: {self._error}") from self._error

    def snapshot(self, source: LogSource) -> Snapshot:
        """Return what is known of a log, with what is wrong with it."""
        log = self._logs.get(_identity(source))
        hangs = log.hangs() if log else None
        known = log.snapshot if log else None
        if known is None:
            return Snapshot(problem=hangs or LogError(f"{source.path} was not looked at yet"))
        return replace(known, problem=hangs) if hangs else known

    def _run(self) -> None:
        while not self._stopping:
            with self._changed:
                self._started += 1
            more = self._try_round()
            with self._changed:
                self._finished = self._started
                self._changed.notify_all()
                self._changed.wait_for(
                    lambda: self._stopping or self._wanted > self._started,
                    0 if more else self._interval,
                )
        self._close(self._logs.values())

    def _try_round(self) -> bool:
        try:
            more, self._error = self._round(), None
        except Exception as error:  # the thread must live on; refresh raises this
            more, self._error = False, error
        return more

    def _round(self) -> bool:
        """Look at each log once; return whether one of them has more to be read."""
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
        return any(log.more for log in done)

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

    def _close(self, logs: Iterable[WatchedLog]) -> None:
        for log in logs:
            if not log.busy:  # its thread may still use the file
                log.close()

    def _watched(self, source: LogSource) -> WatchedLog:
        return WatchedLog(source, FollowedLog(source.path, lambda: self._make_counter(source)))


def _identity(source: LogSource) -> LogSource:
    """The source without what may change while it stays the same log."""
    return replace(source, process=None)
