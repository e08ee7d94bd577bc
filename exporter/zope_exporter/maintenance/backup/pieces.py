"""What is in the pieces of a backup, each checked against what is known of it as it is read."""

import gzip
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import md5, sha256
from io import BufferedReader, RawIOBase
from pathlib import Path

from zope_exporter.maintenance.jobs.report import ActionError, Report
from zope_exporter.system.foreign_file import CHUNK, chunks

from .beneath import opened
from .disk import Disk
from .manifest import Piece
from .repository import Backup


class DamagedPieceError(ActionError):
    """A file of a backup is not what it was when the backup was made; `piece` is its name."""

    def __init__(self, piece: str, reason: str) -> None:
        self.piece = piece
        super().__init__("reading the backup", f"{piece}: {reason}", "use another backup")


class Sums:
    """Sums over the same bytes, each computed in a thread of its own; MD5 takes most of the time.

    It is repozo's: a checksum, nobody's security.
    """

    def __init__(self, pool: ThreadPoolExecutor, with_md5: bool = True) -> None:
        self.size = 0
        self.with_md5 = with_md5
        self._pool = pool
        self._sums = {"sha256": sha256()}
        if with_md5:
            self._sums["md5"] = md5(usedforsecurity=False)
        self._pending: list[Future[None]] = []

    def update(self, data: bytes) -> None:
        """Begin to add the data, once what was given before is added."""
        self.wait()
        self.size += len(data)
        self._pending = [self._pool.submit(each.update, data) for each in self._sums.values()]

    def wait(self) -> None:
        for each in self._pending:
            each.result()

    def digest(self, name: str) -> str:
        self.wait()
        return self._sums[name].hexdigest()


def sum_of(descriptor: int, path: Path) -> str:
    """Return the SHA-256 of an open file."""
    found = sha256()
    for data in chunks(descriptor, path):
        found.update(data)
    return found.hexdigest()


def bytes_between(
    read: Callable[[int, int], bytes], start: int, end: int, report: Report
) -> Iterator[bytes]:
    """Yield what `read` gives for a size and a position, less where that ends before."""
    while start < end:
        report.check()
        data = read(min(CHUNK, end - start), start)
        if not data:
            return
        yield data
        start += len(data)
        report.advance(len(data))


class _Counted(RawIOBase):
    """A file that adds all that is read from it to sums."""

    def __init__(self, descriptor: int, path: Path, sums: Sums) -> None:
        self._chunks = chunks(descriptor, path)
        self._sums = sums
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any buffer will do
        if not self._left:
            data = next(self._chunks, b"")
            self._sums.update(data)
            self._left = memoryview(data)
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def contents(
    directory: Path, piece: Piece, pool: ThreadPoolExecutor, with_md5: bool = True
) -> Iterator[bytes]:
    """Yield what is in a piece, in the order of the Data.fs.

    Without MD5 only where the SHA-256 of what was backed up is known, which takes half the time.
    Raises DamagedPieceError, at the latest after the last byte, for anything not as it should be.
    """
    path = directory / piece.name
    try:
        with opened(path) as descriptor:
            read = _compressed if piece.gzip else _plain
            yield from read(descriptor, piece, pool, with_md5 or not piece.content)
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedPieceError(piece.name, f"cannot be read: {error}") from error


def write_restored(backup: Backup, target: Path, report: Report, disk: Disk | None = None) -> None:
    """Write the Data.fs of a backup to a new file, which is on the disk when this returns.

    Each piece is checked as it is read. Raises ActionError and OSError, FileExistsError among them;
    what was written by then is removed.
    """
    disk = disk or Disk()
    if not backup.complete:
        name = backup.pieces[-1].name
        raise ActionError("reading the backup", f"{name}: {backup.problem}", "use another backup")
    descriptor = disk.create(target)
    try:
        for data in restoring(backup, report):
            disk.write(descriptor, data)
        disk.sync(descriptor)
        disk.sync_directory(target.parent)
    except BaseException:
        disk.discard(target)
        raise
    finally:
        os.close(descriptor)


def restoring(backup: Backup, report: Report) -> Iterator[bytes]:
    """Yield the bytes of the Data.fs of a backup, and report of it. Raises DamagedPieceError."""
    report.stage("writing the Data.fs of the backup", backup.pieces[-1].end)
    for data in all_contents(backup.repository, backup.pieces):
        report.check()
        yield data
        report.advance(len(data))


def all_contents(directory: Path, pieces: Sequence[Piece]) -> Iterator[bytes]:
    """Yield what is in all of the pieces. Raises DamagedPieceError."""
    with ThreadPoolExecutor(2) as pool:
        for piece in pieces:
            yield from contents(directory, piece, pool)


def damage(directory: Path, piece: Piece, report: Report, with_md5: bool = True) -> str:
    """Read all of a piece; return what is wrong with it, nothing if it is whole."""
    report.stage(f"reading {piece.name}", piece.end - piece.start)
    try:
        with ThreadPoolExecutor(2) as pool:
            for data in contents(directory, piece, pool, with_md5):
                report.check()
                report.advance(len(data))
    except DamagedPieceError as error:
        return error.reason
    return ""


def _plain(
    descriptor: int, piece: Piece, pool: ThreadPoolExecutor, with_md5: bool
) -> Iterator[bytes]:
    sums = Sums(pool, with_md5)
    for data in chunks(descriptor, Path(piece.name)):
        sums.update(data)
        yield data
        if sums.size > piece.end - piece.start:
            break
    _check(piece, sums, sums)


def _compressed(
    descriptor: int, piece: Piece, pool: ThreadPoolExecutor, with_md5: bool
) -> Iterator[bytes]:
    of_file, of_content = Sums(pool, with_md5=False), Sums(pool, with_md5)
    raw = BufferedReader(_Counted(descriptor, Path(piece.name), of_file), CHUNK)
    with gzip.GzipFile(fileobj=raw, mode="rb") as file:
        while data := file.read(CHUNK):
            of_content.update(data)
            yield data
            if of_content.size > piece.end - piece.start:
                break
    _check(piece, of_file, of_content)


def _check(piece: Piece, of_file: Sums, of_content: Sums) -> None:
    if of_content.size != piece.end - piece.start:
        reason = f"holds {of_content.size} bytes instead of {piece.end - piece.start}"
        raise DamagedPieceError(piece.name, reason)
    if of_content.with_md5 and (not piece.md5 or of_content.digest("md5") != piece.md5):
        raise DamagedPieceError(piece.name, "its MD5 sum is not that of the .dat")
    if piece.sha256 and of_file.digest("sha256") != piece.sha256:
        raise DamagedPieceError(piece.name, "its SHA-256 sum is not that of the manifest")
    if piece.content and of_content.digest("sha256") != piece.content:
        raise DamagedPieceError(piece.name, "its contents are not those that were backed up")
