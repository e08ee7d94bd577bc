"""What is said of the backups and the maintenance of a database."""

from collections.abc import Iterator

from zope_exporter.collectors import actions, backup, datafs, filestorage
from zope_exporter.finding import Finding, Severity, Values
from zope_exporter.wording import duration, size

GARBAGE_RATIO = 0.5
GARBAGE_BYTES = 1e9


def judge_actions(site: str, values: Values, now: float) -> Iterator[Finding]:
    """Yield a finding for each action whose last job did not do its work."""
    for labels in values.labels(actions.LAST_FAILURE, site):
        task = site, labels["database"], labels["action"]
        failed = values.get(actions.LAST_FAILURE, *task) or 0.0
        if failed > (values.get(actions.LAST_SUCCESS, *task) or 0.0):
            text = f"the last one did not do its work, {duration(now - failed)} ago"
            remedy = "zope-exporter jobs tells why"
            subject = f"{labels['action']} {labels['database']}"
            yield Finding(Severity.WARNING, site, subject, f"{text} ({remedy})")


def judge_garbage(site: str, database: str, values: Values, now: float) -> Iterator[Finding]:
    """Yield a finding if a pack would free more than half of the Data.fs, and that is much."""
    kinds = [
        values.get(datafs.GARBAGE, site, database, labels["kind"])
        for labels in values.labels(datafs.GARBAGE, site, database)
    ]
    garbage = sum(filter(None, kinds))
    used = values.get(filestorage.SIZE, site, database)
    if not used or garbage < max(GARBAGE_BYTES, GARBAGE_RATIO * used):
        return
    packed = values.get(datafs.LAST_PACK, site, database)
    ago = "it was never packed" if packed is None else f"the last was {duration(now - packed)} ago"
    text = f"a pack would free {size(garbage)} of {size(used)}; {ago}"
    remedy = f"zope-exporter pack {site} --database {database}"
    yield Finding(Severity.WARNING, site, database, f"{text} ({remedy})")


def judge_backups(site: str, database: str, values: Values, now: float) -> Iterator[Finding]:
    """Yield what there is to say, nothing where no backup is configured."""

    def found(severity: Severity, text: str) -> Finding:
        return Finding(severity, site, f"backup {database}", text)

    max_age = values.get(backup.MAX_AGE, site, database)
    if max_age is None or values.get(backup.AVAILABLE, site, database) is None:
        return  # not configured, or the collector's failure says why
    made = values.get(backup.LAST_SUCCESS, site, database)
    if made is None:
        remedy = f"zope-exporter backup {site} --database {database}"
        yield found(Severity.CRITICAL, f"there is no complete backup ({remedy})")
        return
    covered = values.get(backup.COVERED, site, database)
    last = values.get(filestorage.LAST_TRANSACTION, site, database)
    yield found(Severity.OK, _facts(values, site, database, now - made))
    # A site where nothing happens needs no new backup.
    if covered is not None and last is not None and last > covered:
        age = now - max(made, covered)
        if age > max_age:
            text = f"commits of the last {duration(age)} are in no backup"
            yield found(Severity.CRITICAL, f"{text}; {duration(max_age)} are allowed")
        elif age < 0:
            text = f"the last backup is dated {duration(-age)} in the future"
            yield found(Severity.WARNING, f"{text} (set the clock right)")
    if values.get(backup.LAST_VERIFIED, site, database) is None:
        remedy = f"zope-exporter verify {site} --database {database}"
        yield found(Severity.WARNING, f"no backup was ever proven to restore ({remedy})")
    yield from _database_faults(site, database, values)


def _database_faults(site: str, database: str, values: Values) -> Iterator[Finding]:
    faults = values.get(backup.DATABASE_FAULTS, site, database)
    if faults:
        text = f"in the database {faults:.0f} references lead nowhere or blobs are missing"
        remedy = "the runbook ZopeDatabaseReferencesBroken tells how to mend them"
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
