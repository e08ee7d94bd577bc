"""What a ZEO server tells of a storage, believed number by number."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from zope_exporter.storage.filestorage.format import time_of

from .errors import NonsenseError

# Far more than any server has, and few enough to be label values.
MOST_STORAGES = 100
_LONGEST_NAME = 100
_NO_TRANSACTION = "0" * 16


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
    """Read the JSON that a server answers to `ruok`; raises NonsenseError.

    A server that does not count the conflicts it resolves says 0 all the same.
    """
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        raise NonsenseError("gives an answer that is no JSON") from None
    if not isinstance(document, dict) or len(document) > MOST_STORAGES:
        raise NonsenseError("gives an answer that does not tell of storages")
    storages = {check_name(name): _status(told) for name, told in document.items()}
    if counts_resolved:
        return storages
    return {name: replace(each, conflicts_resolved=None) for name, each in storages.items()}


def check_name(name: str) -> str:
    """Return the name of a storage if it can be one; raises NonsenseError."""
    if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise NonsenseError("names a storage that can have no such name")
    return name


def check_count(value: object, what: str) -> int | None:
    """Return a number of things if it can be one; raises NonsenseError."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise NonsenseError(f"gives a number of {what} that cannot be")
    return value


def _status(told: object) -> StorageStatus:
    if not isinstance(told, dict):
        raise NonsenseError("gives an answer that does not tell of storages")
    counts = {name: check_count(told.get(key), key) for name, key in _COUNTS.items()}
    return StorageStatus(
        **counts,
        lock_acquired=_moment(told.get("lock_time")),
        last_transaction=_time_of(told.get("last-transaction")),
    )


def _moment(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or not 1 < value < 1e11:
        raise NonsenseError("gives a lock_time that cannot be")
    return float(value)


def _time_of(tid: object) -> float | None:
    if tid is None or tid == _NO_TRANSACTION:
        return None
    try:
        return time_of(bytes.fromhex(tid))  # type: ignore[arg-type]  # else TypeError
    except (ValueError, TypeError):
        raise NonsenseError("gives a last-transaction that cannot be") from None
