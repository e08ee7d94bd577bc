"""All sites on one page, for who is responsible for many."""

from dataclasses import replace

from zope_exporter.alerting.thresholds import Limits

from .backup import BACKUP_AGE, backup_used
from .dashboard import Dashboard, Row
from .disks import disks
from .exporter import scraped
from .field_config import (
    BYTES,
    COUNT,
    FAULTS,
    GREEN,
    GREY,
    ORANGE,
    PROBLEMS,
    RED,
    REQUESTS,
    UP,
    FieldConfig,
    Step,
    falling,
    rising,
)
from .panels import Panel, Query, series, stat, states
from .queries import (
    SITE,
    Metrics,
    backup_age,
    busy_ratio,
    failure_ratio,
    latency,
    requests,
    used_of_the_age_allowed,
)
from .storage import free_ratio, least_free_space
from .tables import Column, table

_FIRING = FieldConfig(
    "short",
    (Step(1, ORANGE), Step(2, RED)),
    base=GREY,
    names={1.0: ("warning", ORANGE), 2.0: ("critical", RED)},
)

_STATE = replace(_FIRING, base=GREEN, names={0.0: ("OK", GREEN), **_FIRING.names})


def fleet(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of all sites."""
    return Dashboard(
        "zope-fleet",
        "Zope / Fleet",
        "All sites: which of them need attention, and a row of facts for each.",
        (
            Row("Is everything OK?", _counts(m, limits)),
            Row("Sites", (_sites(m, limits),)),
            Row("The last hours", _timelines(m)),
            Row("Disks", disks(m, limits)),
        ),
    )


# Of those that are firing, what is chosen at the top of the page; some alerts are of no site.
_CHOSEN_ALERTS = (
    'alertname=~"Zope.*", alertstate="firing", '
    'cluster=~"$cluster", instance=~"$instance|", site=~"$site|"'
)


def _counts(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    up = f"max by ({SITE}) ({m('zope_ping_up')})"
    exporters = scraped(m)
    return (
        stat(
            "Critical alerts",
            "Alerts of severity critical that fire now.",
            f'sum(count(ALERTS{{{_CHOSEN_ALERTS}, severity="critical"}}) or vector(0))',
            PROBLEMS,
        ),
        stat(
            "Warnings",
            "Alerts of severity warning that fire now.",
            f'sum(count(ALERTS{{{_CHOSEN_ALERTS}, severity="warning"}}) or vector(0))',
            FAULTS,
        ),
        stat(
            "Sites down",
            "Sites of which no probed address answers correctly.",
            f"count({up} == 0) or 0 * count({up})",
            PROBLEMS,
            runbooks=("ZopeSiteDown",),
        ),
        stat(
            "Exporters down",
            "Exporters that Prometheus cannot scrape: their hosts are not monitored.",
            f"count(({exporters}) == 0) or 0 * count({exporters})",
            PROBLEMS,
            runbooks=("ZopeExporterDown",),
        ),
        stat(
            "Backup age used",
            "Age of what no backup covers yet, as part of the age allowed, of the worst database.",
            f"max({used_of_the_age_allowed(m)})",
            backup_used(limits),
            runbooks=("ZopeBackupOverdue",),
        ),
        least_free_space(m, limits),
    )


def _sites(m: Metrics, limits: Limits) -> Panel:
    size = f"sum by ({SITE}) ({m('zope_filestorage_size_bytes')})"
    packed = m.since("zope_filestorage_last_pack_timestamp_seconds")
    expiry = m("zope_ping_certificate_expiry_timestamp_seconds")
    columns = (
        Column("State", _state(m), _STATE),
        Column("Up", f"max by ({SITE}) ({m('zope_ping_up')})", UP),
        Column("Zopes", f"sum by ({SITE}) ({m('zope_process_up')})", COUNT),
        Column("Requests", requests(m, window="5m"), REQUESTS),
        Column(
            "Failed",
            failure_ratio(m, window="5m"),
            rising("percentunit", limits.error_budget, limits.page_error_ratio, decimals=2),
        ),
        Column(
            "p95",
            latency(m, 0.95).replace("$__rate_interval", "5m"),
            rising("s", limits.ping_slow),
        ),
        Column(
            "Busy", busy_ratio(m, SITE), rising("percentunit", limits.workers_busy, 1, decimals=0)
        ),
        Column("Data.fs", size, BYTES),
        Column("Grown in a day", f"{size} - {size[:-1]} offset 1d)", BYTES),
        Column(
            "Free",
            f"min by ({SITE}) ({free_ratio(m)})",
            falling(
                "percentunit", limits.disk_almost_full_critical, limits.disk_almost_full, decimals=0
            ),
        ),
        Column("Last pack", f"max by ({SITE}) ({packed})", rising("s", limits.pack_overdue)),
        Column("Backup", f"max by ({SITE}) ({backup_age(m)})", BACKUP_AGE),
        Column(
            "Of its age", f"max by ({SITE}) ({used_of_the_age_allowed(m)})", backup_used(limits)
        ),
        Column(
            "Certificate",
            f"min by ({SITE}) ({expiry} - time())",
            falling("s", limits.certificate_critical, limits.certificate),
        ),
    )
    return table(
        "Sites",
        "A row for each site and the exporter that watches it, the worst first by what is firing; "
        "ages are those of the worst database, that of its backup also as part of the age allowed, "
        "and the certificate is the first to expire. A click on a name shows that site.",
        ("site", "instance", "cluster"),
        columns,
        link=("site", "zope-overview"),
        worst_first="State",
        height=10,
    )


def _state(m: Metrics) -> str:
    """The worst that is firing for a site, and that it is down before that fires."""
    down = f"2 * (max by ({SITE}) ({m('zope_ping_up')}) == bool 0)"
    known = f"0 * max by ({SITE}) ({m('zope_process_up')})"
    worst = " or ".join(
        (
            f'2 * ALERTS{{{_CHOSEN_ALERTS}, severity="critical"}}',
            f'ALERTS{{{_CHOSEN_ALERTS}, severity="warning"}}',
            down,
            known,
        )
    )
    return f"max by ({SITE}) (({worst}) and on ({SITE}) {known})"


def _firing(severity: str) -> str:
    alerts = f'ALERTS{{{_CHOSEN_ALERTS}, severity="{severity}"}}'
    return f"max by (alertname, cluster, instance, site) ({alerts})"


def _timelines(m: Metrics) -> tuple[Panel, ...]:
    return (
        states(
            "Sites over time",
            "Whether at least one probed address of each site answered correctly.",
            Query(f"max by ({SITE}) ({m('zope_ping_up')})", "{{instance}} {{site}}"),
            UP,
            width=12,
            height=8,
        ),
        states(
            "Alerts",
            "Alerts of severity critical and warning while they fired.",
            Query(
                f"2 * {_firing('critical')} or {_firing('warning')}",
                "{{instance}} {{site}} {{alertname}}",
            ),
            _FIRING,
            width=12,
            height=8,
        ),
        series(
            "Requests by site",
            "Requests per second, as answered where the agent counts them, else as logged.",
            [Query(requests(m), "{{instance}} {{site}}")],
            REQUESTS,
            width=12,
        ),
        series(
            "Part that failed, by site",
            "Part of the requests that were answered with 5xx.",
            [Query(f"{failure_ratio(m)}", "{{instance}} {{site}}")],
            FieldConfig("percentunit", (), base=GREEN, minimum=0),
            top=0.05,
            width=12,
        ),
    )
