import pytest

from zope_exporter.web.scrape_limit import ScrapeLimit


def refused(limit: ScrapeLimit) -> float:
    (sample,) = limit.collect()
    return sample.value


def test_places_come_back_also_after_an_error() -> None:
    limit = ScrapeLimit(1)
    with pytest.raises(KeyError), limit.slot():
        raise KeyError
    with limit.slot() as free:
        assert free
    assert refused(limit) == 0


def test_one_too_many_is_counted_and_takes_no_place() -> None:
    limit = ScrapeLimit(1)
    with limit.slot():
        with limit.slot() as free:
            assert not free
        with limit.slot() as free:
            assert not free
    assert refused(limit) == 2
    with limit.slot() as free:
        assert free
