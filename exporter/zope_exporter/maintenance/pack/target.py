"""What a pack is given and what it gives back, whatever engine packs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from zope_exporter.discovery.inventory import Storage
from zope_exporter.maintenance.jobs.report import ActionError, Report, UncertainError

STAGE = "packing"
HEADROOM = 64 << 20
STUCK = "already packing"


class LostError(Exception):
    """Contact to whoever packs was lost: the pack may go on, be done, or have died."""


class UnseenError(LostError):
    """For so long was nothing seen of a pack that it is not waited for any longer."""


class StillRunningError(UncertainError):
    """We know no more of a pack that, for all that can be seen, goes on: do not begin another."""


def pack_failed(reason: str) -> ActionError:
    """Return the error of a pack that failed for that reason."""
    return ActionError(STAGE, with_stuck_pack_hint(reason))


def with_stuck_pack_hint(reason: str) -> str:
    """Add what to know of an error that goes on long after the pack which caused it."""
    if STUCK not in reason.lower():
        return reason
    return (
        f"{reason}: either another pack runs, and Data.fs.pack grows; or an earlier one failed to"
        " remove Data.fs.old, after which the storage says so until Zope or ZEO is restarted"
    )


class Running(Protocol):
    """A pack in progress.

    `beyond_us` says what goes on when we leave it before its end; it is empty if nothing does.
    """

    beyond_us: str

    def seen(self) -> object:
        """Return something that is another as long as the pack is seen to go on."""

    def ended(self, seconds: float) -> bool:
        """Wait up to so long for its end. Raises ActionError, or LostError."""


class PackEngine(Protocol):
    """Who packs: `name` completes "packing through …"; `meanwhile` is how the site fares."""

    name: str
    meanwhile: str

    def check(self) -> None:
        """Raise RefusedError if it cannot be asked for a pack now."""

    def begin(self, days: float, report: Report) -> AbstractContextManager[Running]:
        """Begin to pack away what is older than `days`. Raises ActionError."""


@dataclass(frozen=True)
class PackTarget:
    """One database and who packs it; `storage` is its Data.fs, None where none is on this host."""

    storage: Storage | None
    engine: PackEngine

    @property
    def data_fs(self) -> Path | None:
        return self.storage.data_fs if self.storage else None


class Garbage(NamedTuple):
    """What a pack of all history frees of a Data.fs at least, in bytes.

    `history` is of revisions that later ones replaced, `unreachable` of objects that nothing refers
    to; where that is None, `unknown` says why. `packed` is the last transaction that a pack went
    over, 0 for none.
    """

    history: int
    unreachable: int | None = None
    unknown: str = "no scan of the whole file has ended yet"
    packed: int = 0

    @property
    def total(self) -> int:
        return self.history + (self.unreachable or 0)


@dataclass(frozen=True)
class PackSettings:
    """How to pack.

    `days` of history are kept. With a `backup_max_age` (seconds) it is refused unless `proven`
    gives the time of a proven backup younger than that. `headroom` (bytes) must be left on the
    file system at the worst moment. `garbage` is None where no exporter has counted it. The end of
    a pack of which nothing is seen for `max_quiet` seconds is not waited for any longer.
    """

    days: float = 1.0
    backup_max_age: float | None = None
    proven: Callable[[], datetime | None] = lambda: None
    headroom: int = HEADROOM
    garbage: Garbage | None = None
    max_quiet: float = 86400.0
    poll_seconds: float = 0.5

    @property
    def surely_freed(self) -> int:
        """Bytes that a pack of all history frees for sure."""
        return self.garbage.total if self.garbage else 0


@dataclass(frozen=True)
class Sizes:
    """What a storage takes on the disk, in bytes; None is unknown, or where there is none."""

    data: int | None = None
    old: int | None = None
    blobs: int | None = None
    blob_files: int | None = None


@dataclass(frozen=True)
class PackResult:
    """What a pack has done; `leftovers` are files nothing will use again."""

    engine: str
    seconds: float
    before: Sizes
    after: Sizes
    leftovers: tuple[str, ...] = ()

    @property
    def freed(self) -> int | None:
        """Bytes by which the Data.fs is smaller; commits made meanwhile count against it."""
        if self.before.data is None or self.after.data is None:
            return None
        return self.before.data - self.after.data
