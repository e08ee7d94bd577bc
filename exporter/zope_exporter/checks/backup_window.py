"""When a backup, or a pack that keeps it waiting, takes longer than there is time for it.

How long the past ones took tells more of it than the size of the database does: blobs, the disk of
the repository and the proof of what was made take their time too.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import combinations, pairwise
from math import sqrt
from statistics import median
from typing import NamedTuple

from zope_exporter.config.actions import BACKUP, PACK
from zope_exporter.maintenance.jobs.job import Facts, Job, Task
from zope_exporter.system.humanize import duration, size
from zope_exporter.system.state import StateError

from .advice import DAY, HORIZON, WEEK, Advice, Pace

LEAST = 5  # runs of one kind: of fewer, chance makes a trend too often
LAST = 30  # what was before them is of another disk or another database
LOOKED_AT = 200
SURE = 1.645  # standard deviations: once in twenty times chance alone looks so

Succeeded = Callable[[Task, int], Sequence[Job]]
"""Returns the newest jobs of a task that succeeded, the newest first."""


class Run(NamedTuple):
    """When a job began, in seconds since the epoch, and how many seconds it took."""

    begun: float
    took: float


class Trend(NamedTuple):
    """How many seconds a run takes now, and how many more with each second that passes."""

    took: float
    rate: float

    def reaches(self, most: float) -> float:
        """Return in how many seconds a run takes longer than that, 0 if it does already."""
        return max(0.0, (most - self.took) / self.rate)


class Room(NamedTuple):
    """For how many seconds a run may last; `text` says what that is, `evidence` by what."""

    seconds: float
    text: str
    evidence: str = ""


def trend_of(runs: Sequence[Run], now: float) -> Trend | None:
    """Return how runs become longer, None where they do not, or where it may be chance.

    The slope is that of Theil and Sen, the median of all pairs, which one run that had to wait does
    not move; whether it is chance, the test of Mann and Kendall tells.
    """
    count, begins = len(runs), [run.begun for run in runs]
    if count < LEAST or max(begins) - min(begins) < WEEK:
        return None
    pairs = [(b.begun - a.begun, b.took - a.took) for a, b in combinations(sorted(runs), 2)]
    longer = sum((more > 0) - (more < 0) for _, more in pairs)
    if longer - 1 < SURE * sqrt(count * (count - 1) * (2 * count + 5) / 18):
        return None
    rate = median(more / apart for apart, more in pairs if apart > 0)
    if rate <= 0:
        return None
    return Trend(median(run.took + rate * (now - run.begun) for run in runs), rate)


def advise_window(
    site: str,
    database: str,
    succeeded: Succeeded,
    max_age: float | None,
    pace: Pace | None,
    now: float,
) -> Iterator[Advice]:
    """Yield when a backup, and when a pack, takes longer than there is time for it.

    `max_age` is how long a commit may be without a backup, in seconds. Nothing is said of backups
    that do not go on at their interval: others say that they are missing.
    """
    backups = _runs(succeeded, Task(site, database, BACKUP))
    packs = _runs(succeeded, Task(site, database, PACK))
    every = _interval([run for runs in backups.values() for run in runs], now)
    if every is None:
        return
    typical = median(run.took for runs in backups.values() for run in runs)
    between = Room(every - typical, "the time between two backups")
    for what, kinds, room in (
        ("backup", backups, _room(every, max_age)),
        ("pack", packs, between),
    ):
        trends = [(kind, trend_of(runs, now)) for kind, runs in kinds.items()]
        found = [_Forecast(what, kind, kinds[kind], trend, room) for kind, trend in trends if trend]
        first = min(found, key=lambda each: each.left, default=None)
        if first is not None and room.seconds > 0 and first.left < HORIZON:
            yield _advice(site, database, first, every, pace)


class _Forecast(NamedTuple):
    what: str
    kind: str
    runs: Sequence[Run]
    trend: Trend
    room: Room

    @property
    def left(self) -> float:
        return self.trend.reaches(self.room.seconds)


def _advice(site: str, database: str, found: _Forecast, every: float, pace: Pace | None) -> Advice:
    what, kind, runs, trend, room = found
    spans, begins = [run.took for run in runs], [run.begun for run in runs]
    span = max(begins) - min(begins)
    when = f"in {duration(found.left)} a {what} takes" if found.left else f"a {what} takes"
    text = f"{when} longer than {room.text}, {duration(room.seconds)}"
    evidence = (
        f"the last {len(runs)} {kind} within {duration(span)} took {duration(min(spans))} to"
        f" {duration(max(spans))}, {duration(trend.rate * WEEK)} more each week; a backup begins"
        f" every {_hours(every)}{room.evidence}"
    )
    if pace is not None:
        evidence += f"; {size(pace.written)} were written in the last {duration(pace.seconds)}"
    facts = {
        "runs": len(runs),
        "span_seconds": span,
        "takes_seconds": trend.took,
        "more_seconds_per_day": trend.rate * DAY,
        "interval_seconds": every,
        "room_seconds": room.seconds,
        "too_long_in_seconds": found.left,
    }
    remedy = "allow it more time, or a faster disk"
    return Advice(site, database, f"{text}: {remedy}", evidence, facts)


def _runs(succeeded: Succeeded, task: Task) -> dict[str, list[Run]]:
    """Return the last runs of each kind: a full backup takes longer than an incremental one."""
    kinds: dict[str, list[Run]] = {}
    with suppress(StateError):  # then nothing is known, and nothing said
        for job in succeeded(task, LOOKED_AT):
            runs = kinds.setdefault(_kind(task.action, job.result), [])
            if job.begun is not None and job.ended is not None and len(runs) < LAST:
                runs.append(Run(job.begun, max(job.ended - job.begun, 0.0)))
    return kinds


def _kind(action: str, result: Facts) -> str:
    if action == PACK:
        way = result.get("way")
        return f"packs through {way}" if way else "packs"
    kind = f"{result['kind']} backups" if result.get("kind") else "backups"
    return f"{kind} proven by {result['verified']}" if result.get("verified") else kind


def _interval(runs: Sequence[Run], now: float) -> float | None:
    """Return how far apart backups begin, None of too few, or where none began when one should."""
    begins = sorted(run.begun for run in runs)[-LAST:]
    gaps = [after - before for before, after in pairwise(begins)]
    if len(gaps) < LEAST - 1:
        return None
    every = median(gaps)
    return every if every > 0 and now - begins[-1] < 2 * every else None


def _room(every: float, max_age: float | None) -> Room:
    """Return how long a backup may last.

    What is committed when one has just begun is in the next one alone: that has to end before the
    commit is `max_age` old, and before the one after it is to begin.
    """
    if max_age is None or not every < max_age < 2 * every:
        return Room(every, "the time until the next one begins")
    evidence = f", and a commit may be without one for {_hours(max_age)}"
    return Room(max_age - every, "what max_age leaves for it", evidence)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.3g} h"  # a day and 26 hours are to be told apart
