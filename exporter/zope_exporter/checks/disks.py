"""What is said of the disks that hold something of a site, and of blobs that are not on theirs."""

from collections.abc import Iterator
from pathlib import Path

from zope_exporter.alerting.thresholds import Limits
from zope_exporter.collectors import blobs, disks
from zope_exporter.discovery.inventory import Inventory, Site
from zope_exporter.metrics.metric import encodable
from zope_exporter.metrics.registry import Scrape
from zope_exporter.metrics.values import Values
from zope_exporter.system.humanize import size

from .finding import Finding, Severity

NAMED_SITES = 5


def judge_disks(inventory: Inventory, values: Values, limits: Limits) -> Iterator[Finding]:
    """Yield a finding for each disk that is almost full, once for all sites that share it."""
    names = {encodable(site.name): site.name for site in inventory.sites}
    known = [*values.labels(disks.SIZE), *values.labels(disks.INODES)]
    for disk in sorted({labels["mountpoint"] for labels in known}):
        sites, held = _held(values, disk)
        site = names.get(sites[0], "") if len(sites) == 1 else ""
        for severity, text in (*_room(values, limits, disk), *_inodes(values, limits, disk)):
            yield Finding(severity, site, f"disk {disk}", f"{text}; {held}")


def _held(values: Values, disk: str) -> tuple[list[str], str]:
    held = values.labels(disks.HOLDS, disk)
    sites = sorted({of["site"] for of in held})
    what = ", ".join(sorted({of["holds"] for of in held}))
    more = f" and {len(sites) - NAMED_SITES} more" * (len(sites) > NAMED_SITES)
    return sites, f"it has the {what} of {', '.join(sites[:NAMED_SITES])}{more}"


def _room(values: Values, limits: Limits, disk: str) -> Iterator[tuple[Severity, str]]:
    """Tell what the alert ZopeDiskAlmostFull does."""
    free, whole = values.get(disks.AVAILABLE, disk), values.get(disks.SIZE, disk)
    if free is None or not whole:
        return
    text = f"{size(free)} free ({free / whole:.0%})"
    if free / whole < limits.disk_almost_full_critical:
        yield Severity.CRITICAL, f"is full: {text}"
    elif free / whole < limits.disk_almost_full:
        yield Severity.WARNING, f"is getting full: {text}"


def _inodes(values: Values, limits: Limits, disk: str) -> Iterator[tuple[Severity, str]]:
    """Tell what the alert ZopeDiskInodesLow does."""
    free, all_of_it = values.get(disks.INODES_FREE, disk), values.get(disks.INODES, disk)
    if free is None or not all_of_it:
        return
    text = f"{free:.0f} more files can be made ({free / all_of_it:.0%} of its inodes are free)"
    if free / all_of_it < limits.inodes_critical:
        yield Severity.CRITICAL, f"only {text}"
    elif free / all_of_it < limits.inodes:
        yield Severity.WARNING, f"only {text}"


def judge_blobs(site: Site, scrape: Scrape) -> Iterator[Finding]:
    """Yield a finding for each blob directory that is missing or empty."""
    told = {each.source for each in scrape.failures if each.collector == blobs.BlobCollector.name}
    for of in scrape.values.labels(blobs.PRESENT, site.name):
        database = of["database"]
        if is_missing(site.name, database, scrape.values) and (site.name, database) not in told:
            where = ", ".join(map(str, _directories(site, database)))
            text = f"{where} is missing or empty: is its file system mounted, and blob-dir right?"
            yield Finding(Severity.CRITICAL, site.name, f"blobs {database}", text)


def is_missing(site: str, database: str, values: Values) -> bool:
    """Tell what the alert ZopeBlobDirectoryMissing does, but for blobs that were there before."""
    return values.get(blobs.PRESENT, site, database) == 0


def _directories(site: Site, database: str) -> dict[Path, None]:
    known = [each.blob_dir for each in site.storages if each.database == database]
    known += [
        each.blob_dir
        for service in site.services
        for each in service.databases
        if each.name == database
    ]
    return dict.fromkeys(directory for directory in known if directory is not None)
