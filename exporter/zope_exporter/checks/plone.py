"""What there is to say of Plone sites and add-ons."""

from collections.abc import Iterator

from zope_exporter.collectors.agent.instance import (
    BROKEN_CLASSES,
    BROKEN_INFO,
    BROKEN_PRODUCT_INFO,
    BROKEN_PRODUCTS,
)
from zope_exporter.collectors.plone import OTHER, SITE_INFO, SITES, WAITING
from zope_exporter.discovery.inventory import Service
from zope_exporter.metrics.values import Values

from .finding import Finding, Severity

SHOWN = 5


def judge_plone_sites(site: str, values: Values) -> Iterator[Finding]:
    """List the Plone sites of each database, and the profiles that wait for an upgrade step."""
    for labels in values.labels(SITES, site):
        database = labels["database"]
        for name, text in plone_facts(site, database, values):
            yield Finding(Severity.OK, site, database, f"{name}: {text}")


def plone_facts(site: str, database: str, values: Values) -> Iterator[tuple[str, str]]:
    """Yield the same as pairs of a title and a text; nothing without a Plone site."""
    sites = values.labels(SITE_INFO, site, database)
    if not sites:
        return
    named = [
        f"{of['plone_site']} ({of['version']})" if of["version"] else of["plone_site"]
        for of in sites
    ]
    yield "Plone sites", _some(named, len(named))
    waiting = values.total(WAITING, site, database)
    if waiting is not None:
        profiles = [of["profile"] for of in values.labels(WAITING, site, database)]
        names = [name for name in profiles if name != OTHER]
        rest = bool(values.get(WAITING, site, database, OTHER))
        text = _some(names, len(names) + rest)
        yield "Profiles waiting for an upgrade step", f"{waiting:.0f}: {text}" if names else "none"


def judge_broken_products(site: str, service: Service, values: Values) -> Iterator[Finding]:
    """Name the products that a Zope 2.13 has started without."""
    count = int(values.get(BROKEN_PRODUCTS, site, service.name) or 0)
    if count:
        labels = values.labels(BROKEN_PRODUCT_INFO, site, service.name)
        text = f"started without {_some([of['product'] for of in labels], count)}"
        remedy = "the event log has the traceback of each, after: Couldn't install"
        text = f"{text}, which could not be imported or installed ({remedy})"
        yield Finding(Severity.WARNING, site, service.name, text)


def judge_broken_classes(site: str, service: Service, values: Values) -> Iterator[Finding]:
    """Name the classes of objects that a Zope has met and whose code is missing."""
    text = broken_text(site, service.name, values)
    if text:
        remedy = "the runbook ZopeBrokenClasses explains how to get rid of them"
        text = f"the code of objects in the database is missing: {text} ({remedy})"
        yield Finding(Severity.WARNING, site, service.name, text)


def broken_text(site: str, zope: str, values: Values) -> str:
    """Return how many classes are broken in a Zope, and which; empty for none, or if not known."""
    count = int(values.get(BROKEN_CLASSES, site, zope) or 0)
    if not count:
        return ""
    names = [of["class"] for of in values.labels(BROKEN_INFO, site, zope)]
    classes = f"{count} class{'es' * (count > 1)}"
    return f"{classes}: {_some(names, count)}" if names else classes


def _some(names: list[str], count: int) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and more" if count > len(names[:SHOWN]) else shown
