"""What there is to say of the ZEO servers of a site."""

from collections.abc import Iterator

from zope_exporter.alerting.thresholds import Limits
from zope_exporter.collectors import zeo
from zope_exporter.discovery.inventory import Site, ZeoServer
from zope_exporter.metrics.values import Values
from zope_exporter.system.humanize import duration

from .finding import Finding, Severity


def judge_zeo(site: Site, values: Values, now: float, limits: Limits) -> Iterator[Finding]:
    """Say of each server whether it answers, what it serves, and who is in whose way."""
    for server in site.zeo:
        storages = [of["storage"] for of in values.labels(zeo.UP, site.name, server.name)]
        served = [each for each in storages if values.get(zeo.UP, site.name, server.name, each)]
        if storages and not served:
            text = f"no ZEO server answers at {server.address} (start it, or see its log)"
            yield _finding(site, server, Severity.CRITICAL, text)
            continue
        for storage in storages:
            of = site.name, server.name, storage
            yield from _storage(site, server, storage, values, now)
            acquired = values.get(zeo.LOCK_ACQUIRED, *of)
            if acquired is not None and now - acquired > limits.commit_lock_held:
                text = _stuck(storage, now - acquired, values.get(zeo.WAITING_COMMITS, *of) or 0)
                yield _finding(site, server, Severity.WARNING, text)


def _finding(site: Site, server: ZeoServer, severity: Severity, text: str) -> Finding:
    return Finding(severity, site.name, f"zeo {server.name}", text)


def _storage(
    site: Site, server: ZeoServer, storage: str, values: Values, now: float
) -> Iterator[Finding]:
    of = site.name, server.name, storage
    if not values.get(zeo.UP, *of):
        text = f"{server.address} does not serve storage {storage} (add it to zeo.conf)"
        yield _finding(site, server, Severity.CRITICAL, text)
        return
    facts = ", ".join([f"{server.address} serves storage {storage}", *_facts(values, of, now)])
    yield _finding(site, server, Severity.OK, facts)


def _stuck(storage: str, held: float, waiting: float) -> str:
    text = f"one commit to storage {storage} goes on for {duration(held)}, {waiting:.0f} wait"
    return f"{text} (restart its Zope, and set transaction-timeout in zeo.conf)"


def _facts(values: Values, of: tuple[str, str, str], now: float) -> Iterator[str]:
    clients = values.get(zeo.CLIENTS, *of)
    if clients is None:
        yield "and reports nothing else (set monitor-address in zeo.conf)"
        return
    yield f"{clients:.0f} client{'s' * (clients != 1)}"
    last = values.get(zeo.LAST_TRANSACTION, *of)
    if last is not None:
        yield f"last transaction {duration(now - last)} ago"
