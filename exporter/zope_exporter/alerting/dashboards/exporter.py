"""The exporter itself: who watches the watchman."""

from zope_exporter.alerting.thresholds import Limits

from .dashboard import Dashboard, Row
from .field_config import COUNT, GREEN, SECONDS, SET, SUCCESS, UP, YELLOW, FieldConfig, Step, rising
from .panels import Panel, Query, events, events_of, rate_of, series, series_of, states, states_of
from .queries import CHOSEN, SITE, Metrics
from .tables import listing

_WATCHED = FieldConfig(
    "short",
    (Step(1, GREEN),),
    base=YELLOW,
    names={1.0: ("yes", GREEN), 0.0: ("no", YELLOW)},
)


def exporter(m: Metrics, limits: Limits) -> Dashboard:
    """Return the dashboard of the exporter."""
    return Dashboard(
        "zope-exporter",
        "Zope / Exporter",
        "The exporters: whether they can be scraped, and whether their collectors read all.",
        (
            Row("Scrapes", _scrapes(m, limits)),
            Row("Collectors", _collectors(m)),
            Row("Alerts that come in", _webhook(m)),
            Row("Syslog", _syslog(m)),
            Row("Versions", _versions(m)),
        ),
    )


def scraped(m: Metrics) -> str:
    """Return 1 for each exporter that Prometheus can scrape, and 0 for one that it cannot."""
    # One that is dead says nothing: what its job is is known from what it said before.
    ours = f"group by (cluster, job) (last_over_time({m('zope_exporter_info')}[1d]))"
    return f"up{{{CHOSEN}}} and on (cluster, job) {ours}"


def _of_ours(m: Metrics, name: str) -> str:
    # Prometheus' own series of a target have no label of ours but the target itself.
    return f"{name} and on (cluster, job, instance) {m('zope_exporter_info')}"


def _scrapes(m: Metrics, limits: Limits) -> tuple[Panel, ...]:
    exporters = scraped(m)
    timeout = limits.scrape_timeout
    return (
        states(
            "Exporters",
            "Whether Prometheus could scrape them.",
            Query(exporters, "{{instance}}"),
            UP,
            width=12,
            runbooks=("ZopeExporterDown",),
        ),
        series(
            "Duration of a scrape",
            f"As Prometheus measured it; red is its timeout, if that is {timeout:g} s.",
            [Query(_of_ours(m, "scrape_duration_seconds"), "{{instance}}")],
            rising("s", timeout / 2, timeout),
            width=6,
            height=6,
        ),
        series(
            "Series",
            "Samples of a scrape.",
            [Query(_of_ours(m, "scrape_samples_scraped"), "{{instance}}")],
            COUNT,
            width=6,
            height=6,
        ),
        events_of(
            m, "zope_exporter_scrapes_refused_total", "Scrapes refused", "{{instance}}", width=6
        ),
        series(
            "Running for",
            m.help("zope_exporter_start_time_seconds"),
            [Query(m.since("zope_exporter_start_time_seconds"), "{{instance}}")],
            SECONDS,
            width=6,
            height=6,
            runbooks=("ZopeExporterFlapping",),
        ),
        series(
            "Last search of the host",
            m.help("zope_discovery_last_success_timestamp_seconds"),
            [Query(m.since("zope_discovery_last_success_timestamp_seconds"), "{{instance}}")],
            rising("s", limits.discovery_stale),
            width=12,
            runbooks=("ZopeDiscoveryStale",),
        ),
    )


def _collectors(m: Metrics) -> tuple[Panel, ...]:
    watched = f"min by ({SITE}, source) ({m('zope_source_watched')})"
    success = f"min by (cluster, job, instance, collector) ({m('zope_collector_success')})"
    return (
        states(
            "Read everything",
            m.help("zope_collector_success"),
            Query(success, "{{instance}} {{collector}}"),
            SUCCESS,
            width=12,
            height=10,
            runbooks=("ZopeCollectorFailing",),
        ),
        series_of(
            m,
            "zope_collector_duration_seconds",
            "Duration",
            "{{instance}} {{collector}}",
            SECONDS,
            beside=True,
            top=0.1,
            width=12,
            height=10,
        ),
        states(
            "Watched",
            m.help("zope_source_watched"),
            Query(watched, "{{instance}} {{site}} {{source}}"),
            _WATCHED,
            height=10,
            runbooks=("ZopeSourceBlind", "ZopeLogNotWatched"),
        ),
    )


def _webhook(m: Metrics) -> tuple[Panel, ...]:
    seen = m.since("zope_watchdog_last_seen_timestamp_seconds")
    by_outcome = "{{instance}} {{outcome}}"

    return (
        events_of(m, "zope_webhook_notifications_total", "Notifications", by_outcome, width=6),
        events_of(m, "zope_webhook_alerts_total", "Alerts in them", by_outcome, width=6),
        series(
            "Since the last watchdog alert",
            f"{m.help('zope_watchdog_last_seen_timestamp_seconds')} "
            f"{m.help('zope_watchdog_max_silence_seconds')}",
            [
                Query(seen, "{{instance}}"),
                Query(m("zope_watchdog_max_silence_seconds"), "{{instance}} allowed"),
            ],
            SECONDS,
            width=6,
        ),
        states_of(
            m, "zope_watchdog_silent", "Alerting is silent", "{{instance}}", SET, width=6, height=8
        ),
        events_of(
            m,
            "zope_watchdog_messages_total",
            "Messages to people about it",
            "{{instance}} {{channel}} {{outcome}}",
            width=24,
            height=5,
        ),
    )


def _syslog(m: Metrics) -> tuple[Panel, ...]:
    dropped = m.increase("zope_syslog_dropped_messages_total")
    cut = m.increase("zope_syslog_truncated_messages_total")
    last = m.since("zope_syslog_last_message_timestamp_seconds")
    return (
        rate_of(m, "zope_syslog_messages_total", "Messages", "{{instance}} {{site}} {{outcome}}"),
        events(
            "Messages lost",
            f"{m.help('zope_syslog_dropped_messages_total')} "
            f"{m.help('zope_syslog_truncated_messages_total')}",
            [
                Query(f"{dropped} > 0", "{{instance}} {{site}} {{reason}}"),
                Query(f"{cut} > 0", "{{instance}} {{site}} truncated"),
            ],
        ),
        series(
            "Last message",
            m.help("zope_syslog_last_message_timestamp_seconds"),
            [Query(last, "{{instance}} {{site}} {{log}}")],
            SECONDS,
        ),
    )


def _versions(m: Metrics) -> tuple[Panel, ...]:
    info = m("zope_exporter_info")
    return (
        listing(
            "Versions",
            m.help("zope_exporter_info"),
            f"group by (cluster, instance, version, python_version) ({info})",
            ("instance", "version", "python_version"),
        ),
    )
