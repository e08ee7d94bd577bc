"""Where the backups of a database are, also after it got another name.

A database is called what the Zopes on this host call it, and by the number that the ZEO server
gives it where there is none of them: `1` in the morning, `main` once a Zope has been found. Its
backups stay where they are. Which those are is told by the transactions: no two databases have one
in common. Only where the last one backed up is gone, as after a pack that keeps no history at all,
does a database under a new name begin anew: nothing is lost, and a full backup made once more.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from zope_exporter.storage.filestorage.datafile import FileStorageError, opened
from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION, TRANSACTION_HEADER
from zope_exporter.storage.filestorage.reader import HEADERS_ONLY, DataFile
from zope_exporter.storage.filestorage.tail import read_tail

from .checksummed_json import ChecksumError, read_checksummed
from .manifest import SUFFIX
from .stamps import names_in, taken_stamps
from .target import ROOT_DATABASE

DATABASES = "databases"
_MOST_LOOKED_AT = 10_000  # transactions between a pack and the next backup


class Place(NamedTuple):
    """The name of a database in its backups, and the directory they are in."""

    database: str
    path: Path


class _Newest(NamedTuple):
    """The last transaction in the newest backup of a place."""

    place: Place
    tid: int
    start: int


def repository_of(root: Path, database: str) -> Path:
    """Return where the backups of a database are that never had another name.

    Those of `main` are in the directory itself, and stay there when a second one is mounted.
    """
    if database == ROOT_DATABASE:
        return root
    name = quote(database, safe=" ").replace(".", "%2E")  # neither a path nor a parent directory
    return root / DATABASES / name


def repositories(root: Path) -> list[Place]:
    """Return the databases whose backups are in a configured directory, and where each has them.

    By what is there alone: of a host that is lost, nobody knows which databases it had.
    """
    try:
        others = sorted(each for each in (root / DATABASES).iterdir() if _is_directory(each))
    except OSError:  # mostly there is none; what cannot be read is said of the directory itself
        others = []
    return [Place(ROOT_DATABASE, root), *(Place(unquote(each.name), each) for each in others)]


def place_of(
    root: Path, site: str, database: str, data_fs: Path, siblings: Collection[str] = ()
) -> Place:
    """Return where the backups of a Data.fs are, or will be if there are none yet.

    Those of another database among its `siblings`, by their names of today, are never taken for
    its own: one may have been made as a copy of the other.
    """
    own = Place(database, repository_of(root, database))
    if any(taken_stamps(own.path)):
        return own
    others = [place for place in repositories(root) if place.path != own.path]
    known = [each for each in _newest(others, site) if each.place.database not in siblings]
    if not known:
        return own
    try:
        with opened(data_fs) as descriptor:
            file = DataFile(data_fs, descriptor, HEADERS_ONLY)
            found = [each.place for each in known if _is_in_place(file, each)]
            found = found or [each.place for each in known if _is_elsewhere(file, each)]
    except FileStorageError:  # which the backup itself says
        return own
    return found[0] if found else own


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _newest(places: Iterable[Place], site: str) -> Iterator[_Newest]:
    for place in places:
        name = max((name for name in names_in(place.path) if name.endswith(SUFFIX)), default="")
        try:
            contents = read_checksummed(place.path / name)
        except (ChecksumError, OSError):  # `verify` says it; there may be none
            continue
        match contents:
            case {"site": of, "database": str(called), "tid": int(tid), "last": int(start)} if (
                of == site
            ):
                yield _Newest(Place(called, place.path), tid, start)


def _is_in_place(file: DataFile, newest: _Newest) -> bool:
    """Tell whether a file goes on from a backup, by one look."""
    if not FIRST_TRANSACTION <= newest.start <= file.size() - TRANSACTION_HEADER.size:
        return False
    return file.transaction(newest.start).tid == newest.tid


def _is_elsewhere(file: DataFile, newest: _Newest) -> bool:
    """Tell whether a file goes on from a backup, and was packed since."""
    last = read_tail(file.path).last
    later = islice(file.backwards(last) if last else (), _MOST_LOOKED_AT)
    return any(each.tid == newest.tid for each in takewhile(lambda t: t.tid >= newest.tid, later))
