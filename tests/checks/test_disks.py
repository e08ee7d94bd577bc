"""A full disk is said once, whoever shares it, and blobs that are not there with their path."""

from pathlib import Path

from zope_exporter.alerting.thresholds import read_limits
from zope_exporter.checks.disks import judge_blobs, judge_disks
from zope_exporter.collectors import blobs, disks
from zope_exporter.discovery.inventory import Inventory, Site, Storage
from zope_exporter.metrics.failure import Failure
from zope_exporter.metrics.metric import Sample
from zope_exporter.metrics.registry import Scrape

LIMITS = read_limits()
SITES = [f"site{number}" for number in range(7)]


def disk(name: str, free: float, inodes: float, *held: tuple[str, str]) -> list[Sample]:
    """A disk of 100 GB and 1,000 inodes."""
    return [
        disks.AVAILABLE(free, mountpoint=name),
        disks.SIZE(100e9, mountpoint=name),
        disks.INODES_FREE(inodes, mountpoint=name),
        disks.INODES(1000, mountpoint=name),
        *(disks.HOLDS(mountpoint=name, site=site, holds=holds) for site, holds in held),
    ]


def said(samples: list[Sample]) -> list[str]:
    inventory = Inventory((Site("intranet"), *(Site(name) for name in SITES)))
    found = judge_disks(inventory, Scrape(samples, []).values, LIMITS)
    return [f"{f.severity.name} {f.site or '-'} {f.subject}: {f.text}" for f in found]


def test_a_disk_of_one_site() -> None:
    logs = disk("/var/log", 4e9, 500, ("intranet", "logs"), ("intranet", "blobs"))
    assert said([*logs, *disk("/srv", 50e9, 500, ("intranet", "database"))]) == [
        "WARNING intranet disk /var/log: is getting full: 4 GB free (4%);"
        " it has the blobs, logs of intranet"
    ]


def test_a_disk_that_many_share_is_said_once() -> None:
    assert said(disk("/srv", 1e9, 500, *((name, "database") for name in SITES))) == [
        "CRITICAL - disk /srv: is full: 1 GB free (1%); it has the database of"
        " site0, site1, site2, site3, site4 and 2 more"
    ]


def test_inodes() -> None:
    assert said(disk("/srv", 50e9, 30, ("intranet", "blobs"))) == [
        "WARNING intranet disk /srv: only 30 more files can be made (3% of its inodes are free);"
        " it has the blobs of intranet"
    ]
    assert said(disk("/srv", 50e9, 0, ("intranet", "blobs")))[0].startswith("CRITICAL")


def test_blobs_that_are_not_there() -> None:
    storage = Storage("main", Path("/srv/Data.fs"), Path("/mnt/blobs"))
    site = Site("intranet", storages=(storage,))
    gone = [blobs.PRESENT(0, site="intranet", database="main")]
    assert [f"{f.severity.name} {f.text}" for f in judge_blobs(site, Scrape(gone, []))] == [
        "CRITICAL /mnt/blobs is missing or empty: is its file system mounted, and blob-dir right?"
    ]
    there = [blobs.PRESENT(1, site="intranet", database="main")]
    assert list(judge_blobs(site, Scrape(there, []))) == []


def test_what_the_collector_says_itself_is_said_once() -> None:
    site = Site("intranet", storages=(Storage("main", Path("/srv/Data.fs"), Path("/mnt/blobs")),))
    failure = Failure("blobs", ("intranet", "main"), "/mnt/blobs cannot be read")
    gone = Scrape([blobs.PRESENT(0, site="intranet", database="main")], [failure])
    assert list(judge_blobs(site, gone)) == []
