"""A scrape must not be looked through for garbage while it is made."""

import gc
from collections.abc import Iterator

import pytest

from zope_exporter.system.garbage import FEW_OBJECTS, collect_seldom


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_a_large_scrape_is_made_without_a_look_at_it() -> None:
    looked: list[str] = []
    samples = 73_000
    collect_seldom(samples)
    gc.collect()
    gc.callbacks.append(lambda phase, _: looked.append(phase))
    try:
        made = [(("site", str(number)), float(number)) for number in range(samples)]
    finally:
        gc.callbacks.pop()
    assert len(made) == samples
    assert looked == []


def test_that_of_a_single_site_lets_it_grow_no_further_than_usual() -> None:
    collect_seldom(244)
    assert gc.get_threshold()[0] == FEW_OBJECTS
