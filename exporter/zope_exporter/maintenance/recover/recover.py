"""Recovering a damaged Data.fs to a new file, and telling all that is not in it.

In the new one every pointer is right again.
"""

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from zope_exporter.maintenance.jobs.report import ActionError, RefusedError, Report
from zope_exporter.maintenance.restore.files import name_new
from zope_exporter.storage.filestorage.class_names import LONGEST_CLASS_PART, class_name
from zope_exporter.storage.filestorage.datafile import (
    FileStorageError,
    NotAFileStorageError,
    opened,
)
from zope_exporter.storage.filestorage.format import (
    FIRST_TRANSACTION,
    LENGTH,
    MAGICS,
    RECORD,
    RECORD_HEADER,
    TRANSACTION_HEADER,
    UNDONE,
)
from zope_exporter.storage.filestorage.full_count import walk
from zope_exporter.storage.filestorage.records import unpacked
from zope_exporter.system.foreign_file import CHUNK
from zope_exporter.system.fsync import named, sync_directory, sync_file

from .damaged_file import DamagedFile, is_of_python_2
from .pickles import check_pickles
from .pieces import Gap, Pieces
from .pointers import Links, Positions, Resolver
from .report import Losses
from .salvage import Kept, LostRecord, Salvaged
from .survey import Moves

STAGE = "recover"
BLOB = "ZODB.blob.Blob"
NO_DATA = LENGTH.pack(0)


def recover(source: Path, target: Path, report: Report) -> Losses:
    """Write all that is whole in `source`, which is only read, to the new file `target`.

    Raises RefusedError and ActionError; what was lost is no error but the result.
    """
    if os.path.lexists(target):
        raise RefusedError("exists", f"{target} is there already", "name a new file")
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        try:
            losses = salvage(source, unfinished, report)
            _prove(unfinished, report)
            check_pickles(unfinished, losses, report)
            sync_file(unfinished)
            name_new(unfinished, target)
            sync_directory(target.parent)
        finally:
            unfinished.unlink(missing_ok=True)
    except FileStorageError as error:
        raise ActionError(STAGE, str(error)) from error
    except FileExistsError as error:
        raise RefusedError("exists", f"{target} is there already", "name a new file") from error
    except OSError as error:
        raise ActionError(STAGE, f"{error.filename or target}: {error.strerror}") from error
    return losses


def salvage(source: Path, target: Path, report: Report) -> Losses:
    """Write all that is whole to a new file, and count what is not; pickles are not looked at."""
    losses = Losses()
    with named(target), target.open("xb") as output, opened(source) as descriptor:
        mode = os.fstat(descriptor).st_mode & 0o7777
        try:
            os.fchmod(output.fileno(), mode)
        except OSError as error:
            raise _unwritten(target, error) from error
        file = DamagedFile(source, descriptor)
        report.stage(f"reading {source}", file.size)
        pieces = Pieces(file, report)
        losses.notes += pieces.notes()
        report.stage("writing", file.size)
        writer = _Rewriter(file, pieces.moves, output, _magic(file, pieces, losses))
        _write(file, pieces, writer, losses, report)
    losses.settle(writer.current)
    return losses


def _magic(file: DamagedFile, pieces: Pieces, losses: Losses) -> bytes:
    """Return what the file begins with, or would have, which is the version of its Python."""
    found = file.read(FIRST_TRANSACTION, 0)
    if found in MAGICS:
        return found
    first = next((piece for piece in pieces if isinstance(piece, Salvaged) and piece.records), None)
    if first is None:
        raise NotAFileStorageError(f"{file.path} has no transaction: not a FileStorage, or damaged")
    record = first.records[0]
    magic = MAGICS[not is_of_python_2(file.read(record.length, record.data))]
    losses.notes.append(f"put right: the file begins with {found!r} in place of {magic!r}")
    return magic


def _write(
    file: DamagedFile, pieces: Pieces, writer: "_Rewriter", losses: Losses, report: Report
) -> None:
    links = Links(file, pieces.moves, pieces.gaps)
    for piece in pieces:
        report.check()
        if isinstance(piece, Gap):
            losses.skip(piece)
        else:
            links.follow(piece)
            losses.add(piece, [*piece.lost, *writer.write(piece)])
            losses.blobs += _renamed_blobs(file, piece)
        report.advance(piece.end - piece.start)
    losses.doubts += links.doubts


