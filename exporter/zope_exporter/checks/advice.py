"""What to set differently, and what to expect: each with the numbers that say so, or not at all."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from zope_exporter.alerting.thresholds import Limits
from zope_exporter.collectors import datafs, filestorage
from zope_exporter.collectors.agent.databases import CACHE_SIZE, CLOSES, LOADS, POOL_SIZE
from zope_exporter.discovery.inventory import Service
from zope_exporter.maintenance.pack.preconditions import first_tid
from zope_exporter.maintenance.pack.target import HEADROOM
from zope_exporter.metrics.values import Values
from zope_exporter.storage.filestorage.datafile import FileStorageError
from zope_exporter.storage.filestorage.format import time_of
from zope_exporter.storage.filestorage.growth import growth_of
from zope_exporter.system.humanize import duration, size

from .zope import caches_of, small_pools

DAY = 86400.0
WEEK = 7 * DAY
HORIZON = 365 * DAY


class Advice(NamedTuple):
    """What to do or to expect; `evidence` says the numbers that it is from, `facts` are these."""

    site: str
    subject: str
    text: str
    evidence: str
    facts: Mapping[str, float | None]


class Pace(NamedTuple):
    """How fast a Data.fs grows: bytes written in how many seconds, more if it was packed since."""

    written: int
    seconds: float
    packed: bool = False


def advise_zope(site: str, service: Service, values: Values, limits: Limits) -> Iterator[Advice]:
    """Yield what to set differently in a Zope."""
    for database, pool, threads in small_pools(site, service, values):
        yield Advice(
            site,
            service.name,
            f"raise pool-size of database {database} to {threads:.0f}: connections beyond it are"
            " closed, and what is in their caches is lost",
            f"pool-size {pool:.0f}, {threads:.0f} worker threads",
            {"pool_size": pool, "threads": threads},
        )
    for labels in values.labels(POOL_SIZE, site, service.name):
        yield from _cache(site, service.name, labels["database"], values, limits)


def _cache(site: str, zope: str, database: str, values: Values, limits: Limits) -> Iterator[Advice]:
    of = site, zope, database
    caches, loads, closes = caches_of(values, *of), values.get(LOADS, *of), values.get(CLOSES, *of)
    if caches is None or loads is None or not closes or not caches.are_full(limits):
        return
    ratio, objects = loads / closes, values.get(datafs.OBJECTS, site, database)
    better = min(2 * caches.target, objects or 2 * caches.target)
    if ratio <= limits.loads_per_request or better <= caches.target:
        return
    taken = values.get(CACHE_SIZE, *of)
    each = taken / caches.active if taken else None
    more = each * (better - caches.target) * caches.connections if each else None
    cost = f"it takes about {size(more)} more memory" if more else "how much memory is not known"
    yield Advice(
        site,
        zope,
        f"try cache-size {better:.0f} for database {database}: {cost}",
        f"{ratio:.0f} objects are loaded per request since its start by a cache-size of"
        f" {caches.target:.0f}, and the caches of {caches.connections:.0f} connections have"
        f" {caches.active:.0f} objects, of {caches.room:.0f} that fit",
        {
            "loads_per_request": ratio,
            "cache_size": caches.target,
            "active_objects": caches.active,
            "connections": caches.connections,
            "recommended_cache_size": better,
            "memory_bytes": more,
        },
    )


def pace_of(data_fs: Path, now: float) -> Pace | None:
    """Return how fast a Data.fs has grown within a week, None of one of less than a day."""
    try:
        first = first_tid(data_fs)
        if first is None:
            return None
        span = min(now - time_of(first.to_bytes(8, "big")), WEEK)
        if span < DAY:
            return None
        growth = growth_of(data_fs, (), span, now)
        return Pace(growth.bytes, span, growth.packed > 0)
    except FileStorageError:
        return None


def advise_storage(site: str, database: str, values: Values, pace: Pace | None) -> Iterator[Advice]:
    """Yield when the disk of a Data.fs is full, and when a pack no longer fits, at its pace."""
    of = site, database
    used, free = values.get(filestorage.SIZE, *of), values.get(filestorage.AVAILABLE, *of)
    if pace is None or pace.written <= 0 or used is None or free is None:
        return
    rate = pace.written / pace.seconds
    old = values.get(filestorage.OLD_SIZE, *of) or 0.0
    least = "at least " if pace.packed else ""
    grown = f"{least}{size(pace.written)} were written in the last {duration(pace.seconds)}"
    facts = {"written_bytes": pace.written, "seconds": pace.seconds, "free_bytes": free}
    if free / rate < HORIZON:
        text = f"its disk is full in {duration(free / rate)} by what is written to it alone"
        known = {**facts, "full_in_seconds": free / rate}
        yield Advice(site, database, text, f"{grown}, {size(free)} are free", known)
    # While the file grows, a pack needs more, and has less.
    left = (free + old - used - HEADROOM) / (2 * rate)
    if left < HORIZON:
        text = "a pack does not fit any more" if left <= 0 else f"in {duration(left)} no pack fits"
        need = f"a pack needs {size(used + HEADROOM)} of {size(free + old)} beside it"
        known = {**facts, "data_bytes": used, "no_pack_in_seconds": max(left, 0.0)}
        yield Advice(
            site, database, f"{text}: pack before, or make room", f"{need}, {grown}", known
        )
