"""Where transactions begin and end, in a file in which anything may be wrong.

ZODB writes each fact twice: the length of a transaction stands at both of its ends, and every
record repeats the id and the place of its transaction. So one wrong field is put right, and what
follows a place that makes no sense is found again.

Where bytes were cut out of a file or came into it, all that follows still names the places at which
it once was: it was moved. What lies in the data of an object and looks like that, a copy of a
Data.fs, is told from it by its magic, and its ids, which are older than what is around it.
"""

from typing import NamedTuple

import numpy as np

from zope_exporter.storage.filestorage.format import (
    FIRST_TRANSACTION,
    LARGEST_FILE,
    LENGTH,
    MAGICS,
    NORMAL,
    PACKED,
    TRANSACTION_HEADER,
    TRANSACTION_OFFSET,
    UNDONE,
    VOTED,
)

from .damaged_file import DamagedFile, Header, RecordHeader, is_pickle, numbers

KNOWN = (NORMAL, PACKED, UNDONE, VOTED)
BLOCK = 1 << 20
LONGEST_TEXT = (1 << 16) - 1
SMALLEST_RECORD = 43
ANY = -1  # an id below all ids


class Bounds(NamedTuple):
    """A transaction: its first record, and where its second `end` of eight bytes stands.

    `header` has what is right of it. `tids` is its id, or those of the header and of the first
    records, if no two agree; 0 is none. `shift` is how far it was moved, `firm` if two records say
    so.
    """

    start: int
    header: Header
    records: int
    end: int
    tids: tuple[int, ...]
    shift: int
    firm: bool
    repaired: tuple[str, ...]

    @property
    def after(self) -> int:
        return self.end + LENGTH.size


class Finder:
    """Tells what is a transaction."""

    def __init__(self, file: DamagedFile) -> None:
        self._file = file

    def bounds(self, start: int) -> Bounds | None:
        """Return what is of the transaction that should begin there, None if nothing is."""
        header = self._file.header(start)
        if header is None:
            return None
        right, records = header, start + header.size
        first = self._record_of(start, header, records)
        if first is None and header.size != header.length:
            right = self._with_sizes(start, header)
            records = start + right.size
            first = self._record_of(start, right, records)
        end, repaired = self._end(start, right, records, first)
        if end is None:
            return None
        if right != header:
            repaired = (*repaired, "lengths of its texts")
        second = self._file.record(records + first.size) if first is not None else None
        if first is None or records + first.size >= end:
            second = None
        shift, firm = _shift(start, first, second)
        tids = _tids(header.tid, first, second)
        return Bounds(start, right, records, end, tids, shift, firm, repaired)

    def search(self, position: int, last: int) -> int:
        """Return where the next transaction begins, the end of the file if there is none."""
        size = self._file.size
        for base in range(position, size, BLOCK):
            block = self._file.read(BLOCK + TRANSACTION_HEADER.size, base)
            count = min(len(block) - TRANSACTION_HEADER.size + 1, BLOCK)
            if count <= 0:
                break
            lengths = numbers(block)[8 : 8 + count]
            likely = (lengths < np.uint64(size - base)) & (lengths >= TRANSACTION_HEADER.size)
            for offset in np.flatnonzero(likely).tolist():
                if self._is_transaction(base + offset, last):
                    return base + offset
        return size

    def _is_transaction(self, start: int, last: int) -> bool:
        """Tell whether a transaction begins there, by what no other bytes have."""
        header = self._file.header(start)
        if header is None or header.size > header.length:
            return False
        end = start + header.length
        if self._file.number(end) != header.length:
            return False
        if header.size == header.length:
            return header.status in KNOWN and self._is_followed(end + LENGTH.size)
        record = self._file.record(start + header.size)
        return record is not None and (
            record.start == start or self._is_moved(start, header, record, last)
        )

    def _is_followed(self, position: int) -> bool:
        """Tell whether the file ends there or goes on with what has the same length twice."""
        header = self._file.header(position)
        if header is None:
            return position == self._file.size
        return self._file.number(position + header.length) == header.length

    def _is_moved(self, start: int, header: Header, record: RecordHeader, last: int) -> bool:
        if record.tid != header.tid or record.version or header.tid <= last:
            return False
        beginning = start - record.start
        return record.start >= FIRST_TRANSACTION and (
            beginning <= 0 or self._file.read(FIRST_TRANSACTION, beginning) not in MAGICS
        )

    def _record_of(self, start: int, header: Header, position: int) -> RecordHeader | None:
        """Return the record there if it is one of this transaction."""
        record = self._file.record(position)
        if record is None or header.size == header.length:
            return None
        return record if start == record.start or header.tid == record.tid else None

    def _with_sizes(self, start: int, header: Header) -> Header:
        """Return the header with the sizes of its texts as the place of its first record has it."""
        expected = start + header.size
        place = self._first_record(start, header.length)
        if place is None or self._is_lost_record(start, header, expected, place):
            return header
        for number, size in enumerate(header.sizes):
            right = size + place - expected
            if 0 <= right <= LONGEST_TEXT:
                sizes = (*header.sizes[:number], right, *header.sizes[number + 1 :])
                found = header._replace(sizes=(sizes[0], sizes[1], sizes[2]))
                if _are_texts(texts(self._file, start, found)):
                    return found
        between = self._file.read(
            place - start - TRANSACTION_HEADER.size, start + TRANSACTION_HEADER.size
        )
        return header._replace(sizes=_sizes_of(between)) if len(between) <= LONGEST_TEXT else header

    def _is_lost_record(self, start: int, header: Header, expected: int, place: int) -> bool:
        """Tell whether it is not the sizes that are wrong, but the first record."""
        if place - expected < SMALLEST_RECORD:
            return False
        between = self._file.read(place - expected, expected)
        return 0 in between and _are_texts(texts(self._file, start, header))

    def _first_record(self, start: int, length: int) -> int | None:
        """Return the first place that has a record of a transaction which begins at `start`."""
        begin = start + TRANSACTION_HEADER.size
        raw = self._file.read(min(length, 3 * LONGEST_TEXT + SMALLEST_RECORD), begin)
        at = raw.find(LENGTH.pack(start), TRANSACTION_OFFSET)
        record = self._file.record(begin + at - TRANSACTION_OFFSET) if at >= 0 else None
        return begin + at - TRANSACTION_OFFSET if record and not record.version else None

    def _end(
        self, start: int, header: Header, records: int, first: RecordHeader | None
    ) -> tuple[int | None, tuple[str, ...]]:
        """Return where the second length stands, by the two lengths or the one that leads on."""
        told = start + header.length
        if records <= told:
            if self._file.number(told) == header.length:
                return told, ()
            if self._leads_on(told + LENGTH.size):
                return told, ("second length",)
        position, record = records, first
        while record is not None:
            position += record.size
            record = self._file.record(position)
            if record is not None and (
                record.version or first is None or not _alike(record, first)
            ):
                record = None
        if position > records and self._file.number(position) == position - start:
            return position, ("length",)
        return None, ()

    def _leads_on(self, position: int) -> bool:
        return position == self._file.size or self._is_transaction(position, ANY)


