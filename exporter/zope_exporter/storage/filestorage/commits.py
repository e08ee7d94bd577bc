"""What each transaction of a Data.fs has written: bytes by class, for whom, at which path.

No pickle is run, and of each record only the beginning is looked at.
"""

import re
import zlib
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from zope_exporter.system.humanize import plain

from .class_names import LONGEST_CLASS_PART, OTHER, class_name
from .datafile import TornTailError
from .format import FIRST_TRANSACTION, LENGTHS, RECORD, RECORD_HEADER, Transaction
from .reader import HEADERS_ONLY, DataFile
from .records import ZLIB
from .tail import tail_of

NONE = "(none)"
ANONYMOUS = "(anonymous)"
# As Zope notes somebody who has not logged in, after the path of where users are.
_NOBODY = (b" None", b" Anonymous User")

MOST_REMEMBERED = 10_000
LONGEST_REMEMBERED = 300
SHORT_CLASS_PART = 256
_BEGIN = re.compile(rb"[^\n]{1,1000}\n[^\n]{1,1000}\n")


class Commit(NamedTuple):
    """A transaction: `classes` has bytes and number of its records by class.

    Names are fit to be shown, and not longer than LONGEST_NAME.
    """

    transaction: Transaction
    classes: dict[str, list[int]]
    user: str
    path: str


class CommitReader:
    """Reads transactions, and remembers how the records of a class, and headers, begin."""

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}
        self._texts: dict[bytes, tuple[str, str]] = {}

    def commits(self, file: DataFile, position: int, tid: int) -> Iterator[Commit]:
        """Give the committed transactions from `position` on, the one before having `tid`.

        Raises DamagedError.
        """
        for transaction in file.transactions(position, tid):
            noted = file.noted(transaction)
            user, path = self._texts.get(noted) or self._read_texts(noted)
            yield Commit(transaction, self._classes(file, transaction), user, path)

    def _read_texts(self, noted: bytes) -> tuple[str, str]:
        """Return the user and the first line of the description."""
        user_length, length, _ = LENGTHS.unpack_from(noted)
        user, begin = noted[LENGTHS.size :][:user_length], LENGTHS.size + user_length
        path, _, _ = noted[begin : begin + length].strip().partition(b"\n")
        name = ANONYMOUS if user.endswith(_NOBODY) else _text(user)
        found = name, _text(path)
        if len(noted) <= LONGEST_REMEMBERED:
            if len(self._texts) >= MOST_REMEMBERED:
                self._texts.clear()
            self._texts[noted] = found
        return found

    def _classes(self, file: DataFile, transaction: Transaction) -> dict[str, list[int]]:
        classes: dict[str, list[int]] = {}
        known, begin, window = self._known.get, _BEGIN.match, file.window
        for oid, position, _, length, back in file.records(transaction):
            if length:
                size, data = RECORD_HEADER.size + length, position + RECORD_HEADER.size
                start = data - file.base
                # As a rule it begins with the class alone, two lines that were met before.
                found = start + length <= file.filled and begin(window, start, start + length)
                name = (found and known(found[0])) or self._name(file, data, length)
            else:
                size, name = RECORD.size, self._pointed(file, oid, back)
            sums = classes.get(name)
            if sums is None:
                classes[name] = [size, 1]
            else:
                sums[0] += size
                sums[1] += 1
        return classes

    def _pointed(self, file: DataFile, oid: int, back: int) -> str:
        """Name the class of a record that has its data elsewhere, as an undo leaves it."""
        data, size = file.resolve(oid, back)
        return self._name(file, data, size - RECORD_HEADER.size) if data else OTHER

    def _name(self, file: DataFile, data: int, length: int) -> str:
        begin = file.held(min(length, LONGEST_CLASS_PART), data)
        if begin.startswith(ZLIB):
            return self._named(_inflated(begin, SHORT_CLASS_PART)) or (
                self._named(_inflated(begin, LONGEST_CLASS_PART)) or OTHER
            )
        return self._named(begin) or OTHER

    def _named(self, data: bytes) -> str | None:
        lines = _BEGIN.match(data)
        begin = lines[0] if lines else b""
        name = self._known.get(begin)
        if name is None and (found := class_name(data)):
            name = plain(found)
            if len(self._known) < MOST_REMEMBERED and class_name(begin) == found:
                self._known[begin] = name
        return name


def last_committed(file: DataFile) -> Transaction | None:
    """Return the last transaction; where the end is torn, by way of all the others."""
    try:
        return tail_of(file).last
    except TornTailError:
        headers = DataFile(file.path, file.descriptor, HEADERS_ONLY)
        return next(iter(deque(headers.transactions(FIRST_TRANSACTION, 0), 1)), None)


def position_since(file: DataFile, last: Transaction, tid: int) -> tuple[int, int]:
    """Return where the first transaction from `tid` on begins, and an id that is below its own.

    It goes back from the last committed one. Raises DamagedError.
    """
    position, before = last.end, last.tid
    for transaction in file.backwards(last):
        if transaction.tid < tid:
            break
        position, before = transaction.start, transaction.tid - 1
    return position, before


def _text(text: bytes) -> str:
    return plain(text.decode("utf-8", "replace").strip()) or NONE


def _inflated(begin: bytes, most: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(memoryview(begin)[len(ZLIB) :], most)
    except zlib.error:
        return b""
