"""Sums of requests by view, in memory that stays the same however many views there are."""

from __future__ import absolute_import

import collections
import time

from Products.ZopeExporterAgent.parts import text

OTHER = "other"
NONE = "none"  # not found, refused, or answered by something before ZPublisher
MOST = 50  # views of a span of time
NAMED = 10  # views with counters of their own
CLEARLY = 2  # so many times the time of another one takes its place
LONGEST = 200  # letters of a name
MINUTES = 600
HOUR = 3600
_SECONDS = 1  # where the time is in a row

FIELDS = ["requests", "seconds", "loads", "conflicts", "errors", "load_seconds"]


class ViewSums(object):
    """Of the last hour and the last day, and since the start of a few views by name.

    `load_seconds` are told only while `are_loads_timed`.
    """

    def __init__(self, clock=time.time):
        self.are_loads_timed = False
        self._clock = clock
        self._hour = Slices(MINUTES, HOUR // MINUTES)
        self._day = Slices(HOUR, 24)
        self._named = NamedViews()
        self._election = None
        self._new = Sums()

    def add(self, view, row):
        """Take a request, a number for each of FIELDS, to be counted soon."""
        self._new.add(view or NONE, row)

    def count(self):
        """Count all that were taken as requests of this moment."""
        now = self._clock()
        if self._election is None:
            self._election = now + MINUTES
        elif not 0 < self._election - now <= HOUR:  # or the clock was set back
            self._election = now + HOUR
            self._named.elect(self._last_hour(now))
        for view, row in self._new.rows.items():
            name = text(view)[:LONGEST]
            for sums in (self._hour, self._day):
                sums.add(now, name, row)
            self._named.add(name, row)
        self._new = Sums()

    def status(self):
        """What /v1/status says; the last hour begins up to ten minutes earlier."""
        hour = self._last_hour(self._clock())
        hour.cut(NAMED)
        total, of_hour = self._told(self._named.rows()), self._told(hour.rows)
        return {"fields": self._fields(), "total": total, "hour": of_hour}

    def slices(self):
        """What /v1/views says."""
        now = self._clock()
        slices = self._hour.since(now - HOUR) + self._day.since(now - 24 * HOUR)
        return {
            "fields": self._fields(),
            "slices": [
                {"start": start, "seconds": seconds, "views": self._told(sums.top(MOST))}
                for start, seconds, sums in slices
            ],
        }

    def _fields(self):
        return FIELDS if self.are_loads_timed else FIELDS[:-1]

    def _told(self, rows):
        most = len(self._fields())
        return {name: row[:most] for name, row in rows.items()}

    def _last_hour(self, now):
        found = Sums()
        for _, _, sums in self._hour.since(now - HOUR):
            for name, row in sums.rows.items():
                found.add(name, row)
        return found


class Sums(object):
    """Rows of sums by name; of too many names those with the least time become OTHER."""

    def __init__(self):
        self.rows = {}

    def add(self, name, row):
        sums = self.rows.get(name)
        if sums is not None:
            _add(sums, row)
            return
        if len(self.rows) >= 8 * MOST:
            self.cut(4 * MOST)
        self.rows[name] = list(row)

    def cut(self, most):
        """Keep so many, and OTHER."""
        self.rows = self.top(most)

    def top(self, most):
        """The rows of so many names, and OTHER."""
        names = sorted(self.rows, key=lambda name: (-self.rows[name][_SECONDS], name))
        names = [name for name in names if name != OTHER]
        found = {name: self.rows[name] for name in names[:most]}
        rest = [self.rows[name] for name in names[most:]]
        if OTHER in self.rows or rest:
            other = found[OTHER] = list(self.rows.get(OTHER) or [0] * len(FIELDS))
            for row in rest:
                _add(other, row)
        return found


class Slices(object):
    """Sums of spans of time that follow one another; the last `most` and the one that goes on."""

    def __init__(self, seconds, most):
        self._seconds = seconds
        self._kept = collections.deque(maxlen=most + 1)

    def add(self, now, name, row):
        start = now - now % self._seconds
        if self._kept and start < self._kept[-1][0] - self._seconds:
            self._kept.clear()  # the clock was wrong
        # One that is set back a little begins nothing.
        if not self._kept or start > self._kept[-1][0]:
            if self._kept:
                self._kept[-1][2].cut(MOST)
            self._kept.append((start, self._seconds, Sums()))
        self._kept[-1][2].add(name, row)

    def since(self, moment):
        """Start, length and sums of those that had not ended by then, the oldest first."""
        return [each for each in self._kept if each[0] + self._seconds > moment]


class NamedViews(object):
    """Counters since the start: of a few names, and of all that came while it had none as OTHER.

    Names change in elections only, except that a free place is taken at once. A name that loses
    its place takes its counter with it, and one that comes begins at 0: none ever goes back.
    """

    def __init__(self):
        self._rows = {OTHER: [0] * len(FIELDS)}

    def add(self, name, row):
        if name not in self._rows and len(self._rows) <= NAMED:
            self._rows[name] = [0] * len(FIELDS)
        _add(self._rows.get(name) or self._rows[OTHER], row)

    def elect(self, recent):
        """Give places to those that took clearly more time of late than those that have them."""

        if len(self._rows) <= NAMED:
            return

        def seconds(name):
            return recent.rows[name][_SECONDS] if name in recent.rows else 0

        for name in sorted(recent.rows, key=lambda name: (-seconds(name), name)):
            if name in self._rows:
                continue
            least = min((n for n in self._rows if n != OTHER), key=lambda n: (seconds(n), n))
            if seconds(name) <= CLEARLY * seconds(least):
                break
            del self._rows[least]
            self._rows[name] = [0] * len(FIELDS)

    def rows(self):
        return self._rows


def _add(sums, row):
    for index, number in enumerate(row):
        sums[index] += number
