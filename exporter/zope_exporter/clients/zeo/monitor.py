"""The text that a ZEO server of ZODB3 gives to whoever connects to its monitor-address."""

import re
from collections.abc import Iterator

from .errors import NonsenseError
from .status import MOST_STORAGES, Storages, StorageStatus, check_count, check_name

LARGEST = 1 << 20
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


def parse_monitor(text: bytes, now: float) -> Storages:
    """Read the text, given at `now` (seconds since the epoch); raises NonsenseError."""
    try:
        title, *blocks = re.split(r"^Storage: ", text.decode(), flags=re.MULTILINE)
    except UnicodeDecodeError:
        raise NonsenseError("gives an answer that is no text") from None
    if not title.startswith(_TITLE) or not 0 < len(blocks) <= MOST_STORAGES:
        raise NonsenseError("is no monitor of a ZEO server")
    return dict(_storage(block, now) for block in blocks)


def _storage(block: str, now: float) -> tuple[str, StorageStatus]:
    name, *lines = block.split("\n")
    told = dict(_numbers(lines))
    held = told.pop(_LOCK_HELD, None)
    known = {_FIELDS[key]: check_count(number, key) for key, number in told.items()}
    acquired = None if held is None else now - held
    return check_name(name), StorageStatus(**known, lock_acquired=acquired)


def _numbers(lines: list[str]) -> Iterator[tuple[str, int]]:
    for line in lines:
        key, _, value = line.partition(": ")
        if key in _FIELDS or key == _LOCK_HELD:
            if not _NUMBER.fullmatch(value):
                raise NonsenseError(f"gives a number of {key} that cannot be")
            yield key, int(value)
