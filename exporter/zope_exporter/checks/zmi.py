"""What there is to say of a Zope by its management pages."""

from collections.abc import Iterator

from zope_exporter.clients.agent.databases import CACHE_OBJECTS, CACHE_TARGET
from zope_exporter.clients.agent.instance import INFO
from zope_exporter.collectors.zmi import UP

from .finding import Finding, Severity, Values

_SOURCE = "(from the ZMI, without agent)"


def judge_zmi(site: str, zope: str, values: Values) -> Iterator[Finding]:
    """Say what is known, and that it is known from there; what failed says so itself."""
    if not values.get(UP, site, zope):
        return
    for of in values.labels(INFO, site, zope):
        text = f"Zope {of['zope_version']}, Python {of['python_version']} {_SOURCE}"
        yield Finding(Severity.OK, site, zope, text)
    for of in values.labels(CACHE_TARGET, site, zope):
        database = of["database"]
        active = values.get(CACHE_OBJECTS, site, zope, database, "active") or 0
        target = values.get(CACHE_TARGET, site, zope, database) or 0
        text = f"database {database}: {active:.0f} objects in caches of {target:.0f} each {_SOURCE}"
        yield Finding(Severity.OK, site, zope, text)
