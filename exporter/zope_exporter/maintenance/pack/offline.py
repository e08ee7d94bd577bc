"""The program that packs a Data.fs nobody has open: DAYS DATA_FS [BLOB_DIR]

ZODB copies what is kept. The exchange of the files is ours, so that there is a whole Data.fs at
every moment: one that is missing when Zope starts costs all blobs. No pickle is ever run: the index
is not read, and references are found without loading.
"""

import logging
import signal
import sys
import time
from pathlib import Path
from typing import Any

from persistent.TimeStamp import TimeStamp
from zc.lockfile import LockError
from ZODB.blob import remove_committed_dir
from ZODB.FileStorage import FileStorage
from ZODB.FileStorage.FileStorage import RedundantPackWarning
from ZODB.POSException import StorageError
from ZODB.serialize import referencesf
from ZODB.utils import oid_repr

from zope_exporter.storage.filestorage.datafile import FileStorageError, status
from zope_exporter.storage.filestorage.full_count import walk
from zope_exporter.storage.filestorage.records import unpacked
from zope_exporter.system.fsync import sync_directory, sync_file
from zope_exporter.system.subprocesses import outlive_parent

from .as_user import become
from .program import failed, say

NOTHING = "there was nothing to pack away"


class ReferencesError(Exception):
    """What is referred to cannot be told, so that nobody knows what to keep."""


class UnindexedStorage(FileStorage):  # type: ignore[misc]  # ZODB has no types
    """A FileStorage that does not read Data.fs.index, whose pickle would be run.

    It is never closed: that would save the index of the file from before the pack.
    """

    def _restore_index(self) -> None:
        return None


def main(days: str, data_fs: str, blob_dir: str = "") -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"{data_fs} was not packed: stopped"))
    try:
        pack(Path(data_fs), Path(blob_dir) if blob_dir else None, float(days))
    except LockError:
        return failed(f"another process has {data_fs} open")
    except (FileStorageError, ReferencesError, StorageError) as error:
        return failed(str(error))
    except OSError as error:
        return failed(f"{error.filename or data_fs}: {error.strerror or error}")
    return 0


def pack(data_fs: Path, blob_dir: Path | None, days: float) -> None:
    """Pack away what is older than `days`, as the user whom the file belongs to."""
    found = status(data_fs)
    # No more than the owner could, and files that Zope can use afterwards.
    become(found.st_uid, found.st_gid)
    # Opening would cut off all that follows a damaged place, or make a file where there is none.
    walk(data_fs)
    storage = UnindexedStorage(str(data_fs), blob_dir=blob_dir and str(blob_dir))
    _remove_old(data_fs, blob_dir)
    packed = _copy(storage, data_fs, days)
    if packed is None:
        say(NOTHING)
        return
    end, index = packed
    _exchange(data_fs, found.st_mode)
    if blob_dir:
        storage._remove_blob_files_tagged_for_removal_during_pack()
    _save_index(data_fs, index, end)


def _remove_old(data_fs: Path, blob_dir: Path | None) -> None:
    data_fs.with_name(data_fs.name + ".old").unlink(missing_ok=True)
    if blob_dir is not None:
        old = blob_dir.with_name(blob_dir.name + ".old")
        if old.exists():
            remove_committed_dir(str(old))


def _copy(storage: FileStorage, data_fs: Path, days: float) -> tuple[int, Any] | None:
    """Write Data.fs.pack; return its size and index, None if it would hold as much as before."""
    before = time.time() - days * 86400
    stop = TimeStamp(*time.gmtime(before)[:5], before % 60).raw()
    try:
        packed: tuple[int, Any] | None = storage.packer(storage, _references, stop, True)
    except RedundantPackWarning:
        return None
    except BaseException as error:
        data_fs.with_name(data_fs.name + ".pack").unlink(missing_ok=True)
        if isinstance(error, KeyError) and error.args and isinstance(error.args[0], bytes):
            missing = (
                f"{data_fs} refers to the object {oid_repr(error.args[0])}, which is not there"
            )
            raise ReferencesError(f"{missing}: no pack can collect garbage") from error
        raise
    return packed


def _references(record: bytes, oids: list[bytes] | None = None) -> list[bytes]:
    """Tell what a record refers to, also one that zc.zlibstorage compressed."""
    try:
        found: list[bytes] = referencesf(unpacked(record), oids)
    except Exception as error:  # whatever the pickle machine finds wrong with it
        raise ReferencesError(
            "a record cannot be read, nor what it refers to: it is encrypted, or damaged. Pack it"
            " by its Zope or ZEO server, which can read it"
        ) from error
    return found


def _exchange(data_fs: Path, mode: int) -> None:
    pack, old, index = (
        data_fs.with_name(data_fs.name + end) for end in (".pack", ".old", ".index")
    )
    pack.chmod(mode & 0o7777)
    sync_file(pack)
    # From here to the end is little work, after which nothing is left over.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    outlive_parent()
    index.unlink(missing_ok=True)
    old.hardlink_to(data_fs)
    pack.rename(data_fs)
    sync_directory(data_fs.parent)


def _save_index(data_fs: Path, index: Any, end: int) -> None:
    temporary = data_fs.with_name(data_fs.name + ".index.index_tmp")
    index.save(end, str(temporary))
    temporary.rename(data_fs.with_name(data_fs.name + ".index"))


if __name__ == "__main__":
    logging.disable()
    sys.exit(main(*sys.argv[1:]))
