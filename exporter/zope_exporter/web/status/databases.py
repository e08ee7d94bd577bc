"""What the status page says of a database: its file, the room for it, its backups, what to do."""

from collections.abc import Iterator

from zope_exporter.alerting.thresholds import Limits
from zope_exporter.checks.finding import Severity
from zope_exporter.checks.maintenance import (
    Known,
    covers_all,
    garbage_bytes,
    is_external,
    is_overdue,
    is_pack_overdue,
    is_unverified,
    lacks_backup,
)
from zope_exporter.checks.plone import plone_facts
from zope_exporter.collectors import backup, datafs, filestorage
from zope_exporter.collectors.plone import SITES
from zope_exporter.config.actions import ACTIONS, PACK
from zope_exporter.discovery.inventory import Site, Storage
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.values import Values
from zope_exporter.system.humanize import duration, size

from .graphs import database_graphs
from .history import History
from .view import Bar, DatabaseView, Fact, Offer, Offers


class Databases:
    """Makes the views of databases from one scrape, with what is offered to be done to them."""

    def __init__(
        self,
        values: Values,
        limits: Limits,
        history: History,
        offers: Offers,
        now: float,
    ) -> None:
        self._values = values
        self._limits = limits
        self._history = history
        self._offers = offers
        self._now = now

    def view(self, site: str, storage: Storage) -> DatabaseView:
        """Return what there is to say of one database of a site."""

        def known(metric: Metric) -> float | None:
            return self._values.get(metric, site, storage.database)

        return DatabaseView(
            storage.database,
            (
                *self._file(site, storage, known),
                *self._backup(site, storage.database, known),
                *(Fact(*of) for of in plone_facts(site, storage.database, self._values)),
            ),
            tuple(_room(known)),
            database_graphs(self._history, site, storage.database),
            tuple(self._offered(site, storage.database, known)),
        )

    def elsewhere(self, site: Site) -> Iterator[DatabaseView]:
        """Yield those without a Data.fs on this host of which Plone sites are known."""
        here = {storage.database for storage in site.storages}
        for name in (of["database"] for of in self._values.labels(SITES, site.name)):
            facts = tuple(Fact(*of) for of in plone_facts(site.name, name, self._values))
            if facts and name not in here:
                yield DatabaseView(name, facts, (), (), ())

    def _file(self, site: str, storage: Storage, known: Known) -> Iterator[Fact]:
        used = known(filestorage.SIZE)
        if used is None:
            yield Fact("File", f"{storage.data_fs}, which cannot be read", Severity.CRITICAL)
            return
        yield Fact("File", f"{storage.data_fs}, {size(used)}")
        last = known(filestorage.LAST_TRANSACTION)
        if last is not None:
            yield Fact("Last transaction", self._ago(last))
        packed = known(datafs.LAST_PACK)
        garbage = garbage_bytes(site, storage.database, self._values)
        overdue = is_pack_overdue(known, garbage, self._now, self._limits)
        text = "none known" if packed is None else self._ago(packed)
        yield Fact("Last pack", text, Severity.WARNING if overdue else Severity.OK)

    def _backup(self, site: str, database: str, known: Known) -> Iterator[Fact]:
        if known(backup.ELSEWHERE) is not None:
            yield Fact("Backup", "not watched here, as configured")
            return
        if known(backup.MAX_AGE) is None:
            lacks = lacks_backup(site, database, self._values, self._limits)
            severity = Severity.WARNING if lacks else Severity.UNKNOWN
            yield Fact("Backup", "none is configured", severity)
            return
        late = is_overdue(known, self._now)
        yield Fact("Backup", self._covered(known), Severity.CRITICAL if late else Severity.OK)
        if is_external(known):
            return  # whether those are proven nobody tells
        verified = known(backup.LAST_VERIFIED)
        text = "never" if verified is None else self._ago(verified)
        unproven = is_unverified(known, self._now, self._limits)
        yield Fact("Proven restorable", text, Severity.WARNING if unproven else Severity.OK)

    def _covered(self, known: Known) -> str:
        made = known(backup.LAST_SUCCESS)
        if is_external(known) and made is not None:
            return f"by others, {self._ago(made)}"
        covered = known(backup.COVERED)
        if covered is None:
            return "there is none yet"
        return (
            "covers everything" if covers_all(known) else f"covers all until {self._ago(covered)}"
        )

    def _offered(self, site: str, database: str, known: Known) -> Iterator[Offer]:
        for action in ACTIONS:
            if (action, site, database) in self._offers.allowed:
                # What is to be known before a pack is looked up when somebody thinks of one.
                consider = () if action == PACK else tuple(self._considerations(known))
                yield Offer(action, site, database, consider)

    def _considerations(self, known: Known) -> Iterator[str]:
        room = known(backup.AVAILABLE)
        if room is not None:
            yield f"The repository has {size(room)} free."
        covered, verified = known(backup.COVERED), known(backup.LAST_VERIFIED)
        yield f"The last backup covers {self._ago(covered)}." if covered else "There is no backup."
        if covered:
            proven = f"proven {self._ago(verified)}" if verified else "never proven"
            yield f"A backup of it was {proven}."

    def _ago(self, then: float) -> str:
        return f"{duration(self._now - then)} ago"


def _room(known: Known) -> Iterator[Bar]:
    used, free = known(filestorage.SIZE), known(filestorage.AVAILABLE)
    capacity = known(filestorage.CAPACITY)
    if used is None or free is None or not capacity:
        return
    own = min(used / capacity, 1.0) * 100
    others = max(0.0, 100 - own - free / capacity * 100)
    text = f"{size(free)} of {size(capacity)} free"
    yield Bar("File system", round(own, 1), round(others, 1), text)
