"""One site on one page: is it well, and if not, where to look."""

from dataclasses import replace

from zope_exporter.alerting.thresholds import Limits

from .dashboard import Dashboard, Row
from .exporter import scraped
from .field_config import BYTES, COUNT, PER_SECOND, RATIO, RED, REQUESTS, SECONDS, UP, rising
from .panels import Panel, Query, events, heat, series, series_of, stat
from .queries import (
    INTERVAL,
    SITE,
    Metrics,
    answers,
    busy_ratio,
    durations,
    failure_ratio,
    latency,
    requests,
)
from .tables import Column, table


def overview(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of a site."""
    return Dashboard(
        "zope-overview",
        "Zope / Overview",
        "One site: what its visitors get, what its workers do, how its data fares.",
        (
            Row("Is it OK?", _signals(m, limits)),
            Row("What visitors get", _visitors(m)),
            Row("Workers", _workers(m, limits)),
            Row("Views", _views(m)),
            Row("Data", _data(m)),
        ),
        single=("site",),
    )


def _signals(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    return (
        stat(
            "Site",
            "Whether at least one probed address answered correctly.",
            f"max by ({SITE}) ({m('zope_ping_up')}) or {_none_can_tell(m)}",
            replace(UP, names={**UP.names, -1.0: ("exporter down", RED)}),
            runbooks=("ZopeSiteDown",),
        ),
        stat(
            "Failed requests",
            "Part of the requests that were answered with 5xx, within the last minutes.",
            failure_ratio(m),
            rising("percentunit", limits.error_budget, limits.page_error_ratio, minimum=0),
            runbooks=("ZopeErrorBudgetBurn",),
        ),
        stat(
            "p95 of the time to answer",
            m.help("zope_request_duration_seconds"),
            latency(m, 0.95),
            rising("s", limits.ping_slow),
        ),
        stat("Requests", "Requests per second, of all Zopes.", requests(m), REQUESTS),
        stat(
            "Busy workers",
            "Part of the site's worker threads that is busy; at 100 % visitors wait.",
            busy_ratio(m, SITE),
            rising("percentunit", limits.workers_busy, 1, minimum=0, maximum=1),
            runbooks=("ZopeWorkersSaturated",),
        ),
        stat(
            "Slowest ping",
            "Of the addresses that answered correctly.",
            f"max by ({SITE}) ({m('zope_ping_duration_seconds')} and {m('zope_ping_up')} == 1)",
            rising("s", limits.ping_slow),
            runbooks=("ZopePingSlow",),
        ),
    )


def _none_can_tell(m: Metrics) -> str:
    """Return -1 while Prometheus can scrape none of the exporters that are chosen."""
    return f"-1 * (max({scraped(m)}) == bool 0) < 0"


def _visitors(m: Metrics) -> tuple[Panel, ...]:
    quantiles = [Query(latency(m, q), f"{{{{instance}}}} {q:.0%}") for q in (0.5, 0.95, 0.99)]
    return (
        series(
            "Answers by status code",
            "As the agent counts them, else as logged; some access logs lack the errors.",
            [Query(answers(m), "{{instance}} {{code}}")],
            REQUESTS,
            stacked=True,
        ),
        series("Time to answer", "Half, 95 % and 99 % of requests are faster.", quantiles, SECONDS),
        heat(
            "Time to answer, of all requests",
            m.help("zope_request_duration_seconds"),
            f"sum by (le) ({durations(m, 'increase')})",
        ),
    )


def _workers(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    started = m.lasts("zope_request_oldest_start_timestamp_seconds")
    return (
        series(
            "Busy workers of each Zope",
            "Part of each Zope's worker threads that is busy with a request.",
            [Query(busy_ratio(m), "{{instance}} {{zope}}")],
            rising("percentunit", limits.workers_busy, 1, minimum=0, maximum=1),
            runbooks=("ZopeWorkersSaturated",),
        ),
        series_of(
            m,
            "zope_request_queue_length",
            "Requests that wait",
            "{{instance}} {{zope}}",
            rising("short", 1),
        ),
        series(
            "Longest request",
            "For how long the oldest request in progress has been running.",
            [Query(started, "{{instance}} {{zope}}")],
            rising("s", limits.request_stuck),
            runbooks=("ZopeRequestStuck",),
        ),
    )


def _views(m: Metrics) -> tuple[Panel, ...]:
    taken, asked, loaded, loading = (
        f"sum by ({SITE}, view) (increase({m(name)}[1h]))"
        for name in (
            "zope_view_duration_seconds_total",
            "zope_view_requests_total",
            "zope_view_object_loads_total",
            "zope_view_object_load_duration_seconds_total",
        )
    )
    # Of the Zopes that tell it, not of all.
    timed = m("zope_view_object_load_duration_seconds_total")
    asked_timed = (
        f"sum by ({SITE}, view) (increase({m('zope_view_requests_total')}[1h])"
        f" and on ({SITE}, zope, view) increase({timed}[1h]))"
    )
    columns = (
        Column("Time", taken, SECONDS),
        Column("Share", f"{taken} / on ({SITE}) group_left () sum by ({SITE}) ({taken})", RATIO),
        Column("Requests", asked, COUNT),
        Column("Each", f"{taken} / ({asked} > 0)", SECONDS),
        Column("Loads each", f"{loaded} / ({asked} > 0)", COUNT),
        Column("Load time each", f"{loading} / ({asked_timed} > 0)", SECONDS, "unknown"),
    )
    return (
        table(
            "Slow views, last hour",
            m.help("zope_view_requests_total"),
            ("view", "instance", "cluster"),
            columns,
            worst_first="Time",
            runbooks=("ZopeRequestsSlow",),
        ),
    )


def _data(m: Metrics) -> tuple[Panel, ...]:
    old, free = m("zope_filestorage_old_size_bytes"), m("zope_filesystem_avail_bytes")
    size = m("zope_filestorage_size_bytes")
    conflicts = m.rate("zope_conflicts_total")
    records = m("zope_event_log_records_total", "=~", severity="WARNING|ERROR|CRITICAL")
    return (
        series(
            "Data.fs and the room for it",
            "Size, free space, and the room a pack would have: it deletes Data.fs.old first and "
            "then writes a second Data.fs beside the first.",
            [
                Query(size, "{{database}}: Data.fs"),
                Query(free, "{{database}}: free"),
                Query(f"{free} + {old} - {size}", "{{database}}: room left by a pack"),
            ],
            BYTES,
        ),
        series(
            "Conflicts",
            m.help("zope_conflicts_total"),
            [
                Query(
                    f"sum by ({SITE}, kind, outcome) ({conflicts})",
                    "{{instance}} {{kind}} {{outcome}}",
                )
            ],
            PER_SECOND,
            runbooks=("ZopeConflictsHigh",),
        ),
        events(
            "Warnings and errors in the event logs",
            "Records within each step of the graph.",
            [
                Query(
                    f"sum by ({SITE}, severity) (increase({records}[{INTERVAL}])) > 0",
                    "{{instance}} {{severity}}",
                )
            ],
            runbooks=("ZopeLogErrors",),
        ),
    )
