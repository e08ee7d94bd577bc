import time
from collections.abc import Iterator

import pytest
from persistent.TimeStamp import TimeStamp

from zope_exporter.maintenance.restore.point_in_time import (
    PointInTimeError,
    shown,
    transaction_at,
    understood,
    wanted,
)


@pytest.fixture
def in_kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A quarter of an hour is in no other zone by mistake."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_kathmandu")
def test_what_was_understood_is_shown_with_the_zone() -> None:
    for text in ("2026-11-22 14:30", "2026-11-22T08:45:00Z"):
        assert understood(transaction_at(text)) == (
            "2026-11-22T14:30:00+05:45, 2026-11-22T08:45:00Z"
        )
    for text in ("9999-12-31T23:59:59Z", "0001-01-01T00:00Z"):
        assert understood(transaction_at(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T14:30:00Z", (2026, 11, 22, 14, 30, 0)),
        ("2026-11-22T14:30Z", (2026, 11, 22, 14, 30, 0)),
        ("2026-11-22T14:30:12.5+01:00", (2026, 11, 22, 13, 30, 12.5)),
        ("2026-11-22 14:30:12+0100", (2026, 11, 22, 13, 30, 12)),
        ("2026-11-22 14:30", (2026, 11, 22, 8, 45, 0)),
        ("2026-11-22T14:30:07.25", (2026, 11, 22, 8, 45, 7.25)),
    ],
)
@pytest.mark.usefixtures("in_kathmandu")
def test_a_moment_is_of_its_zone_or_of_that_of_this_host(
    text: str, expected: tuple[float, ...]
) -> None:
    assert transaction_at(text) == TimeStamp(*expected).raw()


def test_a_transaction_id_is_taken_as_it_is() -> None:
    assert transaction_at("0x040d2f88e12fdfbb").hex() == "040d2f88e12fdfbb"
    assert "040d2f88e12fdfbb" in shown(transaction_at("040d2f88e12fdfbb"))


@pytest.mark.parametrize(
    "text",
    ["", "zzz", "2026-11-22", "2026-11-22T14:30:00 CET", "2026-02-30T00:00:00Z", "now", "040d2f88"],
)
def test_facts_r13_what_is_no_moment_is_an_error_and_not_the_newest(text: str) -> None:
    with pytest.raises(PointInTimeError, match="is not a moment"):
        transaction_at(text)


@pytest.mark.parametrize(
    ("text", "highest"),
    [("9999-12-31T23:59:59Z", True), ("9917-01-01T00:00:00Z", True), ("0001-01-01T00:00Z", False)],
)
def test_a_moment_of_which_no_transaction_can_be_is_after_all_or_before_all(
    text: str, highest: bool
) -> None:
    for year in (1901, 1982, 2026, 5000, 9916):
        tid = transaction_at(f"{year}-06-01T00:00:00Z")
        assert (transaction_at(text) > tid) == highest
    assert shown(transaction_at(text))


def test_the_stamp_of_a_backup_is_taken_as_it_is() -> None:
    assert wanted("2026-11-29-19-27-38") == "2026-11-29-19-27-38"
    assert wanted("2026-11-29T19:27:38Z") == transaction_at("2026-11-29T19:27:38Z")
    with pytest.raises(PointInTimeError, match="the stamp of a backup"):
        wanted("2026-13-29-19-27-38")
