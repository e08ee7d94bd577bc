"""What there is to say of a Zope: by its agent, or by its management pages where it has none."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from zope_exporter.alerting.thresholds import Limits
from zope_exporter.clients.agent.diagnosis import Absence, outdated_remedy
from zope_exporter.clients.agent.views import TIMING_LOADS
from zope_exporter.collectors import agent, zmi
from zope_exporter.collectors.agent.databases import (
    CACHE_OBJECTS,
    CACHE_TARGET,
    CONNECTIONS,
    LEAKED,
    POOL_SIZE,
)
from zope_exporter.collectors.agent.instance import BUSY, INFO, THREADS
from zope_exporter.collectors.agent.views import LOAD_SECONDS as VIEW_LOAD_SECONDS
from zope_exporter.discovery.inventory import Service
from zope_exporter.metrics.values import Values

from .finding import Finding, Severity

_FROM_ZMI = "(from the ZMI, without agent)"


def judge_agent(
    site: str, service: Service, values: Values, why_absent: Callable[[Service], Absence]
) -> Iterator[Finding]:
    """Say whether a running Zope has an agent that is in order, and why not."""
    up = values.get(agent.UP, site, service.name)
    if up is None:
        absence = why_absent(service)
        severity = Severity.WARNING if absence.is_installed else Severity.OK
        yield Finding(severity, site, service.name, f"no agent: {absence.reason}")
    elif up:
        for of in values.labels(INFO, site, service.name):
            version = of["agent_version"] or "of unknown version"
            outdated = outdated_remedy(version)
            severity = Severity.WARNING if outdated else Severity.OK
            runs = f"agent {version} in Zope {of['zope_version']}"
            text = f"{runs}: {outdated}" if outdated else f"{runs} answers"
            if not outdated and values.total(VIEW_LOAD_SECONDS, site, service.name) is None:
                text += f", loads are not timed (see {TIMING_LOADS})"
            yield Finding(severity, site, service.name, text)


def judge_storages(site: str, service: Service) -> Iterator[Finding]:
    """Name each database of which nothing is known but that it is there."""
    for database in service.databases:
        if database.kind == "other":
            kind = f" of the kind {database.section}" if database.section else ""
            text = f"database {database.name} is on a storage{kind} that is not known here"
            remedy = "its size, its packs and its backups are not watched here"
            yield Finding(Severity.WARNING, site, service.name, f"{text}: {remedy}")


def judge_workers(site: str, service: Service, values: Values, limits: Limits) -> Iterator[Finding]:
    """Say so when most worker threads are busy, or every one: whoever comes then has to wait."""
    threads = values.get(THREADS, site, service.name) or 0
    busy = values.get(BUSY, site, service.name) or 0
    severity = workers_severity(busy, threads, limits)
    if severity is Severity.CRITICAL:
        text = f"all {threads:.0f} worker threads are busy: visitors wait"
        yield Finding(severity, site, service.name, text)
    elif severity:
        text = f"{busy:.0f} of {threads:.0f} worker threads are busy"
        yield Finding(severity, site, service.name, text)


def workers_severity(busy: float, threads: float, limits: Limits) -> Severity:
    """Return what the alert ZopeWorkersSaturated would say if it stayed so."""
    if threads and busy >= threads:
        return Severity.CRITICAL
    return Severity.WARNING if busy > limits.workers_busy * threads else Severity.OK


def judge_databases(
    site: str, service: Service, values: Values, limits: Limits
) -> Iterator[Finding]:
    """Set pools against threads and connections, and caches against their targets.

    Of a Zope without an agent, what its configuration says of pools is all that is known.
    """
    for labels in values.labels(POOL_SIZE, site, service.name):
        of = site, service.name, labels["database"]
        facts = [*_connections(values, *of), *_cache(values, limits, *of)]
        text = f"database {labels['database']}: {', '.join(facts)}"
        yield Finding(Severity.OK, site, service.name, text)
        for severity, text in _exhausted(values, limits, *of):
            yield Finding(severity, site, service.name, f"database {labels['database']}: {text}")
    for name, size, threads in small_pools(site, service, values):
        text = f"database {name}: pool-size {size:.0f} is less than {threads:.0f} threads"
        yield Finding(Severity.WARNING, site, service.name, f"{text} (raise pool-size)")


def small_pools(site: str, service: Service, values: Values) -> Iterator[tuple[str, float, float]]:
    """Yield each database whose pool is smaller than the number of threads, and both of these."""
    threads = values.get(THREADS, site, service.name) or service.threads or 0
    pools: dict[str, float] = {each.name: each.pool_size for each in service.databases}
    for labels in values.labels(POOL_SIZE, site, service.name):
        name = labels["database"]
        pools[name] = values.get(POOL_SIZE, site, service.name, name) or 0
    for name, size in pools.items():
        if size < threads:
            yield name, size, threads


def _connections(values: Values, *of: str) -> Iterator[str]:
    in_use = values.get(CONNECTIONS, *of, "in_use") or 0
    yield f"{in_use:.0f} of {values.get(POOL_SIZE, *of):.0f} connections in use"


def _exhausted(values: Values, limits: Limits, *of: str) -> Iterator[tuple[Severity, str]]:
    in_use, pool_size = values.get(CONNECTIONS, *of, "in_use"), values.get(POOL_SIZE, *of)
    if in_use is not None and pool_size is not None and in_use > pool_size:
        far = in_use > limits.connections_critical * pool_size
        text = f"{in_use:.0f} connections are in use, more than the {pool_size:.0f} of its pool"
        remedy = "see which requests run, and raise pool-size"
        yield Severity.CRITICAL if far else Severity.WARNING, f"{text} ({remedy})"
    leaked = values.get(LEAKED, *of)
    if leaked:
        text = f"{leaked:.0f} connections leaked: no running request has opened them"
        yield (
            Severity.WARNING,
            f"{text} (the runbook ZopeConnectionsLeaked explains how to find the reason)",
        )


class Caches(NamedTuple):
    """The caches of all connections: `active` objects in all, of which each is to have `target`."""

    active: float
    target: float
    connections: float

    @property
    def room(self) -> float:
        return self.target * self.connections

    def are_full(self, limits: Limits) -> bool:
        """Tell what the alert ZopeCacheTooSmall takes for full."""
        return self.active >= limits.cache_full * self.room


def caches_of(values: Values, *of: str) -> Caches | None:
    """Return the caches of a database in a Zope, None where they are not known."""
    active, target = values.get(CACHE_OBJECTS, *of, "active"), values.get(CACHE_TARGET, *of)
    connections = sum(values.get(CONNECTIONS, *of, state) or 0 for state in ("in_use", "idle"))
    if active is None or not target or not connections:
        return None
    return Caches(active, target, connections)


def _cache(values: Values, limits: Limits, *of: str) -> Iterator[str]:
    caches = caches_of(values, *of)
    if caches is None:
        return
    yield f"caches hold {caches.active:.0f} of {caches.room:.0f} objects"
    if caches.are_full(limits):
        yield "which is full: a higher cache-size may save loads, if there is memory"


def judge_zmi(site: str, zope: str, values: Values) -> Iterator[Finding]:
    """Say what is known, and that it is known from there; what failed says so itself."""
    if not values.get(zmi.UP, site, zope):
        return
    for of in values.labels(INFO, site, zope):
        text = f"Zope {of['zope_version']}, Python {of['python_version']} {_FROM_ZMI}"
        yield Finding(Severity.OK, site, zope, text)
    for of in values.labels(CACHE_TARGET, site, zope):
        database = of["database"]
        active = values.get(CACHE_OBJECTS, site, zope, database, "active") or 0
        target = values.get(CACHE_TARGET, site, zope, database) or 0
        text = f"database {database}: {active:.0f} objects in caches of {target:.0f} each"
        yield Finding(Severity.OK, site, zope, f"{text} {_FROM_ZMI}")
