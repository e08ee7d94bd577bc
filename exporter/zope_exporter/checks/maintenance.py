"""What is said of the backups and the maintenance of a database."""

from collections.abc import Callable, Iterator
from itertools import starmap

from zope_exporter.alerting.thresholds import Limits
from zope_exporter.collectors import actions, backup, datafs, discovery, filestorage
from zope_exporter.discovery.inventory import Site
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.values import Values
from zope_exporter.system.humanize import duration, size

from .finding import Finding, Severity

Known = Callable[[Metric], float | None]
"""The value a metric has of one database."""


def judge_actions(site: str, values: Values, now: float) -> Iterator[Finding]:
    """Yield a finding for each action whose last job did not do its work."""
    for labels in values.labels(actions.LAST_FAILURE, site):
        task = site, labels["database"], labels["action"]
        failed = values.get(actions.LAST_FAILURE, *task) or 0.0
        if failed > (values.get(actions.LAST_SUCCESS, *task) or 0.0):
            text = f"the last job did not succeed, {duration(now - failed)} ago"
            remedy = "zope-exporter jobs has the reason"
            subject = f"{labels['action']} {labels['database']}"
            yield Finding(Severity.WARNING, site, subject, f"{text} ({remedy})")


def judge_packs(
    site: str, database: str, values: Values, now: float, limits: Limits
) -> Iterator[Finding]:
    """Yield a finding if a pack is overdue, or would free most of the Data.fs."""

    def known(metric: Metric) -> float | None:
        return values.get(metric, site, database)

    if (
        known(datafs.SCAN_TIME) is not None
        and values.get(datafs.GARBAGE, site, database, "unreachable") is None
    ):
        text = "what a pack would free is not known: references lead nowhere, records are encrypted"
        yield Finding(Severity.OK, site, database, f"{text}, or the last one is of the future")
    used, garbage = known(filestorage.SIZE), garbage_bytes(site, database, values)
    if not used or garbage is None:
        return  # nobody has looked into the Data.fs yet
    freed = f"a pack would free {size(garbage)} of {size(used)}"
    packed = known(datafs.LAST_PACK)
    ago = "it was never packed" if packed is None else f"the last was {duration(now - packed)} ago"
    if is_pack_overdue(known, garbage, now, limits):
        remedy = f"zope-exporter pack {site} --database {database}"
        yield Finding(Severity.WARNING, site, database, f"{ago}; {freed} ({remedy})")
    elif garbage > limits.garbage * used and used > limits.garbage_bytes:
        # As the alert of severity info: no reason to tell anybody by itself.
        yield Finding(Severity.OK, site, database, f"{freed}; {ago}")


def is_pack_overdue(known: Known, garbage: float | None, now: float, limits: Limits) -> bool:
    """Tell what the alert ZopePackOverdue does; never of a Data.fs nobody has looked into yet."""
    used, packed = known(filestorage.SIZE) or 0.0, known(datafs.LAST_PACK)
    if garbage is None or garbage < limits.pack_worthwhile * used:
        return False
    return used > limits.pack_first_bytes if packed is None else now - packed > limits.pack_overdue


def garbage_bytes(site: str, database: str, values: Values) -> float | None:
    """Return what a pack would free of the Data.fs, as far as that is known."""
    found = [
        values.get(datafs.GARBAGE, site, database, labels["kind"])
        for labels in values.labels(datafs.GARBAGE, site, database)
    ]
    return sum(filter(None, found)) if found else None


def judge_backups(
    site: str, database: str, values: Values, now: float, limits: Limits
) -> Iterator[Finding]:
    """Yield what there is to say, nothing of what is backed up elsewhere."""

    def found(severity: Severity, text: str) -> Finding:
        return Finding(severity, site, f"backup {database}", text)

    def known(metric: Metric) -> float | None:
        return values.get(metric, site, database)

    if known(backup.MAX_AGE) is None:
        yield from starmap(found, _unknown(site, database, values, limits))
        return
    if is_external(known):
        yield from starmap(found, _by_others(known, now, limits))
        return
    if known(backup.AVAILABLE) is None:
        return  # the collector's failure says why
    made = known(backup.LAST_SUCCESS)
    if made is None:
        remedy = f"zope-exporter backup {site} --database {database}"
        yield found(Severity.CRITICAL, f"there is no complete backup ({remedy})")
        return
    yield found(Severity.OK, _facts(values, site, database, now - made))
    yield from starmap(found, _age(known, now, limits))
    if is_unverified(known, now, limits):
        remedy = f"zope-exporter verify {site} --database {database}"
        yield found(Severity.WARNING, f"{_unverified(known, now)} ({remedy})")
    yield from starmap(found, _room(known, limits))
    yield from _database_faults(site, database, values)


def is_external(known: Known) -> bool:
    """Tell whether others make the backups, of which nothing but the age is known."""
    return known(backup.EXTERNAL) is not None


