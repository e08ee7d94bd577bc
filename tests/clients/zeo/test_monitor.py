"""The text of the monitor port of ZODB3's ZEO server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.zeo.fake_server import MONITOR
from zope_exporter.clients.zeo.link import NonsenseError
from zope_exporter.clients.zeo.status import StorageStatus, parse_monitor

NOW = 1800000000.0


def test_everything_it_tells() -> None:
    assert parse_monitor(MONITOR.encode(), NOW) == {
        "1": StorageStatus(
            clients=2,
            commits=15,
            aborts=1,
            loads=30,
            stores=27,
            conflicts=3,
            conflicts_resolved=4,
            active_transactions=2,
            lock_acquired=NOW - 6,
        )
    }


def test_two_storages_and_no_lock() -> None:
    first = MONITOR.replace("Commit lock held for: 6\n", "")
    second = first[first.index("Storage:") :].replace("Storage: 1", "Storage: two words")
    storages = parse_monitor((first + second).encode(), NOW)
    assert list(storages) == ["1", "two words"]
    assert {status.lock_acquired for status in storages.values()} == {None}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ZEO monitor", "Zope monitor"),
        ("Commits: 15", "Commits: many"),
        ("Commits: 15", "Commits: -15"),
        ("Commits: 15", "Commits: " + "9" * 19),
        ("Commit lock held for: 6", "Commit lock held for: 1e3"),
        ("Storage: 1", "Storage: "),
        ("Storage: 1", "Storage: \x1b[2J"),
        ("Storage: 1\n", ""),
        ("Storage: 1\n", "Storage: 1\nCommits: 2\n\n" * 101),
    ],
)
def test_what_cannot_be_is_refused(old: str, new: str) -> None:
    with pytest.raises(NonsenseError):
        parse_monitor(MONITOR.replace(old, new).encode(), NOW)


def test_a_text_that_is_none_is_refused() -> None:
    with pytest.raises(NonsenseError, match="no text"):
        parse_monitor(b"\xff\xfe", NOW)


@given(st.text(alphabet="Storage: 1\nClientsCommit lock held for5-", max_size=200))
def test_whatever_follows_the_title_is_read_or_refused(rest: str) -> None:
    try:
        storages = parse_monitor(f"ZEO monitor server version 3\n\n{rest}".encode(), NOW)
    except NonsenseError:
        return
    assert storages
