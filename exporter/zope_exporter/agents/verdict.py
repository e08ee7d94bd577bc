"""What there is to say of a Zope by what its agent told, or of its having none."""

from collections.abc import Callable, Iterator

from zope_exporter.collectors.agent import UP
from zope_exporter.finding import Finding, Severity, Values
from zope_exporter.inventory import Service

from .absence import Absence
from .databases import CACHE_OBJECTS, CACHE_TARGET, CONNECTIONS, LEAKED, POOL_SIZE
from .instance import INFO
from .serving import BUSY, THREADS
from .standing import outdated_remedy

FULL_RATIO = 0.9


def judge_agent(
    site: str, service: Service, values: Values, why_absent: Callable[[Service], Absence]
) -> Iterator[Finding]:
    """Say whether a running Zope has an agent that is in order, and why not."""
    up = values.get(UP, site, service.name)
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
            yield Finding(severity, site, service.name, text)


def judge_workers(site: str, service: Service, values: Values) -> Iterator[Finding]:
    """Say so when every worker thread is busy: whoever comes now has to wait."""
    threads = values.get(THREADS, site, service.name)
    busy = values.get(BUSY, site, service.name)
    if threads and busy is not None and busy >= threads:
        text = f"all {threads:.0f} worker threads are busy: visitors wait"
        yield Finding(Severity.WARNING, site, service.name, text)


def judge_databases(site: str, service: Service, values: Values) -> Iterator[Finding]:
    """Set pools against threads and caches against their targets.

    Of a Zope without an agent, what its configuration says of pools is all that is known.
    """
    threads = values.get(THREADS, site, service.name) or service.threads or 0
    pools: dict[str, float] = {each.name: each.pool_size for each in service.databases}
    for told in values.labels(POOL_SIZE, site, service.name):
        of = site, service.name, told["database"]
        pools[told["database"]] = values.get(POOL_SIZE, *of) or 0
        facts = [*_connections(values, *of), *_cache(values, *of)]
        text = f"database {told['database']}: {', '.join(facts)}"
        yield Finding(Severity.OK, site, service.name, text)
    for name, size in pools.items():
        if size < threads:
            text = f"database {name}: pool-size {size:.0f} is less than {threads:.0f} threads"
            yield Finding(Severity.WARNING, site, service.name, f"{text} (raise pool-size)")


def _connections(values: Values, *of: str) -> Iterator[str]:
    in_use = values.get(CONNECTIONS, *of, "in_use") or 0
    yield f"{in_use:.0f} of {values.get(POOL_SIZE, *of):.0f} connections in use"
    leaked = values.get(LEAKED, *of)
    if leaked:
        yield f"{leaked:.0f} of them leaked"


def _cache(values: Values, *of: str) -> Iterator[str]:
    active, target = values.get(CACHE_OBJECTS, *of, "active"), values.get(CACHE_TARGET, *of)
    connections = sum(values.get(CONNECTIONS, *of, state) or 0 for state in ("in_use", "idle"))
    if active is None or not target or not connections:
        return
    room = target * connections
    yield f"caches hold {active:.0f} of {room:.0f} objects"
    if active > FULL_RATIO * room:
        yield "which is full: a higher cache-size may save loads, if there is memory"
