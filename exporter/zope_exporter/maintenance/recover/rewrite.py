"""Writing what was salvaged to a new Data.fs, in which every pointer is right again."""

from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from zope_exporter.maintenance.jobs.report import ActionError
from zope_exporter.storage.filestorage.format import (
    LENGTH,
    RECORD,
    RECORD_HEADER,
    TRANSACTION_HEADER,
    UNDONE,
)
from zope_exporter.system.foreign_file import CHUNK

from .damaged_file import DamagedFile
from .moved import Moves
from .positions import Positions
from .resolve import Resolver
from .salvage import Kept, LostRecord, Salvaged

NONE = LENGTH.pack(0)


def unwritten(path: Path, error: OSError) -> ActionError:
    """Tell an error of the new file from one of the file that is read meanwhile."""
    return ActionError("writing", f"{path}: {error.strerror}")


class Rewriter:
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
            self._put(NONE)

    def _put(self, data: bytes) -> None:
        try:
            self._target.write(data)
        except OSError as error:
            raise unwritten(Path(self._target.name), error) from error

    def _copy(self, position: int, size: int) -> None:
        while size:
            part = self._source.exactly(min(size, CHUNK), position)
            self._put(part)
            position, size = position + len(part), size - len(part)
