"""Random histories of real Data.fs files, and what ZODB itself makes of them."""

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from persistent.TimeStamp import TimeStamp
from ZODB.Connection import TransactionMetaData
from ZODB.FileStorage import FileStorage
from ZODB.FileStorage.FileStorage import FileIterator, RedundantPackWarning, read_index
from ZODB.FileStorage.format import CorruptedDataError, FileStorageFormatter
from ZODB.FileStorage.fspack import GC, PackError
from ZODB.fsIndex import fsIndex
from ZODB.POSException import POSKeyError, UndoError
from ZODB.serialize import referencesf
from ZODB.utils import p64, z64

from tests.support.databases import datafs

LATER = TimeStamp(2030, 1, 1).timeTime()
Operation = tuple[Any, ...]

CLASS = b"cproducts.news\nItem\n"
# How a record can refer to an object; the last three are no references that a pack follows.
FORMS: dict[str, Callable[[bytes], bytes]] = {
    "alone": lambda oid: b"C\x08" + oid + b"Q",
    "of a class": lambda oid: b"C\x08" + oid + b"q\x05" + CLASS + b"q\x06\x86q\x07Q",
    "of a class of before": lambda oid: b"C\x08" + oid + b"r\5\1\0\0h\x01\x86r\6\1\0\0Q",
    "of Python 2": lambda oid: b"(U\x08" + oid + b"q\x05" + CLASS + b"q\x06tq\x07Q",
    "weak, then strong": lambda oid: FORMS["weak"](oid) + b"h\x05Q",
    "weak": lambda oid: b"]q\x04(X\1\0\0\0wC\x08" + oid + b"q\x05\x85q\x06eQ",
    "weak of another": lambda oid: b"](X\1\0\0\0wC\x08" + oid + b"X\1\0\0\0b\x86eQ",
    "of another": lambda oid: b"](X\1\0\0\0m(X\1\0\0\0bC\x08" + oid + CLASS + b"teQ",
}
Reference = int | tuple[int, str]

OIDS = st.integers(0, 9)
SIZES = st.one_of(st.integers(0, 300), st.integers(0, 300), st.sampled_from([5000, 1_100_000]))
REFERENCES = st.lists(st.one_of(OIDS, st.tuples(OIDS, st.sampled_from(sorted(FORMS)))), max_size=3)
STORED = st.tuples(OIDS, SIZES, REFERENCES)
COMMITS = st.one_of(
    st.tuples(st.just("store"), st.lists(STORED, min_size=1, max_size=6)),
    st.tuples(st.just("store"), st.lists(STORED, min_size=1, max_size=2)),
    st.tuples(st.just("undo"), st.lists(st.integers(0, 5), min_size=1, max_size=3)),
    st.tuples(st.just("delete"), OIDS),
    st.tuples(st.just("abort"), OIDS),
    st.tuples(st.just("empty")),
)
OPERATIONS = st.one_of(COMMITS, st.tuples(st.just("pack"), st.integers(0, 12), st.booleans()))


@dataclass
class Numbers:
    """What a Data.fs holds, and what a pack without garbage collection frees."""

    transactions: int
    objects: int
    superseded: int