def texts(file: DamagedFile, start: int, header: Header) -> tuple[bytes, bytes, bytes]:
    """Return user, description and extension."""
    position = start + TRANSACTION_HEADER.size
    user, description, extension = header.sizes
    return (
        file.read(user, position),
        file.read(description, position + user),
        file.read(extension, position + user + description),
    )


def _are_texts(found: tuple[bytes, bytes, bytes]) -> bool:
    user, description, extension = found
    try:
        (user + description).decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in user + description and (not extension or is_pickle(extension))


def _sizes_of(found: bytes) -> tuple[int, int, int]:
    """Return the sizes of texts that take all of these bytes, none if a lost record is in them."""
    for extension in (len(found), found.find(b"}"), found.find(b"\x80")):
        if extension >= 0 and _are_texts((b"", found[:extension], found[extension:])):
            return 0, extension, len(found) - extension
    return (0, 0, 0) if 0 in found and len(found) >= SMALLEST_RECORD else (0, len(found), 0)


def _alike(record: RecordHeader, first: RecordHeader) -> bool:
    return record.start == first.start or record.tid == first.tid


def _shift(start: int, first: RecordHeader | None, second: RecordHeader | None) -> tuple[int, bool]:
    if first is None or first.start >= LARGEST_FILE:
        return 0, False
    if second is not None and second.start == start:
        return 0, False
    return start - first.start, second is not None and second.start == first.start


def _tids(header: int, first: RecordHeader | None, second: RecordHeader | None) -> tuple[int, ...]:
    """Return the id that two of three agree on; else all that there are, the header's first."""
    found = [header, *(record.tid for record in (first, second) if record is not None)]
    agreed = [tid for tid in found if tid and found.count(tid) > 1]
    return (agreed[0],) if agreed else tuple(tid for tid in found if tid)
