"""What an agent tells of requests by view: class and name of what they asked for."""

from collections.abc import Iterable, Mapping
from operator import add
from typing import NamedTuple

from .answer import Answer, Step

OTHER = "other"
"""All views without a row of their own."""
NONE = "none"
"""Requests that were answered before a view was found."""
TIMING_LOADS = "/docs/agent#how-long-loads-take"
"""Where the exporter's documentation says how to have loads timed."""
_LONGEST = 200
_MOST_FIELDS = 50
_MOST_VIEWS = 100
_OPTIONAL = "load_seconds"


class Sums(NamedTuple):
    """What the requests for a view did.

    `seconds` until their answers had been given; `loads` are objects loaded from ZODB; `conflicts`
    tries that ended in one. `load_seconds` of those `seconds` were spent in loads; None where not
    all storages of a Zope are timed.
    """

    requests: float = 0
    seconds: float = 0
    loads: float = 0
    conflicts: float = 0
    errors: float = 0
    load_seconds: float | None = None

    def plus(self, other: "Sums") -> "Sums":
        """Both together; the time in loads only where both know it."""
        ours, others = self.load_seconds, other.load_seconds
        both = None if ours is None or others is None else ours + others
        return Sums(*map(add, self[:-1], other[:-1]))._replace(load_seconds=both)


class Slice(NamedTuple):
    """A span of time, from `start` in seconds since the epoch."""

    start: float
    seconds: float
    views: Mapping[str, Sums]


def merged(several: Iterable[Mapping[str, Sums]]) -> dict[str, Sums]:
    """All together, by view."""
    found: dict[str, Sums] = {}
    for views in several:
        for name, sums in views.items():
            found[name] = sums.plus(found[name]) if name in found else sums
    return found


def ranked(views: Mapping[str, Sums], most: int) -> dict[str, Sums]:
    """So many views, the one with the most time first, and what is left of them last as OTHER."""
    order = sorted(views, key=lambda name: (-views[name].seconds, name))
    named = [name for name in order if name != OTHER]
    kept = [{name: views[name]} for name in named[:most]]
    rest = [{OTHER: views[name]} for name in (*named[most:], *(views.keys() & {OTHER}))]
    return merged([*kept, *rest])


def slices(answer: Answer) -> list[Slice]:
    """All slices of an answer; what is wrong in it is in its problems."""
    found = []
    for index in range(answer.length("slices") or 0):
        of = "slices", index
        start, seconds = answer.number(*of, "start"), answer.number(*of, "seconds")
        if start is not None and seconds is not None:
            found.append(Slice(start, seconds, views_at(answer, ("fields",), (*of, "views"))))
    return found


def views_at(answer: Answer, fields: tuple[Step, ...], place: tuple[Step, ...]) -> dict[str, Sums]:
    """The sums by view in a place of an answer; at `fields` are the names of their numbers."""
    length = min(answer.length(*fields) or 0, _MOST_FIELDS)
    names = [answer.text(*fields, index) or "" for index in range(length)]
    views = []
    for view in answer.keys(*place)[:_MOST_VIEWS]:
        numbers = answer.numbers(*place, view)
        if numbers is None:
            continue
        row = dict(zip(names, numbers, strict=False))
        if len(numbers) != length or not {*Sums._fields} - {_OPTIONAL} <= row.keys():
            answer.doubt("views have numbers that do not fit")
            continue
        sums = Sums(**{field: row[field] for field in Sums._fields if field in row})
        views.append({view if _can_be(view) else OTHER: sums})
    return merged(views)


def _can_be(view: str) -> bool:
    return 0 < len(view) <= _LONGEST and view.isprintable()