@dataclass
class History:
    """A storage to which operations are done; what ZODB refuses is left out."""

    storage: FileStorage
    number: int = 0
    compress: bool = False

    def do(self, operation: Operation) -> None:
        name, *arguments = operation
        getattr(self, name)(*arguments)

    def store(self, stored: Sequence[tuple[int, int, Sequence[Reference]]]) -> None:
        with self.transaction() as transaction:
            for oid, size, references in {one[0]: one for one in stored}.values():
                data = record(size, references)
                if self.compress and size % 7:  # as it is where that made it larger
                    data = compressed(data)
                self.storage.store(p64(oid), self.serial(oid), data, "", transaction)

    def delete(self, oid: int) -> None:
        with suppress(POSKeyError), self.transaction() as transaction:
            self.storage.deleteObject(p64(oid), self.serial(oid), transaction)

    def undo(self, ages: Sequence[int]) -> None:
        with suppress(UndoError, POSKeyError), self.transaction() as transaction:
            log = self.storage.undoLog(0, 6)
            for age in dict.fromkeys(ages):
                if age < len(log):
                    self.storage.undo(log[age]["id"], transaction)

    def empty(self) -> None:
        with self.transaction():
            pass

    def abort(self, oid: int) -> None:
        transaction = TransactionMetaData("admin", "/never", {})
        self.number += 1
        self.storage.tpc_begin(transaction, tid=datafs.tid(self.number))
        self.storage.store(p64(oid), self.serial(oid), record(100, []), "", transaction)
        self.storage.tpc_vote(transaction)
        self.storage.tpc_abort(transaction)

    def pack(self, age: int, collect: bool) -> None:
        # Of some undos ZODB's pack copies more than there was, and asserts that it does not.
        with suppress(KeyError, PackError, AssertionError):
            when = TimeStamp(datafs.tid(max(self.number - age, 1))).timeTime()
            self.storage.pack(when + 0.1, references_of, gc=collect)

    def serial(self, oid: int) -> bytes:
        """The transaction of the current record, also of one that says the object is deleted."""
        position = self.storage._index.get(p64(oid))
        return bytes(self.storage._read_data_header(position).tid) if position else z64

    @contextmanager
    def transaction(self) -> Iterator[TransactionMetaData]:
        self.number += 1
        transaction = TransactionMetaData("admin", "/edit" * (self.number % 4), {"key": "value"})
        self.storage.tpc_begin(transaction, tid=datafs.tid(self.number))
        try:
            yield transaction
            self.storage.tpc_vote(transaction)
        except BaseException:
            self.storage.tpc_abort(transaction)
            raise
        self.storage.tpc_finish(transaction)


def write_large(path: Path, objects: int = 30_000) -> None:
    """Make a Data.fs that takes many slices of the background to scan, and has some garbage."""
    with datafs.storage_at(path) as storage:
        history = History(storage)
        history.store([(oid, 20, [oid + 1]) for oid in range(objects)])
        history.store([(0, 20, [1]), (objects // 2, 20, [])])


def compressed(data: bytes) -> bytes:
    """As zc.zlibstorage stores it."""
    return b".z" + zlib.compress(data)


def references_of(data: bytes, oids: list[bytes] | None = None) -> list[bytes]:
    """What zc.zlibstorage has a pack follow."""
    plain = zlib.decompress(data[2:]) if data.startswith(b".z") else data
    found: list[bytes] = referencesf(plain, oids)
    return found


def _binary(data: bytes) -> bytes:
    return b"B" + len(data).to_bytes(4, "little") + data


def record(size: int, references: Sequence[Reference], name: str = "products.news Item") -> bytes:
    """A record as ZODB writes it, with data that do not compress and need no class."""
    class_part = f"c{name.replace(' ', chr(10))}\n".encode()
    formed = [(each, "alone") if isinstance(each, int) else each for each in references]
    pointers = b"".join(FORMS[form](p64(oid)) for oid, form in formed)
    body = _binary(random.Random(size).randbytes(size))
    return b"\x80\x03" + class_part + b"q\x01.\x80\x03(" + pointers + body + b"t."


def zodb_numbers(path: Path) -> Numbers:
    """What ZODB makes of a file; it raises what ZODB raises."""
    index = fsIndex()
    with path.open("rb") as file:
        end, _, _ = read_index(file, str(path), index, {}, read_only=True)
        collection = GC(file, end, b"\xff" * 8, False, None)
        if index:
            with suppress(RedundantPackWarning, CorruptedDataError):  # after the end
                collection.buildPackIndex()
        kept = _kept(file, collection.oid2curpos)
    with closing(FileIterator(str(path))) as iterator:
        transactions = 0
        with suppress(CorruptedDataError):  # of a header that is cut off
            for _ in iterator:
                transactions += 1
    return Numbers(transactions, len(index), end - kept)


def _kept(file: Any, current: fsIndex) -> int:
    formatter = FileStorageFormatter()
    formatter._file = file
    kept, holding = 4, set()
    for position in current.values():
        header = formatter._read_data_header(position)
        size = header.plen
        if not size:
            data, _ = formatter._loadBackTxn(header.oid, header.back, False)
            size = len(data or b"") or 8
        kept += 42 + size
        holding.add(header.tloc)
    for position in holding:
        kept += formatter._read_txn_header(position).headerlen() + 8
    return kept


def freed_by_pack(path: Path, collect: bool) -> int | None:
    """What a real pack frees from a file, None if it refuses."""
    with datafs.storage_at(path) as storage:
        before = storage.getSize()
        try:
            storage.pack(LATER, references_of, gc=collect)
        except KeyError:
            return None
        return int(before - storage.getSize())