def databases_elsewhere(site: Site, values: Values) -> list[str]:
    """Return the databases with a backup that have no Data.fs on this host, such as RelStorages."""
    here = {storage.database for storage in site.storages}
    backed_up = {labels["database"] for labels in values.labels(backup.MAX_AGE, site.name)}
    return sorted(backed_up - here)


def lacks_backup(site: str, database: str, values: Values, limits: Limits) -> bool:
    """Tell what the alert ZopeBackupUnknown does.

    Of a site that hosts share the backups may be made on another one, which nothing here knows.
    """
    if (
        values.get(backup.MAX_AGE, site, database) is not None
        or values.get(backup.ELSEWHERE, site, database) is not None
    ):
        return False
    if _others_have(site, values):
        return True
    used = values.get(filestorage.SIZE, site, database) or 0.0
    return used > limits.backup_missed and not values.labels(discovery.SHARED, site)


def _others_have(site: str, values: Values) -> bool:
    return bool(values.labels(backup.MAX_AGE, site))


def _unknown(
    site: str, database: str, values: Values, limits: Limits
) -> Iterator[tuple[Severity, str]]:
    if not lacks_backup(site, database, values, limits):
        return
    if _others_have(site, values):
        text = "none is configured, while others of this site have one"
        yield Severity.WARNING, f"{text} (name it under databases: of the site's backup:)"
    else:
        text = "none is known"
        remedy = "configure the site's backup:, or backup: {elsewhere: true} to hear no more of it"
        yield Severity.WARNING, f"{text} ({remedy})"


def is_overdue(known: Known, now: float) -> bool:
    """Tell what the alert ZopeBackupOverdue does: what is backed up wholly may be of any age."""
    made, max_age = known(backup.LAST_SUCCESS), known(backup.MAX_AGE)
    if made is None or max_age is None:
        return max_age is not None
    return now - made > max_age and not covers_all(known)


def covers_all(known: Known) -> bool:
    """Tell whether the last backup holds the last commit, as far as both are known."""
    covered, last = known(backup.COVERED), known(filestorage.LAST_TRANSACTION)
    return covered is not None and last is not None and last <= covered


def is_unverified(known: Known, now: float, limits: Limits) -> bool:
    """Tell what the alert ZopeBackupUnverified does."""
    if is_external(known):
        return False  # nobody tells
    verified = known(backup.LAST_VERIFIED)
    return verified is None or now - verified > limits.backup_unverified


def _age(known: Known, now: float, limits: Limits) -> Iterator[tuple[Severity, str]]:
    age = now - (known(backup.LAST_SUCCESS) or 0.0)
    if is_overdue(known, now):
        allowed = duration(known(backup.MAX_AGE) or 0.0)
        text = f"commits of the last {duration(age)} are in no backup; {allowed} are allowed"
        yield Severity.CRITICAL, text
    elif age < -limits.clock_skew and not covers_all(known):
        text = f"the last backup is dated {duration(-age)} in the future (set the clock right)"
        yield Severity.WARNING, text


def _by_others(known: Known, now: float, limits: Limits) -> Iterator[tuple[Severity, str]]:
    made = known(backup.LAST_SUCCESS)
    if made is None:
        remedy = "see to the program that makes them"
        yield Severity.CRITICAL, f"others make the backups, and no success is known ({remedy})"
        return
    yield Severity.OK, f"last one {duration(now - made)} ago, made by others and not proven here"
    yield from _age(known, now, limits)


def _unverified(known: Known, now: float) -> str:
    verified = known(backup.LAST_VERIFIED)
    if verified is None:
        return "no backup was ever proven as `backup: verify:` asks"
    return f"no backup was proven as `backup: verify:` asks for {duration(now - verified)}"


def _room(known: Known, limits: Limits) -> Iterator[tuple[Severity, str]]:
    free, used = known(backup.AVAILABLE), known(filestorage.SIZE)
    if free is not None and used is not None and free < limits.backup_room * used:
        text = f"another full one may not find room: {size(free)} free, Data.fs {size(used)}"
        yield Severity.WARNING, f"{text} (keep fewer, or enlarge the disk of the repository)"


def _database_faults(site: str, database: str, values: Values) -> Iterator[Finding]:
    faults = values.get(backup.DATABASE_FAULTS, site, database)
    if faults:
        text = f"in the database {faults:.0f} references lead nowhere or blobs are missing"
        remedy = "the runbook ZopeDatabaseReferencesBroken explains how to repair them"
        text = f"{text}, in its backups as well ({remedy})"
        yield Finding(Severity.WARNING, site, f"backup {database}", text)


def _facts(values: Values, site: str, database: str, age: float) -> str:
    facts = [f"last backup {duration(age)} ago"]
    sizes = [
        values.get(backup.SIZE, site, database, labels["kind"])
        for labels in values.labels(backup.SIZE, site, database)
    ]
    known = [each for each in sizes if each is not None]
    if known:
        facts.append(f"{size(sum(known))} in all")
    return ", ".join(facts)
