"""What is OK and what is not, in words, from an inventory and one scrape of it."""

import time
from collections.abc import Callable, Iterator
from itertools import starmap

from zope_exporter.alerting.thresholds import Limits
from zope_exporter.clients.agent.diagnosis import Absence, why_absent
from zope_exporter.clients.http.result import REASONS
from zope_exporter.clients.http.url import without_credentials
from zope_exporter.collectors import actions, datafs, filestorage, logs, ping, process
from zope_exporter.collectors.agent.databases import PACK_RUNNING
from zope_exporter.collectors.pipeline import explain_gaps
from zope_exporter.config.actions import PACK
from zope_exporter.discovery.inventory import Inventory, Service, Site, Storage, Target
from zope_exporter.discovery.watcher import NOTHING
from zope_exporter.metrics.failure import Failure, joined
from zope_exporter.metrics.metric import Metric
from zope_exporter.metrics.registry import Scrape
from zope_exporter.metrics.values import Values
from zope_exporter.system.humanize import duration, size

from .disks import is_missing, judge_blobs, judge_disks
from .finding import Finding, Severity
from .maintenance import databases_elsewhere, judge_actions, judge_backups, judge_packs
from .plone import judge_broken_classes, judge_broken_products, judge_plone_sites
from .relstorage import judge_relstorages
from .zeo import judge_zeo
from .zope import judge_agent, judge_databases, judge_storages, judge_workers, judge_zmi


def judge(
    inventory: Inventory,
    scrape: Scrape,
    limits: Limits,
    now: Callable[[], float] = time.time,
    absence: Callable[[Service], Absence] = why_absent,
) -> list[Finding]:
    """Return what there is to say about each thing of the inventory, site by site.

    What has two limits is a warning beyond the first and critical beyond the second, as its alert.
    `absence` looks for the reason why a Zope that runs has no agent.
    """
    values = scrape.values
    findings = [Finding(Severity.WARNING, "", "discovery", text) for text in inventory.problems]
    for site in inventory.sites:
        for service in site.services:
            findings += _service(site, service, values, now(), limits)
            findings += judge_storages(site.name, service)
            findings += judge_relstorages(site.name, service, values, now())
            if service.kind == "zope" and values.get(process.UP, site.name, service.name):
                findings += _running_zope(site.name, service, values, limits, absence)
            findings += judge_zmi(site.name, service.name, values)
        findings += judge_zeo(site, values, now(), limits)
        findings += judge_blobs(site, scrape)
        for storage in site.storages:
            findings += _storage(site, storage, values, now())
            findings += judge_packs(site.name, storage.database, values, now(), limits)
            findings += judge_backups(site.name, storage.database, values, now(), limits)
        for name in databases_elsewhere(site, values):
            findings += judge_backups(site.name, name, values, now(), limits)
        findings += judge_plone_sites(site.name, values)
        findings += judge_actions(site.name, values, now())
        for target in site.targets:
            findings += _target(site, target, values, now(), limits)
    findings += judge_disks(inventory, values, limits)
    renamed = values.series(logs.REOPEN_NEEDED)
    findings += [_renamed(*labels) for labels, is_renamed in renamed if is_renamed]
    failures = [failure for failure in scrape.failures if failure.reason != NOTHING]
    findings += [_failure(failure, values) for failure in failures]
    if not inventory.sites:
        findings.append(Finding(Severity.UNKNOWN, "", "discovery", NOTHING))
    return findings


def _running_zope(
    site: str,
    service: Service,
    values: Values,
    limits: Limits,
    absence: Callable[[Service], Absence],
) -> Iterator[Finding]:
    for each in service.apart():
        yield from judge_agent(site, each, values, absence)
        yield from judge_broken_classes(site, each, values)
        yield from judge_broken_products(site, each, values)
        yield from judge_workers(site, each, values, limits)
        yield from judge_databases(site, each, values, limits)


def _renamed(site: str, log: str) -> Finding:
    remedy = "have logrotate copytruncate it, or restart Zope after a rotation"
    text = f"Zope still writes to the file that was renamed or deleted ({remedy})"
    return Finding(Severity.WARNING, site, log, text)


def _failure(failure: Failure, values: Values) -> Finding:
    site, source = "".join(failure.source[:1]), joined(failure.source[1:])
    # Of a Data.fs whose size is known, only some right to look closer is missing.
    unseen = {
        "filestorage": values.get(filestorage.SIZE, site, source) is None,
        "blobs": is_missing(site, source, values),
    }
    severity = Severity.CRITICAL if unseen.get(failure.collector) else Severity.WARNING
    return Finding(severity, site, f"{failure.collector} {source}".strip(), failure.reason)


