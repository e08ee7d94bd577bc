"""What was written by whom, read beside ZODB's own FileIterator, by turns.

Run as `python tests/bench/growth.py [RECORDS]`, from anywhere. FileIterator gives the records of
all transactions, and tells nothing of what is in them. CPU seconds are those of the work alone.
"""

import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from ZODB.utils import p64  # noqa: E402

from tests.bench import big_datafs  # noqa: E402
from tests.bench.datafs import ITERATE, ZODB, Work, report, rounds, say  # noqa: E402

GROWTH = "from zope_exporter.storage.filestorage.growth import growth_of"
SUM = """
growth = growth_of(path, ("class", "view"), 1e10)
assert growth.bytes == path.stat().st_size - 4
result = growth.transactions, growth.records, len(growth.rankings["class"])
"""
WORKS = [
    Work("FileIterator, all records", ZODB, ITERATE),
    Work("growth, all records", GROWTH, SUM, baseline="FileIterator, all records"),
]


def main() -> None:
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 225_000
    histories: dict[str, Callable[[Path], object]] = {
        "bulk imports and edits": lambda path: big_datafs.write(path, records),
        "small commits": lambda path: small(path, records // 3),
        "small commits, 20,000 classes and paths": lambda path: small(path, records // 3, 20_000),
        "compressed": lambda path: small(path, records // 3, pack=compressed),
    }
    for name, write in histories.items():
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "Data.fs"
            write(path)
            say(f"\n{name}, {path.stat().st_size / 1e6:.0f} MB\n")
            report(rounds(path, WORKS), WORKS, path.stat().st_size)


def compressed(data: bytes) -> bytes:
    return b".z" + zlib.compress(data)


def small(
    path: Path, transactions: int, names: int = 40, pack: Callable[[bytes], bytes] | None = None
) -> None:
    """Write transactions of two records of 400 bytes."""
    position, tid = 4, 0x03C0000000000000
    with path.open("wb") as file:
        file.write(b"FS30")
        for number in range(transactions):
            tid += 0x10000
            name = number % names
            data = b"\x80\x03cproducts.m%d\nC%d\nq\x01.\x80\x03}q\x02." % (name, name)
            data = pack(data) if pack else data + bytes(400 - len(data))
            texts = b"acl_users jane", b"/site/%d/edit" % name, b"\x80\x03}q\x01."
            begin = big_datafs.TRANSACTION_HEADER.size + sum(map(len, texts))
            size = big_datafs.RECORD_HEADER.size + len(data)
            length = begin + 2 * size
            lengths = map(len, texts)
            file.write(big_datafs.TRANSACTION_HEADER.pack(tid, length, b" ", *lengths))
            file.write(b"".join(texts))
            for oid in (2 * number, 2 * number + 1):
                file.write(big_datafs.RECORD_HEADER.pack(oid, tid, 0, position, 0, len(data)))
                file.write(data)
            file.write(p64(length))
            position += length + 8


if __name__ == "__main__":
    main()
