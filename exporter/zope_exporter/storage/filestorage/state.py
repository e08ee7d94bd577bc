"""What is known of each Data.fs, kept in the state file over restarts.

The count of commits is saved before it is shown; all else may be older than what was shown, as it
is brought up to date from the file.
"""

import json
import os
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from zope_exporter.system.open_files import Identity
from zope_exporter.system.state import open_state

from .totals import Totals

_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS data_fs (
        path BLOB PRIMARY KEY,
        counted TEXT,   -- transactions and the id of the last one, which no file takes back
        ledger TEXT,    -- the totals, and of which file
        starts BLOB,
        live BLOB,
        findings TEXT
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS data_fs_scan (
        path BLOB,
        name TEXT,
        value BLOB,
        PRIMARY KEY (path, name)
    )
    """,
)
_SUMS = ("position", "tid", "start", "transactions", "objects", "kept", "packed")


@dataclass(frozen=True)
class Counted:
    """Transactions counted since the first sight of a database, up to the one with the id `tid`."""

    transactions: int
    tid: int


@dataclass(frozen=True)
class Findings:
    """What the last complete scan found, and when, in seconds since the epoch.

    Where `unreachable` is None, `unknown` says why.
    """

    scanned: float
    classes: Mapping[str, int]
    unreachable: int | None
    unknown: str | None = None


@dataclass(frozen=True)
class Known:
    """What an earlier run left; `identity` says of which file the totals and the findings are."""

    counted: Counted | None = None
    identity: Identity | None = None
    totals: Totals | None = None
    findings: Findings | None = None


class Store:
    """The rows of one Data.fs in the state file; every method may raise StateError."""

    def __init__(self, state: Path, data_fs: Path) -> None:
        self._state = state
        self._key = os.fsencode(data_fs)

    def load(self) -> Known:
        """Return what is kept; what another version wrote differently counts as nothing."""
        with self._open() as state:
            row = state.execute(
                "SELECT counted, ledger, starts, live, findings FROM data_fs WHERE path = ?",
                (self._key,),
            ).fetchone()
        if row is None:
            return Known()
        counted, totals, starts, live, findings = row
        try:
            known = Known(Counted(**json.loads(counted)))
            if totals is None:
                return known
            sums = json.loads(totals)
            identity = sums.pop("device"), sums.pop("inode")
            whole = Totals(**sums, starts=array("Q", starts), live=array("I", live))
            found = Findings(**json.loads(findings)) if findings else None
        except (ValueError, TypeError, KeyError):
            return Known()
        return Known(known.counted, identity, whole, found)

    def save_counted(self, counted: Counted) -> None:
        with self._open() as state:
            state.execute(
                "INSERT INTO data_fs (path, counted) VALUES (?, ?)"
                " ON CONFLICT (path) DO UPDATE SET counted = excluded.counted",
                (self._key, json.dumps(vars(counted))),
            )

    def save(self, known: Known) -> None:
        """Keep count, totals and findings in one transaction, unless there is no count yet."""
        totals = known.totals
        if totals is None or known.counted is None or known.identity is None:
            return
        device, inode = known.identity
        sums = {name: getattr(totals, name) for name in _SUMS} | {"device": device, "inode": inode}
        with self._open() as state:
            state.execute(
                "INSERT OR REPLACE INTO data_fs VALUES (?, ?, ?, ?, ?, ?)",
                (
                    self._key,
                    json.dumps(vars(known.counted)),
                    json.dumps(sums),
                    totals.starts.tobytes(),
                    totals.live.tobytes(),
                    json.dumps(vars(known.findings)) if known.findings else None,
                ),
            )

    def save_scan(self, parts: Mapping[str, bytes]) -> None:
        """Keep how far a scan has come; no parts mean that none is under way."""
        with self._open() as state:
            state.execute("DELETE FROM data_fs_scan WHERE path = ?", (self._key,))
            state.executemany(
                "INSERT INTO data_fs_scan VALUES (?, ?, ?)",
                [(self._key, name, value) for name, value in parts.items()],
            )

    def load_scan(self) -> dict[str, bytes]:
        with self._open() as state:
            return dict(
                state.execute(
                    "SELECT name, value FROM data_fs_scan WHERE path = ?", (self._key,)
                ).fetchall()
            )

    @contextmanager
    def _open(self) -> Iterator[Connection]:
        with open_state(self._state) as state:
            for table in _TABLES:
                state.execute(table)
            yield state
