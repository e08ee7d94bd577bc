"""What is known of each Data.fs, kept over restarts.

The count of commits is saved in the state file before it is shown. All else may be older than what
was shown, as it is brought up to date from the Data.fs; it may be hundreds of megabytes, and is in
files of its own, so that nobody who needs the state file waits for it.
"""

import json
import os
import re
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path
from sqlite3 import Connection

from zope_exporter.system.open_files import Identity
from zope_exporter.system.parts_file import Part, PartsFile, Read
from zope_exporter.system.state import StateError, open_state

from .followed_sites import FollowedSites
from .totals import Totals

DIRECTORY = "filestorage"
_TABLE = """
CREATE TABLE IF NOT EXISTS data_fs (
    path BLOB PRIMARY KEY,
    counted TEXT   -- transactions and the id of the last one, which no file takes back
)
"""
_KEPT = re.compile(r"[0-9a-f]{16}\.(totals|scan|written)(\.new)?")
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
    """What an earlier run left; `identity` says of which file all but the count is.

    The sites are as of the totals.
    """

    counted: Counted | None = None
    identity: Identity | None = None
    totals: Totals | None = None
    findings: Findings | None = None
    sites: FollowedSites | None = None


def forget_gone(state: Path, followed: Collection[Path], before: float) -> None:
    """Remove what is kept of Data.fs that nobody follows, and was last written `before` that.

    A container has its Data.fs at another path each time it is started. Raises StateError.
    """
    here = {_name(os.fsencode(path)) for path in followed}
    gone: dict[str, list[Path]] = {}
    for path in (state.parent / DIRECTORY).glob("*.*"):
        name = path.name.partition(".")[0]
        if _KEPT.fullmatch(path.name) and name not in here:
            gone.setdefault(name, []).append(path)
    try:
        for name, paths in list(gone.items()):
            if max(path.stat().st_mtime for path in paths) >= before:
                del gone[name]
        for path in chain.from_iterable(gone.values()):
            path.unlink(missing_ok=True)
    except OSError as error:
        remedy = "let the exporter's user write there"
        raise StateError(f"{error.filename}: {error.strerror}; {remedy}") from error
    if gone:
        with _opened(state) as table:
            keys = [key for (key,) in table.execute("SELECT path FROM data_fs")]
            of_gone = [(key,) for key in keys if _name(key) in gone]
            table.executemany("DELETE FROM data_fs WHERE path = ?", of_gone)


class Store:
    """What is kept of one Data.fs; every method may raise StateError."""

    def __init__(self, state: Path, data_fs: Path) -> None:
        self._state = state
        self._key = os.fsencode(data_fs)
        name = _name(self._key)
        self._totals = PartsFile(state.parent / DIRECTORY / f"{name}.totals")
        self._scan = PartsFile(state.parent / DIRECTORY / f"{name}.scan")

    def load(self) -> Known:
        """Return what is kept; what another version wrote differently counts as nothing."""
        with _opened(self._state) as state:
            row = state.execute(
                "SELECT counted FROM data_fs WHERE path = ?", (self._key,)
            ).fetchone()
        if row is None:
            return Known()
        try:
            counted = Counted(**json.loads(row[0]))
        except (ValueError, TypeError):
            return Known()
        parts = self._totals.load()
        try:
            sums = json.loads(parts["sums"])
            identity = sums.pop("device"), sums.pop("inode")
            starts, live = array("Q", parts["starts"]), array("I", parts["live"])
            totals = Totals(**sums, starts=starts, live=live)
            findings = Findings(**json.loads(parts["findings"])) if "findings" in parts else None
            sites = json.loads(parts["sites"]) if "sites" in parts else None
            followed = FollowedSites.restored(sites) if sites else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return Known(counted)
        return Known(counted, identity, totals, findings, followed)

    def save_counted(self, counted: Counted) -> None:
        with _opened(self._state) as state:
            # Also rids the row of what earlier versions kept in it.
            state.execute(
                "INSERT OR REPLACE INTO data_fs (path, counted) VALUES (?, ?)",
                (self._key, json.dumps(vars(counted))),
            )

    def save(self, known: Known) -> None:
        """Keep count, totals and findings, unless there is no count yet.

        The count comes first: the commits between it and totals that go beyond are never counted.
        """
        totals = known.totals
        if totals is None or known.counted is None or known.identity is None:
            return
        self.save_counted(known.counted)
        device, inode = known.identity
        sums = {name: getattr(totals, name) for name in _SUMS} | {"device": device, "inode": inode}
        parts = {
            "sums": json.dumps(sums).encode(),
            "starts": totals.starts.tobytes(),
            "live": totals.live.tobytes(),
        }
        if known.findings:
            parts["findings"] = json.dumps(vars(known.findings)).encode()
        if known.sites:
            parts["sites"] = json.dumps(known.sites.kept()).encode()
        self._totals.save(parts)

    def save_scan(self, parts: Mapping[str, Part]) -> None:
        """Keep how far a scan has come; no parts mean that none is under way."""
        self._scan.save(parts)

    def load_scan(self, room: Callable[[int], Read]) -> dict[str, Read]:
        """Return what is kept of a scan, where `room` has so many bytes for each part."""
        return self._scan.load_into(room)


def _name(key: bytes) -> str:
    """Return what the files about a Data.fs are called."""
    return sha256(key).hexdigest()[:16]


@contextmanager
def _opened(path: Path) -> Iterator[Connection]:
    with open_state(path) as state:
        state.execute(_TABLE)
        # Where earlier versions kept what is in a file of its own now.
        state.execute("DROP TABLE IF EXISTS data_fs_scan")
        yield state
