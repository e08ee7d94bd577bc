"""Believing what a server tells number by number, and nothing that cannot be."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.zeo.fake_server import MONITOR, STATUS
from zope_exporter.clients.zeo.link import InvalidAnswerError
from zope_exporter.clients.zeo.status import StorageStatus, parse_monitor, parse_status

NOTHING_COMMITTED = "0" * 16

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=20,
)


def parse(**changes: object) -> StorageStatus:
    return parse_status(json.dumps({"1": {**STATUS, **changes}}).encode())["1"]


def test_everything_a_server_tells() -> None:
    told = parse()
    assert told.last_transaction == pytest.approx(1795346452.778)
    assert replace(told, last_transaction=None) == StorageStatus(
        clients=2,
        commits=15,
        aborts=1,
        loads=30,
        stores=27,
        conflicts=3,
        conflicts_resolved=4,
        active_transactions=2,
        waiting_commits=1,
        lock_acquired=1800000000.25,
    )


def test_no_lock_no_transaction_and_a_server_that_tells_less() -> None:
    told = parse(**{"lock_time": None, "last-transaction": NOTHING_COMMITTED})
    assert (told.lock_acquired, told.last_transaction) == (None, None)
    assert parse_status(b'{"1": {"commits": 5}}') == {"1": StorageStatus(commits=5)}


def test_conflicts_that_are_not_counted_are_not_none() -> None:
    answer = json.dumps({"1": STATUS}).encode()
    assert parse_status(answer, counts_resolved=False)["1"].conflicts_resolved is None


@pytest.mark.parametrize(
    "change",
    [
        {"commits": -1},
        {"commits": 1 << 63},
        {"commits": 1.5},
        {"commits": True},
        {"commits": "15"},
        {"connections": [2]},
        {"lock_time": "now"},
        {"lock_time": -5},
        {"lock_time": 1e300},
        {"lock_time": float("nan")},
        {"lock_time": True},
        {"last-transaction": "040d"},
        {"last-transaction": "x" * 16},
        {"last-transaction": 5},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidAnswerError, match="cannot be"):
        parse(**change)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"1": 5}',
        b'{"": {}}',
        b'{"a\\nb": {}}',
        b'{"' + b"x" * 101 + b'": {}}',
        b"[" * 100_000,
        b'{"1": {"commits": ' + b"9" * 5000 + b"}}",
        json.dumps({str(number): {} for number in range(101)}).encode(),
    ],
    ids=lambda answer: repr(answer[:20]),
)
def test_an_answer_of_another_shape_is_refused(answer: bytes) -> None:
    with pytest.raises(InvalidAnswerError):
        parse_status(answer)


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_read_or_refused(answer: bytes) -> None:
    try:
        storages = parse_status(answer)
    except InvalidAnswerError:
        return
    assert all(name.isprintable() for name in storages)


@given(st.dictionaries(st.sampled_from(sorted(STATUS)), json_values))
def test_whatever_a_storage_is_said_to_have_is_read_or_refused(told: dict[str, object]) -> None:
    try:
        status = parse_status(json.dumps({"1": told}).encode())["1"]
    except InvalidAnswerError:
        return
    assert all(value is None or value >= 0 for value in vars(status).values())


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
def test_a_monitor_that_tells_what_cannot_be_is_refused(old: str, new: str) -> None:
    with pytest.raises(InvalidAnswerError):
        parse_monitor(MONITOR.replace(old, new).encode(), NOW)


def test_a_text_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidAnswerError, match="no text"):
        parse_monitor(b"\xff\xfe", NOW)


@given(st.text(alphabet="Storage: 1\nClientsCommit lock held for5-", max_size=200))
def test_whatever_follows_the_title_is_read_or_refused(rest: str) -> None:
    try:
        storages = parse_monitor(f"ZEO monitor server version 3\n\n{rest}".encode(), NOW)
    except InvalidAnswerError:
        return
    assert storages
