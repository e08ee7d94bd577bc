"""Transaction ids as times, held against ZODB's own."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from persistent.TimeStamp import TimeStamp

from zope_exporter.storage.filestorage.format import tid_at, time_of


@given(st.binary(min_size=8, max_size=8))
def test_any_id_is_the_time_that_zodb_takes_it_for(tid: bytes) -> None:
    assert time_of(tid) == pytest.approx(TimeStamp(tid).timeTime(), abs=1e-4)


@given(
    st.integers(0, 7_000_000_000_000_000).map(
        lambda us: datetime.fromtimestamp(us / 1e6, timezone.utc)
    )
)
def test_a_moment_comes_back(moment: datetime) -> None:
    seconds = moment.second + moment.microsecond / 1e6
    tid = TimeStamp(*moment.timetuple()[:5], seconds).raw()
    assert time_of(tid) == pytest.approx(moment.timestamp(), abs=1e-6)
    assert tid_at(moment.timestamp()) == pytest.approx(int.from_bytes(tid, "big"), abs=1 << 16)


@pytest.mark.parametrize("tid", [b"", b"1234567", b"123456789"])
def test_of_another_length(tid: bytes) -> None:
    with pytest.raises(ValueError, match=f"a transaction id of {len(tid)} bytes"):
        time_of(tid)


@pytest.mark.parametrize("moment", [-1e18, 1e18, float("inf"), float("nan")])
def test_before_and_after_all_times(moment: float) -> None:
    assert tid_at(moment) == 0
