"""What is well and what is not, in words, from an inventory and one scrape of it."""

import time
from collections.abc import Callable, Iterator

from .actions.verdict import judge_actions, judge_backups, judge_garbage
from .agents.absence import Absence, why_absent
from .agents.verdict import judge_agent, judge_databases, judge_workers
from .collectors import filestorage, logs, ping, process
from .finding import Finding, Severity, Values
from .inventory import Inventory, Service, Site, Storage, Target
from .logfiles.pipeline import explain_gaps
from .metric import Metric, Sample
from .probe.result import REASONS
from .probe.url import without_credentials
from .registry import Failure, Scrape
from .wording import duration, size
from .zeo.verdict import judge_zeo
from .zmi.verdict import judge_zmi

LOW_SPACE_RATIO = 0.10
NO_SPACE_RATIO = 0.03
CERTIFICATE_DAYS = 14

NOTHING = (
    "found no running Zope or ZEO server on this host"
    " (start one, or name its zope_conf under sites: in a file given by --config.file)"
)


def judge(
    inventory: Inventory,
    scrape: Scrape,
    now: Callable[[], float] = time.time,
    absence: Callable[[Service], Absence] = why_absent,
) -> list[Finding]:
    """Return what there is to say about each thing of the inventory, site by site.

    `absence` looks for the reason why a Zope that runs has no agent.
    """
    values = Values(scrape)
    findings = [Finding(Severity.WARNING, "", "discovery", text) for text in inventory.problems]
    for site in inventory.sites:
        for service in site.services:
            findings += _service(site, service, values, now())
            if service.kind == "zope" and values.get(process.UP, site.name, service.name):
                findings += judge_agent(site.name, service, values, absence)
                findings += judge_workers(site.name, service, values)
                findings += judge_databases(site.name, service, values)
                findings += judge_zmi(site.name, service.name, values)
        findings += judge_zeo(site, values, now())
        for storage in site.storages:
            findings += _storage(site, storage, values, now())
            findings += judge_garbage(site.name, storage.database, values, now())
            findings += judge_backups(site.name, storage.database, values, now())
        findings += judge_actions(site.name, values, now())
        for target in site.targets:
            findings += _target(site, target, values, now())
    findings += [_renamed(*sample.labels) for sample in scrape.samples if _is_renamed(sample)]
    findings += [_failure(failure, values) for failure in scrape.failures]
    if not inventory.sites:
        findings.append(Finding(Severity.UNKNOWN, "", "discovery", NOTHING))
    return findings


def _is_renamed(sample: Sample) -> bool:
    return sample.metric == logs.REOPEN_NEEDED and bool(sample.value)


def _renamed(site: str, log: str) -> Finding:
    remedy = "have logrotate copytruncate it, or restart Zope after a rotation"
    text = f"Zope still writes to the file that was renamed or deleted ({remedy})"
    return Finding(Severity.WARNING, site, log, text)


def _failure(failure: Failure, values: Values) -> Finding:
    site, _, source = failure.source.partition("/")
    # Of a Data.fs whose size is known, only some right to look closer is missing.
    unseen = (
        failure.collector == "filestorage" and values.get(filestorage.SIZE, site, source) is None
    )
    severity = Severity.CRITICAL if unseen else Severity.WARNING
    return Finding(severity, site, f"{failure.collector} {source}".strip(), failure.reason)


def _service(site: Site, service: Service, values: Values, now: float) -> Iterator[Finding]:
    def found(severity: Severity, text: str) -> Finding:
        return Finding(severity, site.name, service.name, text)

    up = values.get(process.UP, site.name, service.name)
    if up:
        yield found(Severity.OK, _running(site, service, values, now))
    elif up is not None:
        remedy = f"start it, or zope-exporter forget {service.name}"
        where = service.config or service.wsgi_ini
        known = f"; configured in {where}" if where else ""
        yield found(Severity.CRITICAL, f"is not running{known} ({remedy})")
    gaps = service.wsgi_ini and explain_gaps(
        service.wsgi_ini, service.pipeline, service.pipeline_code
    )
    if gaps:  # as shipped, and no reason to wake anybody
        yield found(Severity.OK, gaps)
    if service.debug_mode:
        yield found(Severity.WARNING, "runs in debug mode, which is slow and shows tracebacks")
    for problem in service.problems:
        yield found(Severity.WARNING, problem)


