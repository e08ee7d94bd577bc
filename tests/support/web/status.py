"""Sites for the status page to show, in each state a site can be in."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from zope_exporter.clients.http.result import REASONS
from zope_exporter.collectors import backup, datafs, disks, filestorage, ping, process
from zope_exporter.collectors.agent import instance
from zope_exporter.collectors.coverage import Coverage
from zope_exporter.discovery.inventory import Database, Inventory, Service, Site, Storage, Target
from zope_exporter.logs.event import counter as event
from zope_exporter.metrics.failure import Failure
from zope_exporter.metrics.metric import Metric, Sample
from zope_exporter.metrics.registry import Registry, Scrape
from zope_exporter.web.status.graphs import DRAWN
from zope_exporter.web.status.history import History
from zope_exporter.web.status.last_scrape import LastScrape
from zope_exporter.web.status.slow_views import ViewsOf
from zope_exporter.web.status.written import Since

NOW = 1_700_012_345.0
HOUR = 3600.0


class Given(Registry):
    """A registry that gives what the test has put into `next`."""

    def __init__(self) -> None:
        super().__init__([])
        self.next = Scrape([], [])

    def scrape(self, timeout: float) -> Scrape:  # noqa: ARG002  as the real one has it
        return self.next


def inventory(name: str = "intranet", part: str = "") -> Inventory:
    """One site of one Zope, one database and one probe; `part` is added to all their names."""
    database = Database(f"main{part}", "filestorage", data_fs=Path("/srv/zope/var/Data.fs"))
    zope = Service(
        "zope",
        f"client1{part}",
        Path(f"/srv/zope{part.replace('/', '')}/etc/zope.conf"),
        urls=("http://127.0.0.1:8080/",),
        databases=(database,),
        threads=4,
    )
    storage = Storage(f"main{part}", Path("/srv/zope/var/Data.fs"))
    target = Target(f"home{part}", "http://127.0.0.1:8080/")
    return Inventory((Site(name, (zope,), (storage,), (target,)),))


def healthy(found: Inventory, now: float = NOW) -> Scrape:
    """Everything is well, and a backup covers everything."""
    return Scrape(list(_samples(found, now)), [])


def burning(found: Inventory, now: float = NOW) -> Scrape:
    """No worker is free, the probe times out, the disk is full, the backup is old."""
    [site] = found.sites
    zope, storage, target = site.services[0], site.storages[0], site.targets[0]
    of_database = {"site": site.name, "database": storage.database}
    of_target = {"site": site.name, "target": target.name}
    changes = [
        instance.BUSY(4, site=site.name, zope=zope.name),
        filestorage.AVAILABLE(0.5e9, **of_database),
        disks.AVAILABLE(1e9, mountpoint="/srv"),
        disks.SIZE(100e9, mountpoint="/srv"),
        disks.HOLDS(mountpoint="/srv", site=site.name, holds="database"),
        backup.COVERED(now - 100 * HOUR, **of_database),
        backup.LAST_SUCCESS(now - 99 * HOUR, **of_database),
        ping.UP(0, **of_target),
        *(ping.FAILURE(reason == "timeout", reason=reason, **of_target) for reason in REASONS),
    ]
    failure = Failure("datafs", (site.name, storage.database), "the file is damaged at 4711")
    return Scrape(_changed(_samples(found, now), changes), [failure])


def without(scrape: Scrape, *metrics: Metric) -> Scrape:
    """The same without some metrics, such as those of the agent."""
    return Scrape([s for s in scrape.samples if s.metric not in metrics], scrape.failures)


def observed(
    found: Inventory,
    scrapes: Sequence[Scrape],
    start: float = NOW,
    step: float = 30.0,
    coverage: Coverage | None = None,
    written: Since = lambda *_: None,
    views: ViewsOf = lambda _: {},
) -> LastScrape:
    """An observer that has seen these, one every `step` seconds, the last one at `start`."""
    registry = Given()
    times = iter(start - step * back for back in reversed(range(len(scrapes))))
    observer = LastScrape(
        registry,
        lambda: found,
        History(DRAWN),
        clock=lambda: next(times),
        coverage=coverage,
        written_since=written,
        views_of=views,
    )
    for scrape in scrapes:
        registry.next = scrape
        observer.scrape(5.0)
    return observer


def _changed(samples: Iterable[Sample], changes: Sequence[Sample]) -> list[Sample]:
    keys = {(change.metric, change.labels) for change in changes}
    return [s for s in samples if (s.metric, s.labels) not in keys] + list(changes)


def _samples(found: Inventory, now: float) -> Iterator[Sample]:
    for site in found.sites:
        for service in site.services:
            of_zope = {"site": site.name, "zope": service.name}
            yield process.UP(1, **of_zope)
            yield process.START_TIME(now - 5 * HOUR, **of_zope)
            yield process.RESIDENT(180e6, **of_zope)
            yield instance.THREADS(4, **of_zope)
            yield instance.BUSY(1, **of_zope)
            yield instance.RESPONSES(now % 100_000, code="200", **of_zope)
        for storage in site.storages:
            yield from _of_database(site.name, storage.database, now)
        for target in site.targets:
            of_target = {"site": site.name, "target": target.name}
            yield ping.UP(1, **of_target)
            yield ping.STATUS_CODE(200, **of_target)
            yield ping.DURATION(0.02, **of_target)
        log = f"{site.name}-event"
        yield event.RECORDS(now % 1000, site=site.name, log=log, severity="ERROR")
        yield event.MATCHES(now % 1000, site=site.name, log=log, pattern="POSKeyError")


def _of_database(site: str, database: str, now: float) -> Iterator[Sample]:
    labels = {"site": site, "database": database}
    yield filestorage.SIZE(3e9, **labels)
    yield filestorage.OLD_SIZE(2e9, **labels)
    yield filestorage.AVAILABLE(40e9, **labels)
    yield filestorage.CAPACITY(100e9, **labels)
    yield filestorage.LAST_TRANSACTION(now - 60, **labels)
    yield datafs.GARBAGE(0.3e9, kind="superseded", **labels)
    yield datafs.LAST_PACK(now - 50 * HOUR, **labels)
    yield backup.MAX_AGE(26 * HOUR, **labels)
    yield backup.COVERED(now - 60, **labels)
    yield backup.LAST_SUCCESS(now - 50, **labels)
    yield backup.LAST_VERIFIED(now - 40, **labels)
    yield backup.AVAILABLE(70e9, **labels)