def _service(
    site: Site, service: Service, values: Values, now: float, limits: Limits
) -> Iterator[Finding]:
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
    if is_near_memory_limit(site.name, service.name, values, limits):
        limit = size(values.get(process.MEMORY_LIMIT, site.name, service.name) or 0.0)
        text = f"uses most of the {limit} of memory that its control group may have"
        yield found(Severity.WARNING, f"{text} (raise the limit, or see what grows)")
    gaps = service.wsgi_ini and explain_gaps(
        service.wsgi_ini, service.pipeline, service.pipeline_code
    )
    if gaps:  # as shipped, and no reason to wake anybody
        yield found(Severity.OK, gaps)
    if service.debug_mode:
        yield found(Severity.WARNING, "runs in debug mode, which is slow and shows tracebacks")
    for problem in service.problems:
        yield found(Severity.WARNING, problem)


def is_near_memory_limit(site: str, zope: str, values: Values, limits: Limits) -> bool:
    """Tell what the alert ZopeMemoryNearLimit does."""
    used = values.get(process.RESIDENT, site, zope)
    limit = values.get(process.MEMORY_LIMIT, site, zope)
    return used is not None and limit is not None and used > limits.memory * limit


def _running(site: Site, service: Service, values: Values, now: float) -> str:
    facts = [f"pid {service.process.pid}"] if service.process else []
    if service.workers:
        facts.append(f"{len(service.workers)} worker process{'es' * (len(service.workers) > 1)}")
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
    is_future = last is not None and datafs.is_future(last, now)
    if last is not None and not is_future:
        facts.append(f"last transaction {duration(max(now - last, 0.0))} ago")
    yield found(Severity.OK, ", ".join(facts))
    if last is not None and is_future:
        text = f"the last transaction is {duration(last - now)} in the future: a clock was wrong"
        yield found(Severity.WARNING, f"{text} (until then no pack removes what it replaced)")
    if value(filestorage.REPLACED):
        reason = "was replaced while a process still writes to the old file: its commits are lost"
        remedy = "copy the old file from /proc/PID/fd before that process is stopped"
        yield found(Severity.CRITICAL, f"{storage.data_fs} {reason} ({remedy})")
    leftover = value(filestorage.LEFTOVER)
    if leftover:
        text = f"an aborted pack or commit left {size(leftover)} beside {storage.data_fs}"
        yield found(Severity.WARNING, text)
    yield from starmap(found, _space(value))


def _space(known: Callable[[Metric], float | None]) -> Iterator[tuple[Severity, str]]:
    available = known(filestorage.AVAILABLE)
    used, old = known(filestorage.SIZE), known(filestorage.OLD_SIZE)
    # A pack deletes Data.fs.old first, then writes up to the whole Data.fs anew.
    if available is None or used is None or old is None:
        return
    if available + old < used:
        room = f"{size(available)} free" + f" and {size(old)} of Data.fs.old" * bool(old)
        yield Severity.WARNING, f"a pack may not find room: {room}, Data.fs {size(used)}"


def _target(
    site: Site, target: Target, values: Values, now: float, limits: Limits
) -> Iterator[Finding]:
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
    if is_slow(site.name, target.name, values, limits):
        text = f"{url}: slower than {limits.ping_slow:g} s (see which requests run)"
        yield found(Severity.WARNING, text)
    expiry = values.get(ping.CERTIFICATE_EXPIRY, site.name, target.name)
    if expiry is not None and expiry - now < limits.certificate:
        severe = expiry - now < limits.certificate_critical
        when = "has expired" if expiry < now else f"expires in {duration(expiry - now)}"
        yield found(Severity.CRITICAL if severe else Severity.WARNING, f"certificate {when}")


def is_slow(site: str, target: str, values: Values, limits: Limits) -> bool:
    """Tell what the alert ZopePingSlow does: a pack makes every site slow."""
    seconds = values.get(ping.DURATION, site, target) or 0.0
    up = values.get(ping.UP, site, target)
    return bool(up) and seconds > limits.ping_slow and not _is_packed(site, values)


def _is_packed(site: str, values: Values) -> bool:
    running = [(PACK_RUNNING, labels) for labels in values.labels(PACK_RUNNING, site)]
    running += [
        (actions.RUNNING, labels)
        for labels in values.labels(actions.RUNNING, site)
        if labels["action"] == PACK
    ]
    return any(values.get(metric, *labels.values()) for metric, labels in running)