def _running(site: Site, service: Service, values: Values, now: float) -> str:
    facts = [f"pid {service.process.pid}"] if service.process else []
    started = values.get(process.START_TIME, site.name, service.name)
    if started is not None:
        facts.append(f"up for {duration(now - started)}")
    memory = values.get(process.RESIDENT, site.name, service.name)
    if memory is not None:
        facts.append(size(memory))
    if service.threads is not None:
        facts.append(f"{service.threads} worker threads")
    facts += service.urls
    facts += [f"database {database.name} ({database.kind})" for database in service.databases]
    facts += [f"log {log}" for log in (service.access_log, service.event_log) if log]
    return f"{service.kind} server, " * (service.kind == "zeo") + ", ".join(facts)


def _storage(site: Site, storage: Storage, values: Values, now: float) -> Iterator[Finding]:
    def value(metric: Metric) -> float | None:
        return values.get(metric, site.name, storage.database)

    def found(severity: Severity, text: str) -> Finding:
        return Finding(severity, site.name, storage.database, text)

    used = value(filestorage.SIZE)
    if used is None:
        return  # the collector's failure says why
    facts = [str(storage.data_fs), size(used)]
    last = value(filestorage.LAST_TRANSACTION)
    if last is not None:
        facts.append(f"last transaction {duration(now - last)} ago")
    yield found(Severity.OK, ", ".join(facts))
    if value(filestorage.REPLACED):
        reason = "was replaced while a process still writes to the old file: its commits are lost"
        remedy = "copy the old file from /proc/PID/fd before that process is stopped"
        yield found(Severity.CRITICAL, f"{storage.data_fs} {reason} ({remedy})")
    leftover = value(filestorage.LEFTOVER)
    if leftover:
        text = f"a pack or commit that died left {size(leftover)} beside {storage.data_fs}"
        yield found(Severity.WARNING, text)
    yield from _space(found, used, value(filestorage.AVAILABLE), value(filestorage.CAPACITY))


def _space(
    found: Callable[[Severity, str], Finding],
    used: float,
    available: float | None,
    capacity: float | None,
) -> Iterator[Finding]:
    if available is None or not capacity:
        return
    ratio = available / capacity
    room = f"{size(available)} free ({ratio:.0%})"
    if ratio < NO_SPACE_RATIO:
        yield found(Severity.CRITICAL, f"the file system is full: {room}")
    elif ratio < LOW_SPACE_RATIO:
        yield found(Severity.WARNING, f"the file system is getting full: {room}")
    elif available < used:
        yield found(Severity.WARNING, f"a pack may not find room: {room}, Data.fs {size(used)}")


def _target(site: Site, target: Target, values: Values, now: float) -> Iterator[Finding]:
    def found(severity: Severity, text: str) -> Finding:
        return Finding(severity, site.name, f"ping {target.name}", text)

    up = values.get(ping.UP, site.name, target.name)
    status = values.get(ping.STATUS_CODE, site.name, target.name)
    answered = "no answer" if status is None else f"status {status:.0f}"
    url = without_credentials(target.url)
    if up:
        seconds = values.get(ping.DURATION, site.name, target.name) or 0.0
        yield found(Severity.OK, f"{url}: {answered} in {seconds * 1000:.0f} ms")
    elif up is not None:
        reasons = [r for r in REASONS if values.get(ping.FAILURE, site.name, target.name, r)]
        yield found(Severity.CRITICAL, f"{url}: {answered}, {', '.join(reasons)}")
    expiry = values.get(ping.CERTIFICATE_EXPIRY, site.name, target.name)
    if expiry is not None and expiry - now < CERTIFICATE_DAYS * 86400:
        when = "has expired" if expiry < now else f"expires in {duration(expiry - now)}"
        yield found(Severity.CRITICAL if expiry < now else Severity.WARNING, f"certificate {when}")
