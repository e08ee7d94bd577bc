"""Databases as Zope makes them: of a root, of an object that is never written again, and others."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import transaction
import ZODB
from persistent.mapping import PersistentMapping
from ZODB.FileStorage import FileStorage

from tests.support.databases.repository import Site
from zope_exporter.maintenance.backup.target import Source


@contextmanager
def database(path: Path) -> Iterator[ZODB.DB]:
    with closing(ZODB.DB(FileStorage(str(path)))) as opened:
        yield opened


def change(path: Path, how: Callable[[Any], object]) -> None:
    """Commit what is done to the root object."""
    with database(path) as opened, closing(opened.open(transaction.TransactionManager())) as used:
        how(used.root())
        used.transaction_manager.commit()


def edit(path: Path, number: int) -> None:
    """Commit a change of the page, which is made with the root if there is none yet."""

    def write(root: Any) -> None:
        if "page" not in root:
            root["page"] = PersistentMapping()
        root["page"]["text"] = bytes(1000 + number)

    change(path, write)


def pack(path: Path, moment: float | None = None) -> None:
    """Keep nothing but what is current now, or was at a moment and has become so since."""
    with database(path) as opened:
        opened.pack(time.time() + 1 if moment is None else moment)


def copy_without(path: Path, target: Path, left_out: Callable[[int], bool]) -> None:
    """Copy a database but for the transactions of some numbers, from 0 on, as a recovery does."""

    class Rest:
        def __init__(self, storage: FileStorage) -> None:
            self._storage = storage

        def iterator(self) -> Iterator[Any]:
            for number, each in enumerate(self._storage.iterator()):
                if not left_out(number):
                    yield each

    with (
        closing(FileStorage(str(path), read_only=True)) as storage,
        closing(FileStorage(str(target))) as copy,
    ):
        copy.copyTransactionsFrom(Rest(storage))


class ZopeSite(Site):
    """A site whose database has such objects, under names that can be changed."""

    name = "intranet"
    database = "main"

    def commit(self, count: int = 1, data: bytes = b"") -> None:
        for _ in range(count):
            self.commits += 1
            edit(self.data_fs, self.commits + len(data))

    def make_anew(self) -> None:
        """What Zope does where there is no Data.fs."""
        for path in self.data_fs.parent.glob("Data.fs*"):
            path.unlink()
        self.commit(2)

    def put(self, data: bytes) -> None:
        """Put another Data.fs in place."""
        for path in self.data_fs.parent.glob("Data.fs*"):
            path.unlink()
        self.data_fs.write_bytes(data)

    def source(self) -> Source:
        return Source(self.data_fs, self.blob_dir, self.database, self.name)
