"""Sites that are restored, and what a real ZODB finds in what was restored of them."""

import shutil
from contextlib import closing
from pathlib import Path

import ZODB
from ZODB.blob import Blob
from ZODB.FileStorage import FileStorage
from ZODB.interfaces import BlobError
from ZODB.POSException import POSKeyError

from tests.support.databases.packing import (
    Remembered,
    blob_dir_of,
    commit_more,
    digest,
    items,
    make_database,
)
from tests.support.faults.small_disk import emptied
from zope_exporter.maintenance.restore.place import Place
from zope_exporter.maintenance.restore.restore import restore
from zope_exporter.maintenance.restore.source import FileSource


def opened_blobs(data_fs: Path, blob_dir: Path | None = None) -> dict[str, bytes | None]:
    """The data of each blob that the root has, None for one whose file ZODB does not find."""
    storage = FileStorage(
        str(data_fs), read_only=True, blob_dir=str(blob_dir or blob_dir_of(data_fs))
    )
    with closing(ZODB.DB(storage)) as database:
        connection = database.open()
        root = connection.root()
        found = {name: _data(root[name]) for name in root if isinstance(root[name], Blob)}
        connection.close()
        return found


def _data(blob: Blob) -> bytes | None:
    try:
        with blob.open() as stream:
            return bytes(stream.read())
    except (POSKeyError, BlobError):
        return None


def file_of(data_fs: Path, name: str) -> Path:
    """The file of a blob that the root has."""
    storage = FileStorage(str(data_fs), read_only=True, blob_dir=str(blob_dir_of(data_fs)))
    with closing(ZODB.DB(storage)) as database:
        connection = database.open()
        blob = connection.root()[name]
        blob._p_activate()
        path = Path(storage.loadBlob(blob._p_oid, blob._p_serial))
        connection.close()
        return path


class GoneOn:
    """A site with its blobs elsewhere, gone on since its backup."""

    def __init__(self, directory: Path) -> None:
        self.data_fs = directory / "site/Data.fs"
        self.blob_dir = blob_dir_of(self.data_fs)
        self.backup = directory / "backup/Data.fs"
        self.backup.parent.mkdir()
        make_database(self.backup, revisions=2, blobs=2)
        shutil.copytree(self.backup.parent, self.data_fs.parent, dirs_exist_ok=True)
        commit_more(self.data_fs)
        self.original = directory / "original"
        shutil.copytree(self.data_fs.parent, self.original)

    def source(self) -> FileSource:
        return FileSource(self.backup, blob_dir_of(self.backup))

    def restore(self, stamp: str = "1") -> Remembered:
        report = Remembered()
        place = Place(self.data_fs, self.blob_dir, stamp, headroom=0)
        restore(self.source(), place, report)
        return report

    def reset(self) -> None:
        emptied(self.data_fs.parent)
        shutil.copytree(self.original, self.data_fs.parent, dirs_exist_ok=True)

    @property
    def states(self) -> dict[str, dict[str, bytes]]:
        self.reset()
        return {digest(path): items(path) for path in (self.data_fs, self.backup)}
