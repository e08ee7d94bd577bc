"""What the dead-man timer keeps through a restart."""

import math
import sqlite3
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from zope_exporter.system.state import OptionalTable

from .notifier import Notifier

_TABLE = (
    "CREATE TABLE IF NOT EXISTS watchdog (name TEXT PRIMARY KEY, told INTEGER, at REAL NOT NULL)"
)
_SAVE = "INSERT OR REPLACE INTO watchdog (name, told, at) VALUES (?, ?, ?)"
_HEARD = "heard"


class WatchdogStore:
    """When a sign of life was last heard, and what was last told; wall clock times."""

    def __init__(self, file: Path | None, problem: str | None = None) -> None:
        lost = "after a restart it is not known that the silence was told of"
        self._table = OptionalTable(file, _TABLE, lost, problem)

    def load(self, tellers: Iterable[Notifier], now: float, wall: float) -> float | None:
        """Have the tellers continue where they were; return when a sign of life was heard."""
        rows = self._table.attempt(_load) or {}
        for teller in tellers:
            told, at = rows.get(teller.channel, (0, 0.0))
            if told:
                # The clock may have been set meanwhile: neither never again nor all at once.
                teller.told = True
                teller.told_at = now - min(max(wall - at, 0.0), teller.repeat)
        _, heard = rows.get(_HEARD, (None, None))
        return heard

    def heard(self, at: float) -> None:
        self._table.attempt(partial(_save, (_HEARD, None, at)))

    def told(self, teller: Notifier, at: float) -> None:
        self._table.attempt(partial(_save, (teller.channel, int(teller.told), at)))


def _load(state: sqlite3.Connection) -> dict[str, tuple[int, float]]:
    rows = state.execute("SELECT name, told, at FROM watchdog")
    return {name: (told, at) for name, told, at in rows if math.isfinite(at)}


def _save(row: tuple[str, int | None, float], state: sqlite3.Connection) -> None:
    state.execute(_SAVE, row)
