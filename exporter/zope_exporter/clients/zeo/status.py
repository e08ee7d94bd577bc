"""What a ZEO server tells of its storages, believed number by number."""

import json
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

from zope_exporter.storage.filestorage.format import time_of

from .link import InvalidAnswerError, Link

# Far more than any server has, and few enough to be label values.
_MOST_STORAGES = 100
_LONGEST_NAME = 100
LARGEST = 1 << 20  # bytes of an answer

_TITLE = "ZEO monitor server version "
_NUMBER = re.compile(r"\d{1,18}")
_FIELDS = {
    "Clients": "clients",
    "Commits": "commits",
    "Aborts": "aborts",
    "Loads": "loads",
    "Stores": "stores",
    "Conflicts": "conflicts",
    "Conflicts resolved": "conflicts_resolved",
    "Active transactions": "active_transactions",
}
_LOCK_HELD = "Commit lock held for"

LENGTH = struct.Struct(">I")
_LONGEST_GREETING = 16
_GREETING = re.compile(rb"[ZM](\d{1,4})")
FIRST_OF_ZODB3 = 100  # ZODB3 calls its protocols Z200 to Z3101, its successors Z4, Z5 and M5
_FIRST_WITHOUT_RESOLVED = 5


@dataclass(frozen=True)
class StorageStatus:
    """Numbers since the server started, and times since the epoch; None is what it does not tell.

    `lock_acquired` is when the transaction that commits now got the storage to itself; None while
    none does. `last_transaction` is None of an empty storage.
    """

    clients: int | None = None
    commits: int | None = None
    aborts: int | None = None
    loads: int | None = None
    stores: int | None = None
    conflicts: int | None = None
    conflicts_resolved: int | None = None
    active_transactions: int | None = None
    waiting_commits: int | None = None
    lock_acquired: float | None = None
    last_transaction: float | None = None


Storages = Mapping[str, StorageStatus]

_NO_TRANSACTION = "0" * 16
_KEYS = {
    "clients": "connections",
    "active_transactions": "active_txns",
    "waiting_commits": "waiting",
}
_TIMES = frozenset({"lock_acquired", "last_transaction"})
_COUNTS = {
    field.name: _KEYS.get(field.name, field.name)
    for field in fields(StorageStatus)
    if field.name not in _TIMES
}


def parse_status(answer: bytes, counts_resolved: bool = True) -> Storages:
    """Read the JSON that a server answers to `ruok`; raises InvalidAnswerError.

    A server that does not count the conflicts it resolves says 0 all the same.
    """
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        raise InvalidAnswerError("gives an answer that is no JSON") from None
    if not isinstance(document, dict) or len(document) > _MOST_STORAGES:
        raise InvalidAnswerError("gives an answer without storages")
    storages = {_name(name): _status(told) for name, told in document.items()}
    if counts_resolved:
        return storages
    return {name: replace(each, conflicts_resolved=None) for name, each in storages.items()}


def _name(name: str) -> str:
    """Return the name of a storage if it can be one; raises InvalidAnswerError."""
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise InvalidAnswerError("names a storage that can have no such name")
    return name


def _count(value: object, what: str) -> int | None:
    """Return a number of things if it can be one; raises InvalidAnswerError."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise InvalidAnswerError(f"gives a number of {what} that cannot be")
    return value


def _status(told: object) -> StorageStatus:
    if not isinstance(told, dict):
        raise InvalidAnswerError("gives an answer without storages")
    counts = {name: _count(told.get(key), key) for name, key in _COUNTS.items()}
    return StorageStatus(
        **counts,
        lock_acquired=_moment(told.get("lock_time")),
        last_transaction=_time_of(told.get("last-transaction")),
    )


def _moment(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not 1 < value < 1e11:
        raise InvalidAnswerError("gives a lock_time that cannot be")
    return float(value)


def _time_of(tid: object) -> float | None:
    if tid is None or tid == _NO_TRANSACTION:
        return None
    try:
        return time_of(bytes.fromhex(tid))  # type: ignore[arg-type]  # else TypeError
    except (ValueError, TypeError):
        raise InvalidAnswerError("gives a last-transaction that cannot be") from None


def parse_monitor(text: bytes, now: float) -> Storages:
    """Read the text, given at `now` (seconds since the epoch); raises InvalidAnswerError."""
    try:
        title, *blocks = re.split(r"^Storage: ", text.decode(), flags=re.MULTILINE)
    except UnicodeDecodeError:
        raise InvalidAnswerError("gives an answer that is no text") from None
    if not title.startswith(_TITLE) or not 0 < len(blocks) <= _MOST_STORAGES:
        raise InvalidAnswerError("is no monitor of a ZEO server")
    return dict(_storage(block, now) for block in blocks)


def _storage(block: str, now: float) -> tuple[str, StorageStatus]:
    name, *lines = block.split("\n")
    told = dict(_numbers(lines))
    held = told.pop(_LOCK_HELD, None)
    known = {_FIELDS[key]: _count(number, key) for key, number in told.items()}
    acquired = None if held is None else now - held
    return _name(name), StorageStatus(**known, lock_acquired=acquired)


def _numbers(lines: list[str]) -> Iterator[tuple[str, int]]:
    for line in lines:
        key, _, value = line.partition(": ")
        if key in _FIELDS or key == _LOCK_HELD:
            if not _NUMBER.fullmatch(value):
                raise InvalidAnswerError(f"gives a number of {key} that cannot be")
            yield key, int(value)


def ask_ruok(link: Link) -> Storages | None:
    """Return the status of each storage, None where a ZEO of ZODB3 answers, which cannot tell.

    Raises ZeoError.
    """
    protocol = greeting(link)
    if protocol >= FIRST_OF_ZODB3:
        return None
    link.send(frame(b"ruok"))
    return parse_status(_receive(link, LARGEST), counts_resolved=protocol < _FIRST_WITHOUT_RESOLVED)


def greeting(link: Link) -> int:
    """Return the number of the protocol, which a server begins with."""
    found = _GREETING.fullmatch(_receive(link, _LONGEST_GREETING))
    if found is None:
        raise InvalidAnswerError("speaks another protocol than ZEO")
    return int(found[1])


def frame(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content


def _receive(link: Link, most: int) -> bytes:
    (length,) = LENGTH.unpack(link.read(LENGTH.size))
    if length > most:
        raise InvalidAnswerError("speaks another protocol than ZEO")
    return link.read(length)
