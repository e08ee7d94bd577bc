"""Positions and counters of the logs, kept in the state file."""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from sqlite3 import Connection
from typing import NamedTuple

from zope_exporter.system.state import OptionalTable

from .lines import JSON
from .sources import LogSource

_TABLE = """
CREATE TABLE IF NOT EXISTS logs (
    site TEXT NOT NULL,
    log TEXT NOT NULL,
    path BLOB NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (site, log, path)
)
"""
GONE_KEPT = 1000
_LOST = "until then a restart of zope-exporter forgets what it has counted in the logs"


class LogKey(NamedTuple):
    """What tells the logs in the state file apart."""

    site: str
    log: str
    path: bytes  # a path need not be text


def key_of(source: LogSource) -> LogKey:
    return LogKey(source.site, source.log, os.fsencode(source.path))


class LogStore:
    """Keeps the state of every log; without a usable state file it keeps nothing.

    `problem` says why, in a sentence with the remedy, and is None while all is well.
    """

    def __init__(self, state: Path | None, problem: str | None = None) -> None:
        self._table = OptionalTable(state, _TABLE, _LOST, problem)

    @property
    def problem(self) -> str | None:
        return self._table.problem

    def load(self) -> dict[LogKey, Mapping[str, JSON]]:
        """Return what is kept, an empty state for what cannot be read. Never raises."""
        rows = self._table.attempt(lambda state: state.execute("SELECT * FROM logs").fetchall())
        return {LogKey(*key): _decoded(state) for *key, state in rows or ()}

    def save(
        self, states: Mapping[LogKey, Mapping[str, JSON]], followed: Collection[LogKey] = ()
    ) -> bool:
        """Keep the states of some logs, all or none; tell whether that worked. Never raises.

        Of logs that are not `followed`, the newest GONE_KEPT stay known.
        """
        rows = [(*key, json.dumps(state)) for key, state in states.items()]

        def write(state: Connection) -> bool:
            state.executemany("INSERT OR REPLACE INTO logs VALUES (?, ?, ?, ?)", rows)
            (count,) = state.execute("SELECT count(*) FROM logs").fetchone()
            if count > GONE_KEPT + len(followed):
                # A row that is written again is the newest again.
                known = state.execute("SELECT site, log, path FROM logs ORDER BY rowid DESC")
                gone = [key for key in map(LogKey._make, known) if key not in followed]
                forget = "DELETE FROM logs WHERE site = ? AND log = ? AND path = ?"
                state.executemany(forget, gone[GONE_KEPT:])
            return True

        return self._table.attempt(write) is not None


def _decoded(state: str) -> Mapping[str, JSON]:
    try:
        decoded = json.loads(state)
    except (ValueError, TypeError, RecursionError):
        return {}
    return decoded if isinstance(decoded, dict) else {}
