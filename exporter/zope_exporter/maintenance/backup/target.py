"""What is backed up, how, and what came of it."""

from dataclasses import dataclass, field
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError

from .retention import Retention

ROOT_DATABASE = "main"
"""What Zope calls a database unless it has another name."""


@dataclass(frozen=True)
class Source:
    """A database; `blob_dir` is None where it has none.

    Changes that lie `over_base` refer to objects that are there, and not in them.
    """

    data_fs: Path
    blob_dir: Path | None = None
    database: str = ROOT_DATABASE
    site: str = ""
    over_base: bool = False


@dataclass(frozen=True)
class BackupSettings:
    """How to back up: `full` None to decide by what is there; `keep_full` generations are kept, and
    what the rules of `keep` name beside them.

    After `most_pieces` a full backup is made: one damaged piece costs all that come after it. With
    `hard_links` new blobs are not copied but the same files as those of the database.
    """

    full: bool | None = None
    gzip: bool = False
    keep_full: int = 4
    most_pieces: int = 200
    keep: Retention = field(default_factory=Retention)
    hard_links: bool = False


@dataclass(frozen=True)
class BackupResult:
    """What a backup did: `kind` is full, incremental, or unchanged where nothing was new.

    `stamp` is the newest backup's, which holds all up to the transaction `tid`. `size` is what was
    written for it, in bytes, `removed` are the stamps of the generations that were not kept.
    """

    stamp: str
    kind: str
    tid: int
    transactions: int
    records: int
    size: int
    blobs: int
    removed: tuple[str, ...] = ()


class ChangedMeanwhileError(ActionError):
    """A pack replaced the Data.fs, or removed blobs, while they were backed up: try again."""
