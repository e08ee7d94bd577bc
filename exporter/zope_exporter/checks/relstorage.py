"""What there is to say of the RelStorages of a Zope, as its agent tells of them."""

from collections.abc import Iterator

from zope_exporter.collectors.agent.databases import (
    RELSTORAGE_LAST_TRANSACTION,
    RELSTORAGE_OBJECTS,
    RELSTORAGE_SIZE,
)
from zope_exporter.discovery.inventory import Service
from zope_exporter.metrics.values import Values
from zope_exporter.system.humanize import duration, size

from .finding import Finding, Severity


def judge_relstorages(site: str, service: Service, values: Values, now: float) -> Iterator[Finding]:
    """List the RelStorages of a Zope; one that is not told of is for the coverage to name."""
    for zope in service.apart():
        for database, text in relstorages(site, zope.name, values, now):
            yield Finding(Severity.OK, site, zope.name, f"database {database}: {text}")


def relstorages(site: str, zope: str, values: Values, now: float) -> Iterator[tuple[str, str]]:
    """Yield each database in a RelStorage, and its size and age as far as they are known."""
    for labels in values.labels(RELSTORAGE_SIZE, site, zope):
        of = site, zope, labels["database"]
        facts = [f"SQL database of {size(values.get(RELSTORAGE_SIZE, *of) or 0.0)}"]
        objects = values.get(RELSTORAGE_OBJECTS, *of)
        facts.append("objects not known" if objects is None else f"{objects:.0f} objects")
        last = values.get(RELSTORAGE_LAST_TRANSACTION, *of)
        if last is not None:
            facts.append(f"last transaction {duration(max(now - last, 0.0))} ago")
        facts.append("RelStorage keeps no time of its last pack")
        yield labels["database"], ", ".join(facts)
