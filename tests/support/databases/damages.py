"""Damage to a Data.fs of every kind that a disk, a file system or a wrong clock does."""

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

HEADER = struct.Struct(">8sQcHHH")
RECORD = struct.Struct(">8s8sQQHQ")
FIRST = 4


@dataclass(frozen=True)
class Transaction:
    """Where a transaction is, to the byte after its last, and its records."""

    start: int
    end: int
    tid: bytes
    records: tuple[int, ...]


@dataclass(frozen=True)
class Damage:
    """What became of a file; `faithful` if no data of an object was touched."""

    what: str
    content: bytes
    faithful: bool


def transactions(content: bytes) -> list[Transaction]:
    """Of a whole file."""
    found, start = [], FIRST
    while start < len(content):
        tid, length, _, *sizes = HEADER.unpack_from(content, start)
        position, end = start + HEADER.size + sum(sizes), start + length
        records = []
        while position < end:
            records.append(position)
            size = RECORD.unpack_from(content, position)[5]
            position += RECORD.size + (size or 8)
        found.append(Transaction(start, end + 8, tid, tuple(records)))
        start = end + 8
    return found


def _flip(content: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[at + bit // 8] ^= 1 << (bit % 8)
    return bytes(changed)


# offset and size of each field of a header, in bytes
TRANSACTION_FIELDS = {"tid": (0, 8), "length": (8, 8), "status": (16, 1), "texts": (17, 6)}
RECORD_FIELDS = {
    "oid": (0, 8),
    "record tid": (8, 8),
    "previous": (16, 8),
    "place": (24, 8),
    "version": (32, 2),
    "data length": (34, 8),
    "back pointer": (42, 8),
}


def flips(content: bytes, chance: random.Random) -> Iterator[Damage]:
    """A bit of each field of a header, each bit with the same chance."""
    whole = transactions(content)
    for name, (offset, size) in TRANSACTION_FIELDS.items():
        one, bit = chance.choice(whole), chance.randrange(8 * size)
        what = f"bit {bit} of the {name} of the transaction at {one.start}"
        yield Damage(what, _flip(content, one.start + offset, bit), True)
    one = chance.choice(whole)
    yield Damage(
        f"second length at {one.end}", _flip(content, one.end - 8, chance.randrange(64)), True
    )
    for name, (offset, size) in RECORD_FIELDS.items():
        records = [record for each in whole for record in each.records]
        if name == "back pointer":
            records = [each for each in records if not RECORD.unpack_from(content, each)[5]]
        if records:
            record, bit = chance.choice(records), chance.randrange(8 * size)
            what = f"bit {bit} of the {name} of the record at {record}"
            yield Damage(what, _flip(content, record + offset, bit), name != "oid")


def stretches(content: bytes, chance: random.Random) -> Iterator[Damage]:
    """Bytes that are zeroed, repeated, cut out or come from elsewhere."""
    for size in (1, 8, 80, 512, 4096):
        at = chance.randrange(FIRST, max(len(content) - size, FIRST + 1))
        yield Damage(
            f"{size} zeroed at {at}", content[:at] + bytes(size) + content[at + size :], False
        )
    at, size = chance.randrange(FIRST, len(content)), chance.randrange(1, 3000)
    junk = chance.randbytes(size)
    yield Damage(f"{size} of junk at {at}", content[:at] + junk + content[at + size :], False)
    yield Damage(f"{size} inserted at {at}", content[:at] + junk + content[at:], False)
    yield Damage(f"{size} cut out at {at}", content[:at] + content[at + size :], False)
    yield Damage(f"{size} repeated at {at}", content[: at + size] + content[at:], False)
    yield Damage(f"cut off at {at}", content[:at], False)
    yield Damage("its magic", bytes(4) + content[4:], True)
    yield Damage("its first sector", bytes(512) + content[512:], False)


def sectors(content: bytes, chance: random.Random) -> Iterator[Damage]:
    """What a disk or a file system does to whole sectors and pages, wherever transactions are."""
    for size in (512, 4096):
        count = len(content) // size
        if count < 3:
            continue
        one, other = sorted(chance.sample(range(1, count), 2))
        a, b = one * size, other * size
        here, there = content[a : a + size], content[b : b + size]
        swapped = content[:a] + there + content[a + size : b] + here + content[b + size :]
        yield Damage(f"sectors of {size} at {a} and {b} swapped", swapped, False)
        doubled = content[:b] + here + content[b + size :]
        yield Damage(f"the sector of {size} at {a} also at {b}", doubled, False)
        moved = content[:a] + content[a + size : b] + here + content[b:]
        yield Damage(f"the sector of {size} at {a} moved to {b}", moved, False)
        erased = content[:a] + b"\xff" * size + content[a + size :]
        yield Damage(f"the sector of {size} at {a} erased to ones", erased, False)


def wholes(content: bytes, chance: random.Random) -> Iterator[Damage]:
    """Whole transactions that are repeated, exchanged, left out or came into it."""
    whole = transactions(content)
    first = chance.randrange(len(whole) - 4)
    one, other = whole[first], whole[first + chance.randrange(1, 4)]
    block = content[one.start : other.end]
    yield Damage("repeated", content[: other.end] + block + content[other.end :], True)
    yield Damage(
        "exchanged",
        content[: one.start]
        + content[one.end : other.end]
        + content[one.start : one.end]
        + content[other.end :],
        True,
    )
    yield Damage("left out", content[: one.start] + content[other.end :], True)
    junk = chance.randbytes(chance.randrange(1, 600))
    yield Damage("between", content[: one.start] + junk + content[one.start :], True)


def with_tid(content: bytes, one: Transaction, tid: bytes) -> bytes:
    """Give a transaction another id, in its header and its records."""
    changed = bytearray(content)
    for at in (one.start, *(record + 8 for record in one.records)):
        changed[at : at + 8] = tid
    return bytes(changed)


def renumbered(content: bytes, chance: random.Random) -> Iterator[Damage]:
    """Ids of the future from one transaction on, one alone in the future, ids that go back."""
    whole = transactions(content)
    number = chance.randrange(2, len(whole) - 2)
    begin = chance.choice([0x07 << 56, 0x1A << 56, 0xFF << 56, (0x04 << 56) + (0x60 << 48)])
    future = content
    for step, one in enumerate(whole[number:]):
        future = with_tid(future, one, (begin + step).to_bytes(8, "big"))
    yield Damage(f"the future from {number} on", future, True)
    one = whole[number]
    yield Damage(f"{number} in the future", with_tid(content, one, begin.to_bytes(8, "big")), True)
    yield Damage("the last in the future", with_tid(content, whole[-1], b"\x1a" * 8), True)
    yield Damage(f"{number} in the past", with_tid(content, one, bytes(7) + b"\x09"), True)
    yield Damage(f"{number} as before", with_tid(content, one, whole[number - 1].tid), True)


KINDS: tuple[Callable[[bytes, random.Random], Iterator[Damage]], ...] = (
    flips,
    stretches,
    sectors,
    wholes,
    renumbered,
)


def damages(content: bytes, seed: int) -> Iterator[Damage]:
    """Some of each kind."""
    chance = random.Random(seed)
    for kind in KINDS:
        yield from kind(content, chance)


def two_at_once(content: bytes, seed: int) -> Iterator[Damage]:
    """A flipped bit in what has another damage already, where that leaves a place for it."""
    chance = random.Random(seed)
    for damage in damages(content, seed):
        at = chance.randrange(FIRST, len(content))
        if at < len(damage.content):
            flipped = _flip(damage.content, at, chance.randrange(8))
            yield Damage(f"{damage.what}, and a bit at {at}", flipped, False)
