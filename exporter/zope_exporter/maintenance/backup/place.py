"""Where the backups of a database are, also after it got another name.

A database is called what the Zopes on this host call it, and by the number that the ZEO server
gives it where there is none of them: `1` in the morning, `main` once a Zope has been found. Its
backups stay where they are. Where a site has one database and backups of one, they are its own, and
if it is another database, to back it up is refused as ever: so it is if Zope made it anew, and of
one that is lost the backups are found.

Of several databases it is told by the transactions which are whose: no two databases have one in
common, and a pack keeps the ids of what it keeps. So the last one in the file that can have been
backed up has to be in the backup, where it is looked for from the end on: all of it cannot be read
at each scrape. Only where it is further away than that, or a pack went past all that is backed up,
does a database under a new name begin anew: nothing is lost, and a full backup made once more.
"""

import gzip
import os
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from zope_exporter.storage.filestorage.datafile import FileStorageError, opened
from zope_exporter.storage.filestorage.format import FIRST_TRANSACTION, LENGTH, TRANSACTION_HEADER
from zope_exporter.storage.filestorage.reader import HEADERS_ONLY, DataFile
from zope_exporter.storage.filestorage.tail import tail_of

from .beneath import opened as opened_beneath
from .checksummed_json import ChecksumError, read_checksummed
from .headers import Headers
from .manifest import SUFFIX
from .stamps import PIECE, names_in, taken_stamps
from .stream_check import BrokenStructureError
from .target import ROOT_DATABASE

DATABASES = "databases"
_MOST_LOOKED_AT = 10_000  # transactions, in the file since the backup and in the backup
_MOST_UNPACKED = 1 << 24  # bytes of a compressed piece, which has to be read from its beginning


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
    try:
        if any(taken_stamps(own.path)):
            return own
    except OSError:  # which whoever reads there says
        return own
    others = [place for place in repositories(root) if place.path != own.path]
    known = [each for each in _newest(others, site) if each.place.database not in siblings]
    if not known:
        return own
    if len(known) == 1 and not siblings:
        return known[0].place
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
        try:
            names = [name for name in names_in(place.path) if name.endswith(SUFFIX)]
            name = max(names, default="")
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
    last = tail_of(file).last
    looked_at = islice(file.backwards(last) if last else (), _MOST_LOOKED_AT)
    shared = next((each.tid for each in looked_at if each.tid <= newest.tid), None)
    if shared is None:
        return False
    backed_up = islice(_backed_up(newest.place.path), _MOST_LOOKED_AT)
    try:
        return shared in takewhile(lambda tid: tid >= shared, backed_up)
    except (OSError, EOFError, zlib.error, struct.error, BrokenStructureError):
        return False  # what is wrong with the piece, `verify` says


def _backed_up(repository: Path) -> Iterator[int]:
    """Yield the ids of the transactions in the newest chain of pieces, from the last on."""
    pieces = [found for name in names_in(repository) if (found := PIECE.fullmatch(name))]
    for piece in sorted(pieces, key=lambda piece: piece[1], reverse=True):
        begin = 0 if piece[2] else FIRST_TRANSACTION
        with opened_beneath(repository / piece[0]) as descriptor:
            in_piece = _unpacked if piece[0].endswith("z") else _backwards
            yield from in_piece(descriptor, begin)
        if begin:
            return


def _backwards(descriptor: int, begin: int) -> Iterator[int]:
    end = os.fstat(descriptor).st_size
    while end > begin:
        (length,) = LENGTH.unpack(os.pread(descriptor, LENGTH.size, end - LENGTH.size))
        end -= length + LENGTH.size
        if end >= begin:
            yield from LENGTH.unpack(os.pread(descriptor, LENGTH.size, end))


def _unpacked(descriptor: int, begin: int) -> list[int]:
    with open(descriptor, "rb", closefd=False) as file, gzip.open(file) as unpacked:
        data = unpacked.read(_MOST_UNPACKED)
    headers = Headers() if begin else Headers(FIRST_TRANSACTION)
    found = [] if len(data) == _MOST_UNPACKED else [each.tid for each in headers.feed(data)]
    return found[::-1]
