"""The Plone sites of a database whose records have to be asked of somebody, a few at a time."""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from .followed_sites import PloneSites
from .pickle_values import LARGEST_STATE, Ref, state_of
from .plone_sites import FOLDERS, SITE, TOOL, TREE, VERSIONS, find_plone_sites
from .records import unpacked

MOST_AT_ONCE = 50

Fetch = Callable[[Sequence[int]], Mapping[int, bytes]]
"""Returns the data of the current records of objects, without those that are not to be had."""


def fetched_sites(fetch: Fetch) -> PloneSites | None:
    """Return the sites, None if the root or a folder cannot be read; raises what `fetch` does."""
    try:
        return find_plone_sites(_Fetched(fetch).read)
    except (LookupError, ValueError, zlib.error):
        return None


class _Fetched:
    """Asks for what will be read next together with what is read now: each time costs a way."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._records: dict[int, bytes] = {}
        self._asked: set[int] = set()
        self._likely: set[int] = set()

    def read(self, oid: int) -> bytes:
        """Return the data of a record; raises LookupError or zlib.error."""
        if oid not in self._records:
            wanted = [oid, *sorted(self._likely - self._asked - {oid})][:MOST_AT_ONCE]
            self._asked.update(wanted)
            found = self._fetch(wanted)
            self._records.update(found)
            for data in found.values():
                self._likely.update(_leads_to(data))
        return unpacked(self._records.pop(oid), LARGEST_STATE)


def _leads_to(data: bytes) -> Iterator[int]:
    try:
        state = state_of(unpacked(data, LARGEST_STATE))
    except (ValueError, zlib.error):
        return
    for name, value in state.items() if isinstance(state, dict) else ():
        if isinstance(value, Ref) and (
            name in (TOOL, TREE, VERSIONS) or value.class_name in (*FOLDERS, SITE)
        ):
            yield value.oid