def _renamed_blobs(file: DamagedFile, found: Salvaged) -> Iterator[tuple[int, int, int]]:
    for record in found.records:
        if record.tid != found.tid and record.length:
            data = file.read(min(record.length, LONGEST_CLASS_PART), record.data)
            with suppress(zlib.error):  # one that is not whole is too long for a blob's
                data = unpacked(data, LONGEST_CLASS_PART)
            if class_name(data) == BLOB:
                yield record.oid, record.tid, found.tid


def _prove(target: Path, report: Report) -> None:
    """Read what was written as strictly as any backup."""
    report.stage("reading what was written", target.stat().st_size)
    walk(target, report.advance)


def _unwritten(path: Path, error: OSError) -> ActionError:
    """Tell an error of the new file from one of the file that is read meanwhile."""
    return ActionError("writing", f"{path}: {error.strerror}")


class _Rewriter:
    """Writes one transaction after the other; `current` is where each object's last record is."""

    def __init__(self, source: DamagedFile, moves: Moves, target: BinaryIO, magic: bytes) -> None:
        self._source = source
        self._resolver = Resolver(source, moves)
        self._target = target
        self._position = len(magic)
        self._same = True
        self.current = Positions()
        self._put(magic)

    def write(self, found: Salvaged) -> list[LostRecord]:
        """Write a transaction; return the records whose data are nowhere any more."""
        self._resolver.remember(found)
        whole = not found.lost and not found.repaired and self._leads_to_data(found)
        if self._same and whole and not found.shift and found.start == self._position:
            self._copy(found.start, found.end - found.start)
            self._are_current([(record.oid, record.position) for record in found.records], found)
            self._position = found.end
            return []
        self._same = False
        return self._rewrite(found)

    def _are_current(self, records: Iterable[tuple[int, int]], found: Salvaged) -> None:
        if found.status != UNDONE:  # which ZODB passes over
            for oid, position in records:
                self.current.put(oid, position)

    def _leads_to_data(self, found: Salvaged) -> bool:
        pointing = (record for record in found.records if record.back)
        return all(self._resolver.data_of(record) is not None for record in pointing)

    def _rewrite(self, found: Salvaged) -> list[LostRecord]:
        kept, lost = [], []
        for record in found.records:
            where = self._resolver.data_of(record)
            if where is None:
                lost.append(LostRecord(record.oid, record.position))
            else:
                kept.append((record, *where))
        sizes = [RECORD_HEADER.size + length if length else RECORD.size for _, _, length in kept]
        length = TRANSACTION_HEADER.size + sum(map(len, found.texts)) + sum(sizes)
        start = self._position
        self._put(TRANSACTION_HEADER.pack(found.tid, length, found.status, *map(len, found.texts)))
        self._put(b"".join(found.texts))
        self._position += TRANSACTION_HEADER.size + sum(map(len, found.texts))
        written = []
        for (record, data, size), taken in zip(kept, sizes, strict=True):
            self._record(record, found.tid, start, (data, size))
            written.append((record.oid, self._position))
            self._position += taken
        self._are_current(written, found)
        self._put(LENGTH.pack(length))
        self._position += LENGTH.size
        return lost

    def _record(self, record: Kept, tid: int, start: int, data: tuple[int, int]) -> None:
        position, size = data
        previous = self.current.get(record.oid)
        self._put(RECORD_HEADER.pack(record.oid, tid, previous, start, 0, size))
        if size:
            self._copy(position, size)
        else:
            self._put(NO_DATA)

    def _put(self, data: bytes) -> None:
        try:
            self._target.write(data)
        except OSError as error:
            raise _unwritten(Path(self._target.name), error) from error

    def _copy(self, position: int, size: int) -> None:
        while size:
            part = self._source.exactly(min(size, CHUNK), position)
            self._put(part)
            position, size = position + len(part), size - len(part)
