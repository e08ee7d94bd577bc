"""The dead-man timer: says that alerting is silent, since alerting cannot say so itself."""

import logging
import math
import socket
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from zope_exporter.system.periodic import Periodic
from zope_exporter.system.state import OptionalTable
from zope_exporter.system.trouble import Trouble

from .notifier import Message, Notifier

log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0

Channels = Mapping[str, Callable[[Message], None]]

_TABLE = (
    "CREATE TABLE IF NOT EXISTS watchdog (name TEXT PRIMARY KEY, told INTEGER, at REAL NOT NULL)"
)
_SAVE = "INSERT OR REPLACE INTO watchdog (name, told, at) VALUES (?, ?, ?)"
_HEARD = "heard"


class WatchdogStore:
    """When a sign of life was last heard, and what was last told; wall clock times."""

    def __init__(self, file: Path | None, problem: str | None = None) -> None:
        lost = "after a restart it is unknown that the silence was reported"
        self._table = OptionalTable(file, _TABLE, lost, problem)

    def load(self, notifiers: Iterable[Notifier], now: float, wall: float) -> float | None:
        """Have the notifiers continue where they were; return when a sign of life was heard."""
        rows = self._table.attempt(_load) or {}
        for notifier in notifiers:
            told, at = rows.get(notifier.channel, (0, 0.0))
            if told:
                # The clock may have been set meanwhile: neither never again nor all at once.
                notifier.notified = True
                notifier.notified_at = now - min(max(wall - at, 0.0), notifier.repeat)
        _, heard = rows.get(_HEARD, (None, None))
        return heard

    def save_heard(self, at: float) -> None:
        self._table.attempt(partial(_save, (_HEARD, None, at)))

    def save_notified(self, notifier: Notifier, at: float) -> None:
        self._table.attempt(partial(_save, (notifier.channel, int(notifier.notified), at)))


def _load(state: sqlite3.Connection) -> dict[str, tuple[int, float]]:
    rows = state.execute("SELECT name, told, at FROM watchdog")
    return {name: (told, at) for name, told, at in rows if math.isfinite(at)}


def _save(row: tuple[str, int | None, float], state: sqlite3.Connection) -> None:
    state.execute(_SAVE, row)


class Watchdog:
    """Tells people by each channel when no sign of life was heard for `max_silence` seconds.

    At the start that long is waited first: the signs of life may have arrived while nobody was
    there to hear them. Seconds are counted by `clock`, which no setting of the time changes.
    """

    def __init__(
        self,
        max_silence: float,
        repeat: float,
        channels: Channels,
        store: WatchdogStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_silence = max_silence
        self.notifiers = [
            Notifier(name, partial(self._send, send), repeat) for name, send in channels.items()
        ]
        self._store = store
        self._clock = clock
        self._since = clock()
        self._heard_now = False
        self.heard_at = store.load(self.notifiers, self._since, time.time())
        self._saved_at = self.heard_at
        self._trouble = Trouble()
        self._timer = Periodic("watchdog", self._step, RETRY_SECONDS)

    def start(self) -> None:
        self._timer.start()

    def stop(self) -> None:
        """Have the thread end; a message under way, which has its deadline, is not waited for."""
        self._timer.stop(timeout=0)

    def join(self) -> None:
        """Wait for the end of the thread."""
        self._timer.stop(timeout=None)

    def heard(self) -> None:
        """Note a sign of life."""
        self._since = self._clock()
        self.heard_at = time.time()
        self._heard_now = True
        self._timer.wake()

    def step(self) -> float:
        """Tell what has to be told now; return for how many seconds there is nothing to do."""
        if self.heard_at is not None and self.heard_at != self._saved_at:
            self._saved_at = self.heard_at
            self._store.save_heard(self.heard_at)
        for notifier in self.notifiers:
            silent, now = self.is_silent(), self._clock()
            due = silent is not None and notifier.due(silent, now) <= now
            if due and notifier.attempt(bool(silent), now):
                self._store.save_notified(notifier, time.time())
        silent, now = self.is_silent(), self._clock()
        ends = [] if silent else [self._since + self.max_silence]
        ends += [notifier.due(silent, now) for notifier in self.notifiers]
        return max(min(ends) - now, 0)

    def is_silent(self) -> bool | None:
        """Tell whether alerting is; None while nobody can know whether a silence has ended."""
        if self._clock() - self._since >= self.max_silence:
            return True
        return False if self._heard_now else None

    def _send(self, send: Callable[[Message], None], silent: bool) -> None:
        send(Message(socket.gethostname(), silent, self.max_silence, self.heard_at))

    def _step(self) -> float:
        try:
            pause = self.step()
        except Exception as error:  # without this thread nobody would hear of any silence any more
            if self._trouble.is_new(error):
                log.exception("the watchdog's timer has failed, a try each %g s", RETRY_SECONDS)
            return RETRY_SECONDS
        if self._trouble.is_over():
            log.info("the watchdog's timer works again")
        return pause
