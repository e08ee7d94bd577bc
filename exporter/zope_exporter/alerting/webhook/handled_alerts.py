"""What has been done for which alert, kept so that a second delivery does nothing."""

from collections.abc import Iterable
from pathlib import Path

from zope_exporter.system.state import StateError, open_state

from .payload import Alert

MOST_KEPT = 10_000
_TABLE = """
    CREATE TABLE IF NOT EXISTS alert_action (
        number INTEGER PRIMARY KEY,
        fingerprint TEXT NOT NULL,
        starts_at INTEGER NOT NULL,
        action TEXT NOT NULL,
        UNIQUE (fingerprint, starts_at, action)
    )
"""
_CLAIM = "INSERT OR IGNORE INTO alert_action (fingerprint, starts_at, action) VALUES (?, ?, ?)"
_RELEASE = "DELETE FROM alert_action WHERE fingerprint = ? AND starts_at = ? AND action = ?"
# By number and not by time, so that no jump of the clock makes an action run twice.
_PRUNE = "DELETE FROM alert_action WHERE number <= (SELECT max(number) FROM alert_action) - ?"


class HandledAlerts:
    """The claims of actions, in the state file. All methods raise StateError without one."""

    def __init__(self, file: Path | None, problem: str | None) -> None:
        """`problem` says why there is no file."""
        self._file = file
        self._problem = problem

    def claim(self, alerts: Iterable[Alert], action: str) -> list[bool]:
        """Note that the action is about to be done for these; tell of each whether that is new.

        Whoever claims and then dies leaves it undone: it runs at most once.
        """
        with open_state(self._path()) as state:
            state.execute(_TABLE)
            new = [bool(state.execute(_CLAIM, _key(alert, action)).rowcount) for alert in alerts]
            state.execute(_PRUNE, (MOST_KEPT,))
        return new

    def release(self, alerts: Iterable[Alert], action: str) -> None:
        """Take claims back: the action could not be begun."""
        with open_state(self._path()) as state:
            state.execute(_TABLE)
            state.executemany(_RELEASE, [_key(alert, action) for alert in alerts])

    def _path(self) -> Path:
        if self._file is None:
            raise StateError(self._problem or "no state is kept")
        return self._file


def _key(alert: Alert, action: str) -> tuple[str, int, str]:
    return alert.fingerprint, alert.starts_at, action
