"""A Data.fs of any size with the history of a busy site, written in ZODB's format directly.

Bulk imports and small edits of a tree of objects, undos, deletions, and objects that nothing
refers to any more. Run as `python tests/bench/big_datafs.py PATH RECORDS`.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from ZODB.fsIndex import fsIndex
from ZODB.utils import p64

BRANCHES = 8
BULK = 2000
TRANSACTION_HEADER = Struct(">QQcHHH")
RECORD_HEADER = Struct(">QQQQHQ")
LENGTH = Struct(">Q")
TEXTS = b"admin", b"/portal/document/edit", b"\x80\x03}q\x01."
CLASSES = [f"products.type{number % 7}.content{number}\nContent{number}" for number in range(133)]


class Writer:
    """Writes transactions and knows where each object's last record is."""

    def __init__(self, file: BinaryIO, objects: int, seed: int = 1) -> None:
        self.file = file
        self.random = random.Random(seed)
        self.objects = objects
        self.places: list[int] = []  # of the last record of each object
        self.lengths: list[int] = []
        self.position = 4
        self.tid = 0x03C0000000000000
        self.filler = self.random.randbytes(1 << 16)
        self.records = 0
        self.size = 0  # of each object, if all are to be alike
        file.write(b"FS30")

    def transaction(self, oids: list[int], kind: str = "store") -> None:
        self.tid += 0x1000
        begin = self.position
        header = TRANSACTION_HEADER.size + sum(map(len, TEXTS))
        parts = [b"", *TEXTS]
        position = begin + header
        for oid in oids:
            data = b"" if kind == "delete" else self._data(oid)
            previous = self.places[oid] if oid < len(self.places) else 0
            if kind != "store":
                back = previous if kind == "undo" else 0
                parts += [RECORD_HEADER.pack(oid, self.tid, previous, begin, 0, 0), p64(back)]
                length = 8
            else:
                parts += [RECORD_HEADER.pack(oid, self.tid, previous, begin, 0, len(data)), data]
                length = len(data)
            if oid == len(self.places):
                self.places.append(position)
            else:
                self.places[oid] = position
            position += RECORD_HEADER.size + length
        size = position - begin
        parts[0] = TRANSACTION_HEADER.pack(self.tid, size, b" ", *map(len, TEXTS))
        parts.append(LENGTH.pack(size))
        self.file.write(b"".join(parts))
        self.position = position + LENGTH.size
        self.records += len(oids)

    def _data(self, oid: int) -> bytes:
        size = self.size or int(self.random.random() ** 4 * 5200) + 30
        start = self.random.randrange(len(self.filler) - 10_000)
        body = b"B" + size.to_bytes(4, "little") + self.filler[start : start + size]
        name = CLASSES[oid % len(CLASSES)].encode()
        references = b"".join(b"C\x08" + p64(child) + b"Q" for child in self.children(oid))
        class_part = b"\x80\x03c" + name + b"\nq\x01." if oid % 3 else b"(c" + name + b"\nNt."
        return class_part + b"\x80\x03(" + references + body + b"t."

    def children(self, oid: int) -> list[int]:
        first = BRANCHES * oid + 1
        return [child for child in range(first, first + BRANCHES) if self.wanted(child)]

    def wanted(self, oid: int) -> bool:
        is_leaf = BRANCHES * oid + 1 >= self.objects
        return oid < self.objects and not (is_leaf and oid % 11 == 7)


def history(writer: Writer, records: int) -> Iterator[None]:
    """Import all objects, in bulks and between them edits, until there are that many records."""
    edits = (records - writer.objects) * BULK // writer.objects
    while len(writer.places) < writer.objects:
        first = len(writer.places)
        writer.transaction(list(range(first, min(first + BULK, writer.objects))))
        yield from edited(writer, min(writer.records + edits, records))
    yield from edited(writer, records)


def edited(writer: Writer, records: int) -> Iterator[None]:
    while writer.records < records:
        there = len(writer.places)
        dice = writer.random.random()
        some = [writer.random.randrange(there) for _ in range(1 + int(dice * 38))]
        oids = list(dict.fromkeys(some))[: records - writer.records]
        if dice < 0.01:
            gone = [oid for oid in oids if not writer.wanted(oid)]
            writer.transaction(gone or oids, "delete" if gone else "undo")
        else:
            writer.transaction(oids, "undo" if dice < 0.03 else "store")
        yield


def write(path: Path, records: int) -> Writer:
    """Write a Data.fs of some 1.2 kB a record, a third of the records being objects."""
    with path.open("wb", buffering=1 << 20) as file:
        writer = Writer(file, max(1, records * 37 // 100))
        for _ in history(writer, records):
            pass
    places = fsIndex()
    for oid, place in enumerate(writer.places):
        places[p64(oid)] = place
    places.save(writer.position, str(path) + ".index")
    return writer


def append(path: Path, writer: Writer, size: int, record_size: int) -> None:
    """Let edits of objects of one size follow."""
    with path.open("ab", buffering=1 << 20) as file:
        writer.file, writer.size = file, record_size
        end = writer.position + size
        while writer.position < end:
            writer.transaction(writer.random.sample(range(len(writer.places)), 15))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
