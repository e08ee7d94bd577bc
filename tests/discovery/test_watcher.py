import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from zope_exporter.discovery.inventory import Inventory, Site
from zope_exporter.discovery.looking import Looking
from zope_exporter.discovery.watcher import SearchError, Watcher

LONG = 30.0


@contextmanager
def watching(search: Callable[[], Inventory], interval: float = LONG) -> Iterator[Watcher]:
    watcher = Watcher(search, interval=interval, patience=LONG, clock=lambda: 1234.5)
    try:
        yield watcher
    finally:
        watcher.stop()


class Searches:
    """A search that gives its number for the name of a site, and can be held up."""

    def __init__(self) -> None:
        self.number = 0
        self.error: Exception | None = None
        self.go_on = threading.Event()
        self.go_on.set()
        self.entered = threading.Semaphore(0)

    def __call__(self) -> Inventory:
        self.number += 1
        found = Inventory((Site(str(self.number)),))
        self.entered.release()
        assert self.go_on.wait(LONG)
        if self.error:
            raise self.error
        return found


def number(inventory: Inventory) -> str:
    return inventory.sites[0].name


def asked_meanwhile(searches: Searches, ask: Callable[[], Inventory]) -> Inventory:
    """What is answered to whoever has begun to ask while a search is held up."""
    answers: list[Inventory] = []
    caller = threading.Thread(target=lambda: answers.append(ask()))
    caller.start()
    searches.go_on.set()
    caller.join(LONG)
    (answer,) = answers
    return answer


def test_the_first_call_waits_for_the_first_search() -> None:
    searches = Searches()
    searches.go_on.clear()
    with watching(searches) as watcher:
        answers: list[Inventory] = []
        caller = threading.Thread(target=lambda: answers.append(watcher.inventory()))
        caller.start()
        assert searches.entered.acquire(timeout=LONG)
        searches.go_on.set()
        caller.join(LONG)
        assert [number(answer) for answer in answers] == ["1"]


def test_the_last_success_is_the_start_until_there_is_one() -> None:
    """Else no alert had anything to compare while the first search hangs."""
    searches = Searches()
    searches.go_on.clear()
    moments = itertools.count(1000.0, 100.0)
    watcher = Watcher(searches, clock=lambda: next(moments), interval=LONG)
    assert searches.entered.acquire(timeout=LONG)
    assert watcher.last_success == 1000.0
    searches.go_on.set()
    watcher.inventory()
    after = watcher.last_success
    assert after > 1000.0
    searches.error = OSError("no /proc")
    with pytest.raises(SearchError):
        watcher.rescan(LONG)
    assert watcher.last_success == after
    watcher.stop()


def test_a_search_that_takes_too_long_is_told_with_what_it_looks_at() -> None:
    searches, looking = Searches(), Looking()
    searches.go_on.clear()
    looking("/srv/shop/etc/zope.conf")
    watcher = Watcher(searches, interval=LONG, clock=lambda: 1234.5, looking=looking)
    assert searches.entered.acquire(timeout=LONG)
    watcher.check(longest=LONG)
    told = (
        "the search of this host that began at 1970-01-01 00:20:34 UTC has not ended yet: it looks"
        " at /srv/shop/etc/zope.conf; if that hangs, repair its file system or end its process"
    )
    with pytest.raises(SearchError) as raised:
        watcher.check(longest=0.0)
    assert str(raised.value) == told
    searches.go_on.set()
    watcher.inventory()
    watcher.check(longest=0.0)
    # And a later one just as well.
    searches.go_on.clear()
    with pytest.raises(TimeoutError):
        watcher.rescan(0.0)
    assert searches.entered.acquire(timeout=LONG)
    with pytest.raises(SearchError, match=r"has not ended yet: it looks at /srv"):
        watcher.check(longest=0.0)
    searches.go_on.set()
    watcher.stop()


def test_a_search_that_hangs_keeps_nobody_waiting() -> None:
    searches = Searches()
    searches.go_on.clear()
    watcher = Watcher(searches, patience=0.0)
    assert watcher.inventory().problems == ("the first search of this host has not ended yet",)
    with pytest.raises(TimeoutError, match="did not end within"):
        watcher.rescan(0.01)
    watcher.stop(timeout=0.0)
    searches.go_on.set()


def test_who_has_just_begun_is_given_the_first_search() -> None:
    searches = Searches()
    searches.go_on.clear()
    with watching(searches) as watcher:
        assert searches.entered.acquire(timeout=LONG)
        assert number(asked_meanwhile(searches, lambda: watcher.first(LONG))) == "1"


def test_a_rescan_starts_after_the_call_even_while_one_is_running() -> None:
    searches = Searches()
    searches.go_on.clear()
    with watching(searches) as watcher:
        assert searches.entered.acquire(timeout=LONG)
        assert int(number(asked_meanwhile(searches, lambda: watcher.rescan(LONG)))) >= 2
        before = int(number(watcher.inventory()))
        assert int(number(watcher.rescan(LONG))) > before


def test_searches_go_on_by_themselves() -> None:
    searches = Searches()
    with watching(searches, interval=0.0):
        for _ in range(3):
            assert searches.entered.acquire(timeout=LONG)


def test_a_failed_search_leaves_the_last_inventory_and_the_next_one_mends_it() -> None:
    searches = Searches()
    with watching(searches) as watcher:
        assert number(watcher.inventory()) == "1"
        searches.error = OSError("no /proc")
        with pytest.raises(SearchError, match="no /proc"):
            watcher.rescan(LONG)
        assert number(watcher.inventory()) == "1"
        with pytest.raises(SearchError, match="no /proc"):
            watcher.check(LONG)
        searches.error = None
        assert number(watcher.rescan(LONG)) == "3"
        watcher.check(LONG)


def test_a_first_search_that_fails_is_a_problem() -> None:
    searches = Searches()
    searches.error = OSError("no /proc")
    with watching(searches) as watcher:
        assert watcher.inventory().problems == ("the first search of this host failed: no /proc",)


def test_after_the_end_nothing_is_searched() -> None:
    with watching(Searches()) as watcher:
        watcher.inventory()
        watcher.stop()
        with pytest.raises(TimeoutError):
            watcher.rescan(0.0)
